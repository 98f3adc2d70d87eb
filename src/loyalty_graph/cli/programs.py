"""Commands about programmes."""

from pathlib import Path
from typing import Annotated

import typer

from loyalty_graph.cli.ledger import DatabaseOption
from loyalty_graph.cli.output import console, in_database, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.usecases import program_file

program_app = typer.Typer(help="Programmes and their versions.", no_args_is_help=True)


@program_app.command()
def load(
    file: Annotated[Path, typer.Argument(help="A programme file (TOML).")],
    *,
    database: DatabaseOption = None,
) -> None:
    """Make a programme file the next version of its programme."""
    checked = program_file.read(file)
    url = database or load_settings().database_url
    version = run(in_database(url, lambda: program_file.load(checked, now=utc_now())))
    console.print(
        f"[green]✓[/] {checked.program.name}: version {version.number} is in force.",
        highlight=False,
    )
