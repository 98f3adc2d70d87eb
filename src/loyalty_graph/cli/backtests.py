"""`loyalty-graph program backtest`: what a programme file would have cost on real purchases."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from loyalty_graph.cli.options import DatabaseOption, JsonOption
from loyalty_graph.cli.output import (
    console,
    errors,
    in_database,
    near,
    print_json,
    print_named,
    progress_bars,
    run,
)
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import backtest as usecase
from loyalty_graph.usecases import program_file
from loyalty_graph.usecases.backtest_chart import draw
from loyalty_graph.usecases.backtest_report import Backtest, MemberChange, sorted_moves

app = typer.Typer()

RULES_SHOWN_PER_MEMBER = 3
POINTS_SHOWN = 1000
SECOND = timedelta(seconds=1)


@app.command()
def backtest(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A programme file (TOML).")],
    *,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day that is reported."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="The last day that is reported."),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw the months into this file.")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Replay the purchases there are under a programme file, without writing anything."""
    settings = load_settings()
    proposed = program_file.read(file, templates_dir=settings.templates_dir)

    async def work() -> Backtest:
        program_id = await programs.find(proposed.program.slug)
        with progress_bars() as tell:
            return await usecase.run(
                program_id,
                proposed,
                since=since.date() if since else None,
                until=until.date() if until else None,
                now=utc_now(),
                tell=tell,
            )

    report = run(in_database(database or settings.database_url, work))
    if chart is not None:
        try:
            chart.write_text(draw(report, title=proposed.program.name), encoding="utf-8")
        except OSError as error:
            raise InvalidInputError(f"{chart} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json(report.to_json())
        return
    _print(report, name=proposed.program.name)
    if chart is not None:
        errors.print(f"  The chart is in {escape(str(near(chart)))}.")


def _print(report: Backtest, *, name: str) -> None:
    console.print(f"[bold]{escape(name)}[/], {_span(report)}: nothing was written.")
    console.print()
    if not report.purchases:
        console.print("  No purchases in this time.")
        return
    console.print(_rules(report))
    console.print()
    console.print(_months(report))
    console.print()
    print_named("purchases", f"{report.purchases:,}, refunds {report.refunds:,}")
    if report.refused:
        print_named("refused", f"{report.refused:,} purchases that this file does not take")
    print_named("points", _pair(report, report.points_before, report.points_after))
    print_named("taken back", _pair(report, report.taken_back_before, report.taken_back_after))
    print_named("liability", _pair(report, report.liability_before, report.liability_after))
    print_named(
        "members",
        f"{report.gaining:,} gain, {report.losing:,} lose, {report.unchanged:,} stay the same",
    )
    for (before, after), members in sorted_moves(report.tier_moves.items()):
        print_named("tier", f"{before or 'none'} → {after or 'none'}: {members:,} members")
    if report.cost is None:
        console.print(
            "  [dim]No cost: neither the file nor a reward says what a point is worth.[/]"
        )
    else:
        worth = _money(report, report.cost.of(POINTS_SHOWN))
        console.print(f"  [dim]{POINTS_SHOWN:,} points cost {worth} ({report.cost.source}).[/]")
    if report.most_changed:
        console.print()
        console.print(_members(report))


def _span(report: Backtest) -> str:
    begins = f"from {report.since.date()}" if report.since else "from the beginning"
    return f"{begins} to {(report.until - SECOND).date() if report.until else 'now'}"


def _pair(report: Backtest, before: int, after: int) -> str:
    text = f"{before:,} → {after:,} ({after - before:+,})"
    cost = report.cost_minor(after - before)
    return text if cost is None else f"{text}, {'+' if cost > 0 else ''}{_money(report, cost)}"


def _money(report: Backtest, minor: int) -> str:
    return f"{Money(minor, report.currency).to_text()} {report.currency}"


def _rules(report: Backtest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Rule")
    for column in ("Purchases", "Points", "Left out"):
        table.add_column(column, justify="right", no_wrap=True)
    if report.cost is not None:
        table.add_column(f"Cost ({report.currency})", justify="right")
    for rule in sorted(report.rules.values(), key=lambda one: -one.points):
        cost = report.cost_minor(rule.points)
        cells = [f"{rule.purchases:,}", f"{rule.points:,}", _left_out(rule.wanted - rule.points)]
        money = [] if cost is None else [Money(cost, report.currency).to_text()]
        table.add_row(escape(rule.name), *cells, *money)
    return table


def _months(report: Backtest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Month")
    for column in ("Before", "After", "Change"):
        table.add_column(column, justify="right")
    for month, (before, after) in sorted(report.months.items()):
        table.add_row(month, f"{before:,}", f"{after:,}", f"{after - before:+,}")
    return table


def _left_out(points: int) -> str:
    return f"{points:,}" if points else ""


def _members(report: Backtest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("Most changed")
    for column in ("Before", "After", "Change"):
        table.add_column(column, justify="right")
    table.add_column("By")
    for one in report.most_changed:
        table.add_row(
            one.number,
            f"{one.points_before:,}",
            f"{one.points_after:,}",
            f"{one.difference:+,}",
            escape(_why(one, report)),
        )
    return table


def _why(change: MemberChange, report: Backtest) -> str:
    largest = sorted(change.reasons.items(), key=lambda one: -abs(one[1]))[:RULES_SHOWN_PER_MEMBER]
    told = [f"{report.names[code]} {points:+,}" for code, points in largest]
    if change.tier_before != change.tier_after:
        told.append(f"{change.tier_before or 'no tier'} → {change.tier_after or 'no tier'}")
    return ", ".join(told)
