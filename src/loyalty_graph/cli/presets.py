"""The command that lists the programmes that come with the product."""

import typer
from rich.markup import escape

from loyalty_graph.cli.options import JsonOption
from loyalty_graph.cli.output import console, near, print_json
from loyalty_graph.sandbox.presets import about, presets

app = typer.Typer()


@app.command("presets")
def show_presets(*, as_json: JsonOption = False) -> None:
    """List the programmes to begin with, each with what makes it; a path is where its file is."""
    found = {name: (path, about(path)) for name, path in presets().items()}
    if as_json:
        print_json(
            {name: {"path": str(path), "about": says} for name, (path, says) in found.items()}
        )
        return
    width = max(map(len, found))
    for name, (path, says) in found.items():
        console.print(f"[bold]{name:<{width}}[/]  {escape(says)}")
        console.print(f"{'':<{width}}  [dim]{escape(str(near(path)))}[/]")
