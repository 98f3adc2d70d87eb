"""Commands that bring balances along from another system, and tell how far that has come."""

from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.markup import escape

from loyalty_graph.cli.options import (
    DatabaseOption,
    DryRunOption,
    JsonOption,
    ProgramOption,
    RowsArgument,
    chosen_program,
)
from loyalty_graph.cli.output import console, errors, in_database, print_json, progress_bars, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.ledger import migrating
from loyalty_graph.ledger.migrating import Progress
from loyalty_graph.usecases import balances
from loyalty_graph.usecases.balance_checks import BalanceCheck
from loyalty_graph.usecases.balance_rows import BalanceFormat, RowFault

CALLER = "cli"
FAULTS_SHOWN_MAX = 20
FORMATS = {
    ".csv": BalanceFormat.CSV,
    ".jsonl": BalanceFormat.JSONL,
    ".ndjson": BalanceFormat.JSONL,
}

app = typer.Typer(help="Balances of another system: bring them along.", no_args_is_help=True)


@app.command("import")
def import_file(
    file: RowsArgument,
    *,
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The system the balances come from; a row counts once by it and the row's key.",
        ),
    ] = balances.SOURCE_DEFAULT,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Import members' points with their lots and dates, as docs/importing.md describes.

    The whole file is checked first: when a row is wrong, nothing is imported. An import that was
    stopped goes on where it was when it is called again; rows that were imported before are left.
    """
    given, now = open_file(file, source), utc_now()

    async def work() -> Progress | BalanceCheck:
        program_id = await chosen_program(program)
        with progress_bars() as tell:
            if dry_run:
                return await balances.try_file(program_id, given, now=now, tell=tell)
            return await balances.import_file(program_id, given, caller=CALLER, now=now, tell=tell)

    done = run(in_database(database or load_settings().database_url, work))
    told = _checked(done) if isinstance(done, BalanceCheck) else _shown(done)
    faults = _faults(done)
    if as_json:
        print_json({**told, "dry_run": dry_run, "faults": faults})
    else:
        print_faults(str(file), faults, told["refused"])
        _print(done)
    raise typer.Exit(1 if faults else 0)


@app.command("list")
def list_imports(
    *, as_json: JsonOption = False, program: ProgramOption = None, database: DatabaseOption = None
) -> None:
    """List the newest imports, and how far they are."""

    async def work() -> list[Progress]:
        return await migrating.newest(await chosen_program(program), limit=FAULTS_SHOWN_MAX)

    found = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json([_shown(one) for one in found])
        return
    for one in found:
        state = "done" if one.ended_at else "under way"
        console.print(
            f"  {one.begun_at:%Y-%m-%d %H:%M}  {one.source:<30}  {one.done:>9,} of {one.rows:,}"
            f"  {one.points:,} points  {state}"
        )
    if not found:
        console.print("There was no import of balances.")


def open_file(path: Path, source: str) -> balances.BalanceFile:
    """Return a file to be read; what is no UTF-8 in it is told with its row.

    Raises:
        InvalidInputError: It cannot be read, or its name does not say how it is written.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise InvalidInputError(f"{path} does not end in {', '.join(FORMATS)}.", field="file")

    def open_it() -> TextIO:
        try:
            return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
        except OSError as error:
            raise InvalidInputError(
                f"{path} cannot be read: {error.strerror}.", field="file"
            ) from error

    return balances.BalanceFile(source, form, open_it)


def _checked(found: BalanceCheck) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "known": found.known,
        "new_members": found.joining,
        "points": found.points,
        "refused": found.faulty,
    }


def _shown(done: Progress) -> dict[str, Any]:
    return {
        "id": str(done.id),
        "source": done.source,
        "rows": done.rows,
        "done": done.done,
        "imported": done.imported,
        "known": done.known,
        "refused": done.refused,
        "new_members": done.joined,
        "points": done.points,
        "begun_at": done.begun_at,
        "ended_at": done.ended_at,
    }


def _faults(done: Progress | BalanceCheck) -> list[RowFault]:
    if isinstance(done, BalanceCheck):
        return done.faults
    return [RowFault(**one) for one in done.faults]


def print_faults(name: str, faults: list[RowFault], count: int) -> None:
    """Say what is wrong with the first rows, and with how many more."""
    for one in faults[:FAULTS_SHOWN_MAX]:
        column = f"{one.field}: " if one.field else ""
        errors.print(f"[bold]{escape(name)}:{one.line}[/]: {column}{escape(one.message)}")
    if count > FAULTS_SHOWN_MAX:
        errors.print(f"{count - FAULTS_SHOWN_MAX:,} more rows are wrong.")


def _print(done: Progress | BalanceCheck) -> None:
    if isinstance(done, BalanceCheck):
        wrong = (
            f"[red]✗[/] {done.faulty:,} of {done.rows:,} rows are wrong. " if done.faulty else ""
        )
        console.print(
            f"{wrong}Nothing was written: {done.rows - done.known - done.faulty:,} rows to import,"
            f" {done.known:,} known already, {done.joining:,} new members, {done.points:,} points."
        )
        return
    mark = "[red]✗[/]" if done.refused else "[green]✓[/]"
    rows = "row" if done.imported == 1 else "rows"
    console.print(
        f"{mark} Balances: {done.imported:,} {rows} imported, {done.known:,} known already,"
        f" {done.refused:,} refused, {done.joined:,} new members, {done.points:,} points."
    )
