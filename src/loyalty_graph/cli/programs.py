"""Commands about programmes."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption, JsonOption
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.programs.service import Version
from loyalty_graph.usecases import program_file
from loyalty_graph.usecases.program_changes import Change

program_app = typer.Typer(help="Programmes and their versions.", no_args_is_help=True)


@program_app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A programme file (TOML).")],
    *,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Make a programme file the next version of its programme, and say what is different now."""
    settings = load_settings()
    checked = program_file.read(file, templates_dir=settings.templates_dir)

    async def work() -> tuple[Version, list[Change] | None]:
        version = await program_file.load(checked, now=utc_now())
        return version, await program_file.changed_by(checked, version)

    version, changes = run(in_database(database or settings.database_url, work, create=True))
    if as_json:
        shown = None if changes is None else [asdict(change) for change in changes]
        slug = checked.program.slug
        print_json({"program": slug, "version": version.number, "changes": shown})
        return
    name = escape(checked.program.name)
    console.print(f"[green]✓[/] {name}: version {version.number} is in force.")
    if changes == []:
        console.print("  Nothing is different from the version before.")
    for change in changes or ():
        console.print(f"  {escape(_told(change))}")


def _told(change: Change) -> str:
    if change.before is None:
        return f"{change.place}: {change.after} (new)"
    if change.after is None:
        return f"{change.place}: gone, was {change.before}"
    return f"{change.place}: {change.before} → {change.after}"
