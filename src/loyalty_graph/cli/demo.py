"""The demo command: replay, audit, issue passes, serve, and say what to open."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph import __version__
from loyalty_graph.cli.output import console, print_json, progress_bars, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, data_folder, load_settings
from loyalty_graph.db import open_database
from loyalty_graph.sandbox import demo as sandbox
from loyalty_graph.sandbox import emptying
from loyalty_graph.wallet.desk import open_desk

HOUSEHOLDS = 500
SEED = 1


def demo(  # noqa: PLR0913 - each is an option of the command
    *,
    once: Annotated[bool, typer.Option(help="Do not serve: print the report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    households: Annotated[
        int, typer.Option(min=1, help="Replay the first so many households.")
    ] = HOUSEHOLDS,
    everything: Annotated[bool, typer.Option("--all", help="Replay all 2,469 households.")] = False,
    database: Annotated[
        str | None, typer.Option(help="Where to: a database URL. Default: a SQLite file.")
    ] = None,
    today: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day the demo ends before.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses what is simulated, such as returns.")] = SEED,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve.")] = 8000,
    reset: Annotated[bool, typer.Option(help="Throw the demo's database away first.")] = False,
) -> None:
    """Replay a year of real baskets, audit the ledger, issue passes, and serve the API."""
    settings = load_settings()
    url = database or f"sqlite://{data_folder(settings).absolute() / 'demo.sqlite3'}"
    chosen = sandbox.Choice(
        today=today.date() if today else utc_now().date(),
        seed=seed,
        households=None if everything else households,
    )
    fixed = today is not None
    report = run(_prepare(settings, url, chosen, reset=reset, fixed=fixed, quiet=as_json))
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report)
    if not once:
        from loyalty_graph.cli.serving import serve_demo

        serve_demo(settings, url, port)


async def _prepare(
    settings: Settings,
    url: str,
    chosen: sandbox.Choice,
    *,
    reset: bool,
    fixed: bool,
    quiet: bool,
) -> sandbox.Report:
    """Return the report of the replay that was asked for, made now unless it is there already."""
    record = sandbox.Record.of(url, data_folder(settings))
    kept = None if reset else record.read()
    if kept is not None and _same(kept[0], chosen, fixed=fixed):
        return kept[1]
    if not quiet:
        console.print(f"[bold]Loyalty Graph {__version__}[/] · replaying a year of real baskets")
    record.forget()
    await emptying.empty(url)
    desk = open_desk(settings, now=utc_now())
    async with open_database(url):
        with progress_bars() as tell:
            report = await sandbox.prepare(chosen, desk, tell=tell)
    record.write(chosen, report)
    return report


def _same(kept: sandbox.Choice, chosen: sandbox.Choice, *, fixed: bool) -> bool:
    """Return whether a kept replay will do; without a fixed today an older one does."""
    today: date = chosen.today if fixed else kept.today
    return kept == sandbox.Choice(today, chosen.seed, chosen.households)


def _print_report(report: sandbox.Report) -> None:
    rows = (
        ("members", f"{report.members:,}"),
        ("purchases", f"{report.purchases:,} with {report.purchase_lines:,} lines"),
        ("points", f"{report.points_issued:,} issued"),
        ("", f"{report.points_redeemed:,} redeemed (simulated)"),
        ("", f"{report.points_expired:,} expired"),
        ("", f"{report.points_clawed_back:,} clawed back, {report.shortfall:,} forgiven"),
        ("", f"{report.points_outstanding:,} outstanding"),
        (
            "ledger",
            f"{report.ledger['transfers']:,} transfers, {report.ledger['differences']} differences",
        ),
        ("passes", f"{report.passes_issued:,} issued"),
    )
    for name, value in rows:
        console.print(f"  [dim]{name:<10}[/] {escape(value)}", highlight=False)
