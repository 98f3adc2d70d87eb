"""Commands that report what accountants ask for."""

from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from loyalty_graph.cli.options import DatabaseOption, JsonOption, ProgramOption, chosen_program
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.reports import points_flow
from loyalty_graph.reports.flow_reads import By
from loyalty_graph.reports.points_flow import PointsFlow
from loyalty_graph.reports.rules import Column, Flow

DAY_FORMAT = ["%Y-%m-%d"]
NO_PART = "-"
UNBOUNDED = 10_000

app = typer.Typer(help="Reports that add up to the ledger.", no_args_is_help=True)


@app.command("points-flow")
def show_points_flow(
    *,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=DAY_FORMAT, help="The first day. (default: of this month)"),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=DAY_FORMAT, help="The last day. (default: today)"),
    ] = None,
    by: Annotated[By, typer.Option(case_sensitive=False, help="What it is told by.")] = By.MONTH,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show what members had, why it became more or less, and what they have: a trial balance.

    Entries count in the days they were recorded on, in the programme's time zone, so a period that
    is over never changes.
    """
    now = utc_now()
    until = (last or now).date()
    since = first.date() if first else until.replace(day=1)

    async def work() -> PointsFlow:
        program_id = await chosen_program(program)
        return await points_flow.points_flow(program_id, since, until, by=by, now=now)

    found = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found, since, until)


def _as_json(found: PointsFlow) -> dict[str, Any]:
    return {
        "from": found.first,
        "to": found.last,
        "by": found.by,
        **_figures(found.whole),
        "parts": [
            {"part": one.part, **_figures(one.flow, is_whole=_has_balance(found))}
            for one in found.parts
        ],
    }


def _has_balance(found: PointsFlow) -> bool:
    return found.by in {By.DAY, By.MONTH}


def _figures(flow: Flow, *, is_whole: bool = True) -> dict[str, int]:
    columns = {column.lower(): flow.columns[column] for column in Column}
    if not is_whole:
        return {**columns, "change": flow.change}
    return {"opening": flow.opening, **columns, "closing": flow.closing}


def _print(found: PointsFlow, since: date, until: date) -> None:
    used = [column for column in Column if found.whole.columns[column] or _is_used(found, column)]
    ends = _has_balance(found)
    table = Table(box=None, pad_edge=False)
    table.add_column(found.by.lower())
    for name in ["opening", *(one.lower() for one in used), "closing"]:
        table.add_column(name, justify="right")
    for one in found.parts:
        _add(table, one.part or NO_PART, one.flow, used, ends=ends)
    _add(table, "all", found.whole, used, ends=True)
    console.print(f"Points from {since} to {until}, by when they were recorded:")
    _print_whole(table)


def _print_whole(table: Table) -> None:
    """Print a table as wide as it is: no figure and no name is cut, a terminal wraps lines."""
    unbounded = console.options.update(max_width=UNBOUNDED)
    table.width = console.measure(table, options=unbounded).maximum
    console.print(table)


def _is_used(found: PointsFlow, column: Column) -> bool:
    return any(one.flow.columns[column] for one in found.parts)


def _add(table: Table, name: str, flow: Flow, columns: list[Column], *, ends: bool) -> None:
    figures = [f"{flow.columns[column]:,}" for column in columns]
    opening, closing = (f"{flow.opening:,}", f"{flow.closing:,}") if ends else ("", "")
    table.add_row(name, opening, *figures, closing)
