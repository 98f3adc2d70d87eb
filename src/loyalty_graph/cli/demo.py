"""The demo command: replay, audit, issue passes, serve, and say what to open."""

import json
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from loyalty_graph.cli.output import (
    NAME_WIDTH,
    command_line,
    console,
    errors,
    print_json,
    print_named,
    progress_bars,
    run,
    shown_url,
)
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, data_folder, load_settings
from loyalty_graph.identity.rules import TOKEN_RANDOM_BYTES
from loyalty_graph.sandbox import demo as sandbox
from loyalty_graph.sandbox import emptying
from loyalty_graph.sandbox.presets import USUAL
from loyalty_graph.sandbox.records import Choice, Finished, Record, Report
from loyalty_graph.wallet.desk import PassDesk, open_desk

app = typer.Typer()

HOUSEHOLDS = 500
SEED = 1
FILE = "card.pkpass"
USUAL_AMOUNT = "84.20"
ASKED = "firstName wallet { available expirations { points expiresAt } }"


OnceOption = Annotated[bool, typer.Option("--once", help="Print the report, and do not serve.")]
ReportOption = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
HouseholdsOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Replay the first N households.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Replay all 2,469 households.")]
WhereOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The database. (default: SQLite in the data folder)"),
]
TodayOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="DATE",
        help="The year ends on the Sunday before. (default: today)",
    ),
]
SeedOption = Annotated[
    int, typer.Option(metavar="N", help="Chooses what is simulated, such as returns.")
]
PortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, metavar="PORT", help="Where to serve. (default: 8000)"),
]
PresetOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The programme they shop under; `program presets` lists them."
    ),
]
ResetOption = Annotated[bool, typer.Option("--reset", help="Replay again from an empty start.")]


@app.command()
def demo(  # noqa: PLR0913 - each is an option of the command
    *,
    preset: PresetOption = USUAL,
    once: OnceOption = False,
    as_json: ReportOption = False,
    households: HouseholdsOption = HOUSEHOLDS,
    everything: AllOption = False,
    database: WhereOption = None,
    today: TodayOption = None,
    seed: SeedOption = SEED,
    port: PortOption = None,
    reset: ResetOption = False,
) -> None:
    """Replay a year of real baskets, audit the ledger, issue passes, and serve the API.

    The replay is kept: the next start opens it.
    """
    settings = load_settings()
    url = database or f"sqlite://{data_folder(settings).absolute() / _file(preset)}"
    settings = settings.model_copy(update={"database_url": url})
    choice = Choice(
        today=today.date() if today else utc_now().date(),
        seed=seed,
        households=None if everything else households,
        preset=preset,
    )
    sandbox.check(choice)
    say = errors if as_json else console
    finished = run(
        _prepare(settings, choice, fixed=today is not None, reset=reset, say=say),
        stopped="Stopped; the next start replays from the beginning.",
    )
    if as_json:
        print_json(asdict(finished.report))
    else:
        _print_report(finished)
    if not once:
        chosen = settings.port if port is None else port
        _serve(settings, finished.choice.preset, chosen, say=say)


async def _prepare(
    settings: Settings, choice: Choice, *, fixed: bool, reset: bool, say: Console
) -> Finished:
    """Return the replay that was asked for, made now unless it is there already."""
    from loyalty_graph.cli.demo_fakes import following
    from loyalty_graph.cli.serving import print_header, print_sign_in

    url, slug = settings.database_url, sandbox.settings_of(choice.preset).slug
    record = Record.of(url, data_folder(settings))
    desk = open_desk(settings, now=utc_now())
    print_header(url, desk, to=say)
    print_sign_in(settings, to=say)
    kept = None if reset else record.read()
    if kept and kept.choice.will_do(choice, fixed=fixed) and await kept.is_in(url, slug=slug):
        print_named("Demo", f"{_described(kept.choice)}; opened", to=say)
        note = f"made on {kept.made_at:%Y-%m-%d at %H:%M} UTC; --reset makes it again"
        say.print(f"  {'':<11} [dim]{note}[/]")
        return kept
    print_named("Demo", _described(choice), to=say)
    await emptying.empty(url, slug=slug)
    async with following(settings, record.wallets) as found:
        with progress_bars() as tell:
            finished = await sandbox.prepare(choice, found, tell=tell, made_at=utc_now())
    record.write(finished)
    return finished


def _described(choice: Choice) -> str:
    who = "all households" if choice.households is None else f"{choice.households:,} households"
    under = "" if choice.preset == USUAL else f" under {choice.preset}"
    return f"a year of real baskets of {who}{under}, up to {choice.today}"


def _file(preset: str) -> str:
    """Return the name of the file in which a demo is kept, unless one is named."""
    return "demo.sqlite3" if preset == USUAL else f"demo-{preset}.sqlite3"


