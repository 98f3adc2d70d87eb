"""The command that records the receipts of a file."""

from dataclasses import asdict
from typing import Annotated

import typer

from loyalty_graph.cli.balances import open_file, print_faults
from loyalty_graph.cli.options import (
    DatabaseOption,
    DryRunOption,
    JsonOption,
    ProgramOption,
    RowsArgument,
    chosen_program,
)
from loyalty_graph.cli.output import console, in_database, print_json, progress_bars, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.usecases import purchase_import
from loyalty_graph.usecases.purchase_import import Imported

CALLER = "cli"

app = typer.Typer(help="Receipts of another system: record them.", no_args_is_help=True)


@app.command("import")
def import_file(
    file: RowsArgument,
    *,
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The system the receipts are from; each counts once by it and the receipt's id.",
        ),
    ] = "import",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Record receipts and credit their points, as docs/importing.md describes.

    The whole file is checked first: when a receipt is wrong, nothing is recorded. An import that
    was stopped goes on where it was when it is called again; what was recorded before is left.
    """
    given, now = open_file(file, source), utc_now()

    async def work() -> Imported:
        program_id = await chosen_program(program)
        with progress_bars() as tell:
            return await purchase_import.import_file(
                program_id, given, caller=CALLER, now=now, tell=tell, dry_run=dry_run
            )

    done = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json(asdict(done))
    else:
        print_faults(str(file), done.faults, done.refused)
        _print(done)
    raise typer.Exit(1 if done.refused else 0)


def _print(done: Imported) -> None:
    mark = "[red]✗[/]" if done.refused else "[green]✓[/]"
    if not done.is_written:
        console.print(
            f"{mark} Nothing was written: {done.receipts:,} receipts, {done.known:,} known already,"
            f" {done.refused:,} wrong."
        )
        return
    console.print(
        f"{mark} Receipts: {done.recorded:,} recorded, {done.known:,} known already,"
        f" {done.refused:,} refused, {done.points:,} points."
    )
