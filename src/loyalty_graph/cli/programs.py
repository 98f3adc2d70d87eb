"""Commands about programmes."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption
from loyalty_graph.cli.output import console, in_database, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.usecases import program_file

program_app = typer.Typer(help="Programmes and their versions.", no_args_is_help=True)


@program_app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A programme file (TOML).")],
    *,
    database: DatabaseOption = None,
) -> None:
    """Make a programme file the next version of its programme."""
    checked = program_file.read(file)
    url = database or load_settings().database_url
    load_it = partial(program_file.load, checked, now=utc_now())
    version = run(in_database(url, load_it, create=True))
    name = escape(checked.program.name)
    console.print(f"[green]✓[/] {name}: version {version.number} is in force.")
