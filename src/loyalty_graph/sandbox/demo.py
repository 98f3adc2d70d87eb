"""The demo: a year of baskets replayed, audited and reported, and the access to try it.

Members have their cards in phones and at Google before the last days are replayed, so that there
is something to follow.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from time import perf_counter
from uuid import UUID

from loyalty_graph.config import bundled
from loyalty_graph.db import connection, migrate
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.identifiers import new_id
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import Scope, TokenMode
from loyalty_graph.ledger import holds, transfers
from loyalty_graph.ledger import reads as ledger_reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.members import merges
from loyalty_graph.members import reads as members
from loyalty_graph.members import service as member_service
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.rewards import reads as rewards
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.sandbox.baskets import instant_of, load_baskets
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.presets import USUAL, open_preset, preset_file
from loyalty_graph.sandbox.records import Choice, Finished, Report
from loyalty_graph.sandbox.redeeming import CALLER
from loyalty_graph.sandbox.replay import Replay
from loyalty_graph.sandbox.subscribing import SUBSCRIBES_ONE_IN
from loyalty_graph.sandbox.survey import Highlight, survey
from loyalty_graph.sandbox.wallets import Wallets
from loyalty_graph.usecases import card_links, program_file, proof
from loyalty_graph.wallet import latency, links
from loyalty_graph.wallet.desk import PassDesk

BASKETS = "presets/demo/complete-journey.txt.xz"
PASSES_AT_ONCE = 100
EAGER_ONE_IN = 50
LAST_DAYS = timedelta(days=2)
TILL, TOKEN = "Demo till", "demo"
# Pass signatures tell the years 1950 to 2049; the points of a year before 1970 are nobody's wish.
TODAY_MIN, TODAY_MAX = date(1971, 1, 1), date(2049, 12, 31)

Tell = Callable[[str, int, int], None]
"""Told of progress: the phase, how much is done, how much there is."""


@dataclass(frozen=True, slots=True)
class Following:
    """What makes cards follow.

    Attributes:
        desk: Hands out the cards.
        wallets: Where the cards are.
        number: Numbers what has happened until now, and brings it to no card.
        delivering: While it is open, changes are brought to the cards.
    """

    desk: PassDesk
    wallets: Wallets
    number: Callable[[], Awaitable[None]]
    delivering: Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Access:
    """What a visitor needs to try the demo: a token, card pages, and the link of a pass.

    The pass is that of the first page's member.
    """

    token: str = field(repr=False)
    pages: Sequence[tuple[Highlight, str]] = field(repr=False)
    pass_link: str = field(repr=False)


def settings_of(preset: str) -> ProgramSettings:
    """Return the settings of the programme that a demo replays.

    Raises:
        NotFoundError: There is no such preset.
    """
    return program_file.read(preset_file(preset)).program


def check(choice: Choice) -> None:
    """Refuse what cannot be replayed.

    Raises:
        InvalidInputError: Today is not within the years that cards and points are made for.
    """
    if not TODAY_MIN <= choice.today <= TODAY_MAX:
        raise InvalidInputError(f"A demo ends between {TODAY_MIN} and {TODAY_MAX}.", field="today")


async def prepare(
    choice: Choice, following: Following, *, tell: Tell, made_at: datetime
) -> Finished:
    """Load the programme into the open database, replay, hand out cards, audit; report."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "migrate"):
        await migrate()
    file = program_file.read(preset_file(choice.preset))
    zone = file.program.zone
    known = load_baskets(bundled(BASKETS), households=choice.households)
    baskets = known.ending_before(choice.today)
    opening = instant_of(baskets.first_date, 0, zone)
    program = await open_preset(choice.preset, now=opening)
    chance, codes = Chance(choice.seed), Codes(following.desk.link_key)
    # Where there is nothing to rise to by shopping, the paid membership is what people join for.
    often = SUBSCRIBES_ONE_IN if file.tiers else EAGER_ONE_IN
    replay = Replay(
        program.program_id,
        baskets,
        zone,
        chance,
        codes,
        subscribes_one_in=often,
        uses_benefits=choice.preset != USUAL,
    )

    async def replay_until(day: date) -> None:
        await replay.run(day, progress=lambda done: tell("replay", done, len(baskets)))

    with _timed(seconds, "replay"):
        await replay_until(baskets.last_date + timedelta(days=1) - LAST_DAYS)
    with _timed(seconds, "passes"):
        await following.number()
        await _hand_out(program.program_id, following, tell=tell)
    with _timed(seconds, "last days"):
        await replay_until(choice.today)
        await _follow(program.program_id, following, tell=tell)
    now = instant_of(choice.today, 0, zone)
    with _timed(seconds, "verify"):
        audit = await proof.verify(
            program.program_id,
            now=now,
            progress=lambda done: tell("verify", done, baskets.households),
        )
    report = await _report(program, audit, following, replay, seconds, now=now)
    # The books are sums of entries, what is outstanding is the sum of accounts.
    assert report.points_unaccounted == 0, "every point came in once and is somewhere"
    return Finished(choice, report, program.program_id, made_at)


