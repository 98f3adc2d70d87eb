"""Commands about exchange rates: import those of a file, list what is known."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from loyalty_graph.cli.options import (
    DatabaseOption,
    DryRunOption,
    JsonOption,
    ProgramOption,
    chosen_program,
)
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.programs.exchange import DatedRate
from loyalty_graph.usecases import exchange_rates

DAYS_LISTED = timedelta(days=30)
DAY_FORMAT = ["%Y-%m-%d"]

app = typer.Typer(help="Exchange rates: what other currencies are worth.", no_args_is_help=True)


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV file; its first line is day,currency,rate."),
    ],
    *,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Import what one unit of another currency is worth in the programme's, day by day.

    A line is such as 2026-11-22,EUR,1.0853. When a line is wrong, nothing is imported.
    """
    text, now = exchange_rates.read(file), utc_now()

    async def work() -> exchange_rates.RatesImported:
        return await exchange_rates.import_rates(
            await chosen_program(program), text, name=str(file), now=now, dry_run=dry_run
        )

    done = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json({**done._asdict(), "dry_run": dry_run})
        return
    told = f"{done.added:,} new, {done.changed:,} changed, {done.unchanged:,} known already"
    console.print(f"Nothing was written: {told}." if dry_run else f"[green]✓[/] Rates: {told}.")


@app.command("list")
def list_rates(
    *,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only this one, such as EUR.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=DAY_FORMAT, help="The first day. (default: 30 days ago)"),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY_FORMAT, help="The last day.")
    ] = None,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """List the exchange rates that are known, imported ones and those of the programme file."""
    now = utc_now()
    until = (last or now).date()
    since = first.date() if first else until - DAYS_LISTED

    async def work() -> list[DatedRate]:
        return await exchange_rates.known_between(
            await chosen_program(program), since, until, now=now, currency=currency
        )

    found = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json([one._asdict() for one in found])
        return
    for one in found:
        origin = "imported" if one.is_imported else "programme file, from this day on"
        console.print(f"  {one.day}  {one.currency}  {one.rate:>14}  {origin}")
    if not found:
        console.print(f"No exchange rates are known for {since} to {until}.")