def _print_report(finished: Finished) -> None:
    report = finished.report
    rows = (
        ("members", report.members, "simulated: some households take a second card"),
        ("purchases", report.purchases, f"with {report.purchase_lines:,} lines"),
        ("  late", report.late_receipts, "simulated: 1 % of baskets, recorded three days late"),
        ("refunds", report.refunds, "simulated: 1 % of baskets, a week later"),
        ("rewards", report.rewards_redeemed, "simulated: redeemed and not undone"),
        ("  on vouchers", report.vouchers_outstanding, "cents that can still be spent"),
        ("subscriptions", report.subscriptions, "simulated: paid by cards of the sandbox"),
        *((f"tier {code.lower()}", held, "members") for code, held in report.tiers.items()),
        ("holds", report.holds, "simulated: points set aside for some days"),
        ("merges", report.merges, "simulated: second cards that were joined to the first"),
        ("points issued", report.points_issued, ""),
        ("  migrated", report.points_migrated, "simulated: brought along from paper cards"),
        ("  redeemed", report.points_redeemed, ""),
        ("  expired", report.points_expired, _expiry(finished.choice.preset)),
        ("  clawed back", report.points_clawed_back, f"and {report.shortfall:,} forgiven"),
        ("  fees", report.fees, f"for {report.points_transferred:,} points given to others"),
        ("  outstanding", report.points_outstanding, "issued and migrated less the four above"),
        (
            "ledger",
            report.ledger["transfers"],
            f"transfers, {report.ledger['differences']} differences",
        ),
        ("cards", report.passes_issued, "in phones, and as many at Google"),
        ("  followed", sum(report.passes_updated.values()), _followed(report)),
        ("  stale", report.stale_cards, "show another balance than the ledger"),
    )
    console.print()
    for name, number, note in rows:
        console.print(f"  {name:<14} [bold]{number:>11,}[/]  [dim]{note}[/]".rstrip())
    took = ", ".join(f"{phase} {time:,.1f} s" for phase, time in report.seconds.items())
    console.print(f"  [dim]{took}[/]")


def _expiry(preset: str) -> str:
    months = sandbox.settings_of(preset).points.lives.months
    return f"after {months} months" if months else "they never do"


def _followed(report: Report) -> str:
    each = report.passes_updated
    return f"the last two days: {each['apple']:,} by push, {each['google']:,} at Google"


def _serve(settings: Settings, preset: str, port: int, *, say: Console) -> None:
    """Serve the demo's database beside the fakes; say what to open and what to try."""
    from loyalty_graph.cli.demo_fakes import beside
    from loyalty_graph.cli.listening import address_of, listen
    from loyalty_graph.cli.serving import run_server

    listener = listen(settings.host, port, say=say)
    slug = sandbox.settings_of(preset).slug

    async def announce(desk: PassDesk) -> None:
        randomness = secrets.token_bytes(TOKEN_RANDOM_BYTES)
        access = await sandbox.open_access(slug, desk, randomness=randomness, now=utc_now())
        _print_access(settings, address_of(listener), access, say=say)

    kept = Record.of(settings.database_url, data_folder(settings)).wallets
    run_server(settings, listener, announce, say=say, beside=lambda led: beside(led, kept))


def _print_access(
    settings: Settings, address: str, access: sandbox.Access, *, say: Console
) -> None:
    say.print()
    for place, (one, page) in enumerate(access.pages):
        print_named("" if place else "Cards", page, to=say)
        _print_note(f"{one.member}: {one.why}", to=say)
    print_named("GraphiQL", f"{address}/graphql", to=say)
    _print_note("stories to try; give it the token", to=say)
    print_named("Token", access.token, to=say)
    _print_note("may do everything in this demo; the next start makes a new one", to=say)
    say.print()
    say.print("  [dim]In a second terminal:[/]")
    for what, command in _steps(settings, address, access):
        say.print()
        say.print(f"  [dim]# {escape(what)}[/]")
        say.print(f"  {command}", markup=False)
    say.print()
    say.print("  [dim]Ctrl-C stops.[/]")


def _print_note(text: str, *, to: Console) -> None:
    to.print(f"  {'':<{NAME_WIDTH}} [dim]{escape(text)}[/]")


def _steps(settings: Settings, address: str, access: sandbox.Access) -> Iterator[tuple[str, str]]:
    """Yield what can be tried while the demo is served, and the command that does it."""
    first, database = access.pages[0][0], ("--database", shown_url(settings.database_url))
    amount = first.lifted_by or USUAL_AMOUNT
    lifts = ", to the next tier" if first.lifted_by else ""
    query = f'{{ member(ref: {{externalId: "{first.member}"}}) {{ {ASKED} }} }}'
    ask = [
        *("curl", "-s", f"{address}/graphql"),
        *("-H", f"authorization: Bearer {access.token}"),
        *("-H", "content-type: application/json"),
        *("-d", json.dumps({"query": query})),
    ]
    yield (
        f"a simulated iPhone adds the card of {first.member}",
        command_line("device", "add", access.pass_link),
    )
    yield (
        f"{first.member} buys; the open card page changes{lifts}",
        command_line("purchase", first.member, amount, *database),
    )
    yield "the phone fetches what has changed", command_line("device", "poll")
    yield (
        "a token that makes an app this member, for an hour",
        command_line("token", "member", first.member, *database),
    )
    yield "what the member has, asked by a partner", shlex.join(ask)
    yield (
        "the pass, signed for the points of that moment",
        f"curl -so {FILE} {access.pass_link}",
    )
    yield (
        "what the pass says, and whether its signature holds",
        f"{command_line('pass', 'show', FILE)} && {command_line('pass', 'verify', FILE)}",
    )
    yield (
        "every sum, lot and hash worked out again",
        command_line("ledger", "verify", *database),
    )
