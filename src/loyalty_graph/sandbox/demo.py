"""The demo: a year of baskets replayed, audited and reported, and the access to try it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from time import perf_counter
from uuid import UUID

from loyalty_graph.config import bundled
from loyalty_graph.db import connection, migrate
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import Scope, TokenMode
from loyalty_graph.ledger import reads as ledger_reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.ledger.rules import Kind
from loyalty_graph.members import reads as members
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.sandbox.baskets import instant_of, load_baskets
from loyalty_graph.sandbox.records import Choice, Finished, Report
from loyalty_graph.sandbox.replay import Replay
from loyalty_graph.tiers import reads as tier_reads
from loyalty_graph.usecases import program_file, proof
from loyalty_graph.wallet import service as wallet
from loyalty_graph.wallet.desk import PassDesk

BASKETS = "presets/demo/complete-journey.txt.xz"
PROGRAM = "presets/corner-grocer.toml"
PASSES_AT_ONCE = 100
TILL, TOKEN = "Demo till", "demo"
# Pass signatures tell the years 1950 to 2049; the points of a year before 1970 are nobody's wish.
TODAY_MIN, TODAY_MAX = date(1971, 1, 1), date(2049, 12, 31)

Tell = Callable[[str, int, int], None]
"""Told of progress: the phase, how much is done, how much there is."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a visitor needs to try the demo: a token, a member, and the link of his card."""

    token: str = field(repr=False)
    member_number: str
    card: str = field(repr=False)


def slug() -> str:
    """Return the slug of the demo's programme."""
    return program_file.read(bundled(PROGRAM)).program.slug


def check(choice: Choice) -> None:
    """Refuse what cannot be replayed.

    Raises:
        InvalidInputError: Today is not within the years that cards and points are made for.
    """
    if not TODAY_MIN <= choice.today <= TODAY_MAX:
        raise InvalidInputError(f"A demo ends between {TODAY_MIN} and {TODAY_MAX}.", field="today")


async def prepare(choice: Choice, desk: PassDesk, *, tell: Tell, made_at: datetime) -> Finished:
    """Migrate the open database, load the programme, replay, audit, issue passes; report."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "migrate"):
        await migrate()
    file = program_file.read(bundled(PROGRAM))
    zone = file.program.zone
    baskets = load_baskets(bundled(BASKETS), households=choice.households)
    baskets = baskets.ending_before(choice.today)
    opening = instant_of(baskets.first_date, 0, zone)
    sandbox = file.model_copy(update={"program": file.program.as_sandbox()})
    program = await program_file.load(sandbox, now=opening)
    replay = Replay(program.program_id, baskets, zone, choice.seed)
    with _timed(seconds, "replay"):
        await replay.run(choice.today, progress=lambda done: tell("replay", done, len(baskets)))
    now = instant_of(choice.today, 0, zone)
    with _timed(seconds, "verify"):
        audit = await proof.verify(
            program.program_id,
            now=now,
            progress=lambda done: tell("verify", done, baskets.households),
        )
    with _timed(seconds, "passes"):
        passes = await _issue_passes(program.program_id, desk, now=now, tell=tell)
    tiers = await _tiers(program.program_id, now=now)
    report = await _report(program.program_id, audit, passes, tiers, seconds)
    return Finished(choice, report, program.program_id, made_at)


async def open_access(desk: PassDesk, *, randomness: bytes, now: datetime) -> Access:
    """Give out what a visitor needs to try the open demo; tokens of earlier starts stop working.

    Args:
        desk: Makes the card's link.
        randomness: 32 unpredictable bytes, for the token.
        now: The moment of the start.
    """
    program_id = await programs.find(slug())
    till = await identity.partner_named(program_id, TILL, now=now)
    for token in await identity.list_tokens(program_id):
        if token.partner_id == till.id and token.name == TOKEN and token.revoked_at is None:
            await identity.revoke_token(program_id, token.id, now=now)
    made = await identity.create_token(
        program_id,
        till.id,
        name=TOKEN,
        scopes=[Scope.ADMIN],
        mode=TokenMode.TEST,
        randomness=randomness,
        now=now,
    )
    [member] = await members.page(program_id, first=1, after=None)
    card = await desk.issue(program_id, member.id, now=now)
    return Access(token=made.text, member_number=member.number, card=card)


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[phase] = round(perf_counter() - start, 3)


async def _issue_passes(program_id: UUID, desk: PassDesk, *, now: datetime, tell: Tell) -> int:
    """Give every member a pass and sign it once; return how many there are."""
    total, done, after = await members.count(program_id), 0, None
    while page := await members.page(program_id, first=PASSES_AT_ONCE, after=after):
        ids = [member.id for member in page]
        serials = await wallet.issue(program_id, ids, now=now)
        done += len(await desk.files(program_id, serials, now=now))
        after = ids[-1]
        tell("passes", done, total)
    return done


async def _tiers(program_id: UUID, *, now: datetime) -> dict[str, int]:
    """Return how many members each tier has, the lowest first."""
    settings, after = await tier_reads.settings(program_id, now=now), None
    assert settings is not None, "the demo's programme has tiers"
    counts = dict.fromkeys((level.code for level in settings.levels), 0)
    while page := await members.page(program_id, first=PASSES_AT_ONCE, after=after):
        ids = [member.id for member in page]
        for tier in (await tier_reads.tiers_of(program_id, ids, now=now)).values():
            counts[tier] += 1
        after = ids[-1]
    return counts


async def _report(
    program_id: UUID,
    audit: Audit,
    passes: int,
    tiers: dict[str, int],
    seconds: dict[str, float],
) -> Report:
    totals = await ledger.totals(program_id)
    rows = await purchases.counts(program_id)
    forgiven = totals.get((Kind.FORGIVE, True), 0) - totals.get((Kind.RECLAIM, False), 0)
    returned = totals.get((Kind.UNREDEEM, True), 0)
    return Report(
        members=audit.accounts,
        purchases=rows.purchases,
        purchase_lines=rows.lines,
        points_issued=totals.get((Kind.EARN, True), 0),
        points_redeemed=totals.get((Kind.REDEEM, False), 0) - returned,
        points_expired=totals.get((Kind.EXPIRE, False), 0),
        points_clawed_back=totals.get((Kind.REVERSE, False), 0) - forgiven,
        points_outstanding=await ledger_reads.outstanding(program_id),
        shortfall=forgiven,
        refunds=rows.refunds,
        redemptions=await ledger.count(program_id, Kind.REDEEM),
        passes_issued=passes,
        tiers=tiers,
        ledger={
            "accounts": audit.accounts,
            "transfers": audit.transfers,
            "differences": len(audit.findings),
        },
        seconds=seconds,
        database=_database(),
    )


def _database() -> str:
    return "PostgreSQL" if connection().capabilities.dialect == "postgres" else "SQLite"