async def open_access(slug: str, desk: PassDesk, *, randomness: bytes, now: datetime) -> Access:
    """Give out what a visitor needs to try the open demo; tokens of earlier starts stop working.

    Args:
        slug: Of the demo's programme.
        desk: Makes and tells the links; a member's first one is told again as long as it works.
        randomness: 32 unpredictable bytes, for the token.
        now: The moment of the start.
    """
    program_id = await programs.find(slug)
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
    highlights = await _highlights(program_id, now=now)
    pages = [(one, await _page_of(program_id, desk, one, now=now)) for one in highlights]
    first = await member_service.find(program_id, _reference(highlights[0]))
    pass_link = await desk.issue(program_id, first.id, now=now)
    return Access(made.text, pages, pass_link)


async def _highlights(program_id: UUID, *, now: datetime) -> tuple[Highlight, ...]:
    """Look again at each start: what was bought since the replay counts, too."""
    version = await programs.in_force(program_id, now, now=now)
    found = await survey(program_id, version.settings, now=now)
    return found.highlights()


def _reference(one: Highlight) -> Reference:
    return Reference(ReferenceKind.EXTERNAL_ID, one.member)


async def _page_of(program_id: UUID, desk: PassDesk, one: Highlight, *, now: datetime) -> str:
    """Return the address of a member's card page: of a link that works, or of a new one."""
    member = await member_service.find(program_id, _reference(one))
    working = (await links.working(program_id, [member.id]))[member.id]
    if (known := next(filter(None, map(desk.card_url, working)), None)) is not None:
        return known
    command = card_links.CreateCardLink(CALLER, f"card-{new_id(now)}", _reference(one))
    made = await card_links.create(program_id, command, key=desk.link_key, now=now)
    return f"{desk.public_url}/c/{links.token_of(program_id, made.link_id, key=desk.link_key)}"


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[phase] = round(perf_counter() - start, 3)


async def _member_ids(program_id: UUID) -> AsyncIterator[list[UUID]]:
    """Yield the ids of all members who live as themselves, some at once."""
    after = None
    while page := await members.page(program_id, first=PASSES_AT_ONCE, after=after):
        yield [member.id for member in page if member.status != MemberStatus.MERGED]
        after = page[-1].id


async def _hand_out(program_id: UUID, following: Following, *, tell: Tell) -> None:
    """Give every member without cards a card in a phone and one at Google."""
    wallets = following.wallets
    total = await members.count(program_id) - await merges.count(program_id)
    known = {one.member_id for one in wallets.holders}
    async for ids in _member_ids(program_id):
        if new := [member_id for member_id in ids if member_id not in known]:
            await wallets.hand_out(following.desk, program_id, new)
            tell("passes", len(wallets.holders), total)


async def _follow(program_id: UUID, following: Following, *, tell: Tell) -> None:
    """Bring what the last days have changed to the cards, then give cards to who joined in them."""
    async with following.delivering():
        await following.wallets.settle()
        await _hand_out(program_id, following, tell=tell)
        await following.wallets.settle()
    # The replay has its own time: how long its changes took says nothing.
    await latency.forget(program_id)


async def _report(
    program: programs.Version,
    audit: Audit,
    following: Following,
    replay: Replay,
    seconds: dict[str, float],
    *,
    now: datetime,
) -> Report:
    program_id, wallets = program.program_id, following.wallets
    look = following.desk.printers[program.settings.branding.template].template.look
    found = await survey(program_id, program.settings, now=now)
    net = await ledger.net_of_books(program_id)
    rows = await purchases.counts(program_id)
    cards = [one.member_id for one in wallets.holders]
    return Report(
        members=audit.accounts,
        purchases=rows.purchases,
        purchase_lines=rows.lines,
        points_issued=-net[Book.ISSUED] - net[Book.ADJUSTED],
        points_migrated=-net[Book.MIGRATED],
        points_redeemed=net[Book.REDEEMED],
        points_expired=net[Book.EXPIRED],
        points_clawed_back=net[Book.CLAWED_BACK] + net[Book.CANCELLED] + net[Book.FORGIVEN],
        fees=net[Book.FEES],
        points_outstanding=await ledger_reads.outstanding(program_id),
        points_transferred=await transfers.received(program_id),
        shortfall=-net[Book.FORGIVEN],
        late_receipts=replay.late_receipts,
        refunds=rows.refunds,
        redemptions=await ledger.count(program_id, Kind.REDEEM)
        + await ledger.count(program_id, Kind.CAPTURE),
        rewards_redeemed=await rewards.given(program_id),
        holds=await holds.count(program_id),
        merges=await merges.count(program_id),
        vouchers_outstanding=await rewards.vouchers_outstanding(program_id, now=now),
        subscriptions=found.subscriptions,
        passes_issued=len(cards),
        passes_updated=wallets.updated(),
        stale_cards=await wallets.stale(program_id, cards, stamps=look.stamps),
        tiers=found.tiers,
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
