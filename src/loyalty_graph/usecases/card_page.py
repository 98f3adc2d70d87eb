"""What the card page tells a member: the card, the points, when they expire, and why they moved."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.ledger.kinds import Forgiveness, Kind, meaning
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.members import reads as members
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases import card_standing, entitlements, reward_offers, used_lots
from loyalty_graph.usecases.card_standing import PaidPlan, Perk, Progress, Reachable, last_day
from loyalty_graph.usecases.explanations import Explanation, explain_entry
from loyalty_graph.usecases.writing import writing_of
from loyalty_graph.wallet import links
from loyalty_graph.wallet import reads as passes
from loyalty_graph.wallet import service as wallet
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.locales import Script
from loyalty_graph.wallet.service import Platform

ENTRIES_SHOWN = 10
DATES_SHOWN = 6
STATE_CHARACTERS = 16
SHOWN_STATUSES = {MemberStatus.ACTIVE, MemberStatus.SUSPENDED}


@dataclass(frozen=True, slots=True)
class Change:
    """One entry as its member reads it; `why` is None after an erasure."""

    kind: Kind | Forgiveness
    points: int
    day: date
    why: Explanation | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Points that expire together; they can be spent through `last_day`."""

    points: int
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPage:
    """Everything the page shows. `later_points` expire after the dates that are listed.

    `state` is a short text that differs whenever the page would. `held_in` are the wallets that
    have the card.
    """

    state: str
    face: CardFace
    script: Script
    suspended: bool
    debt_points: int
    endings: Sequence[Ending]
    later_points: int
    changes: Sequence[Change]
    progress: Progress | None
    perks: Sequence[Perk]
    paid_plan: PaidPlan | None
    rewards: Sequence[Reachable]
    held_in: frozenset[Platform]


class Watched(NamedTuple):
    """What an open page watches: a link, and what its member's card shows."""

    program_id: UUID
    member_id: UUID
    link_id: UUID


async def read(token: str, *, now: datetime) -> CardPage:
    """Return what the page behind a link's token shows at `now`.

    Raises:
        NotFoundError: The link was never made, or is revoked, or the member has left.
    """
    # Read first: when points move meanwhile, the page is taken for older, and read again.
    watched, state = await _found(token, now=now)
    program_id, member_id, _ = watched
    version = await programs.in_force(program_id, now, now=now)
    face = (await wallet.faces(program_id, [member_id], now=now))[member_id]
    balance = (await ledger.balances(program_id, [member_id], now=now))[member_id]
    expirations = (await ledger.expirations(program_id, [member_id], now=now))[member_id]
    newest = await ledger.newest_entries(program_id, [member_id], limit=ENTRIES_SHOWN)
    known = (await members.members(program_id, [member_id]))[member_id]
    script = Script(face.locale)
    return CardPage(
        state=state,
        face=face,
        script=script,
        suspended=known.status == MemberStatus.SUSPENDED,
        debt_points=max(0, -balance.balance),
        endings=[
            Ending(one.points, last_day(one.expires_at, version.settings))
            for one in expirations[:DATES_SHOWN]
        ],
        later_points=sum(one.points for one in expirations[DATES_SHOWN:]),
        changes=await _changes(program_id, newest[member_id], version.settings, face.locale),
        progress=await card_standing.progress(program_id, member_id, script=script, now=now),
        perks=await card_standing.perks(program_id, member_id, now=now),
        paid_plan=await card_standing.paid_plan(program_id, member_id, script=script, now=now),
        rewards=await card_standing.rewards(program_id, member_id, now=now),
        held_in=(await passes.held(program_id, [member_id]))[member_id],
    )


async def find(token: str, *, now: datetime) -> Watched:
    """Return what the page of a link's token watches.

    Raises:
        NotFoundError: The link was never made, or is revoked, or the member has left.
    """
    watched, _ = await _found(token, now=now)
    return watched


async def _found(token: str, *, now: datetime) -> tuple[Watched, str]:
    link = await links.find(token)
    watched = Watched(link.program_id, link.member_id, link.id)
    found = await states([watched], now=now)
    if watched not in found:
        raise NotFoundError("card", "behind this link")
    return watched, found[watched]


async def states(pages: Collection[Watched], *, now: datetime) -> Mapping[Watched, str]:
    """Return the state of each of these pages, by a few statements for each programme.

    Those whose link is revoked or whose member has left are absent.
    """
    found: dict[Watched, str] = {}
    for program_id in {page.program_id for page in pages}:
        wanted = [page for page in pages if page.program_id == program_id]
        found.update(await _states(program_id, wanted, now=now))
    return found


async def _states(
    program_id: UUID, pages: Sequence[Watched], *, now: datetime
) -> dict[Watched, str]:
    ids = list({page.member_id for page in pages})
    working = await links.links(program_id, [(page.member_id, page.link_id) for page in pages])
    known = await members.members(program_id, ids)
    balances = await ledger.balances(program_id, ids, now=now)
    standings = await tiers.statuses(program_id, ids, now=now)
    plans = await subscriptions.newest(program_id, ids, now=now)
    usable = await entitlements.entitlements(program_id, ids, now=now)
    offers = await reward_offers.offers(program_id, ids, now=now)
    held = await passes.held(program_id, ids)
    version = await programs.in_force(program_id, now, now=now)
    found = {}
    for page in pages:
        link = working.get((page.member_id, page.link_id))
        if link is None or link.revoked_at or known[page.member_id].status not in SHOWN_STATUSES:
            continue
        balance, standing = balances[page.member_id], standings.get(page.member_id)
        plan = plans.get(page.member_id)
        seen = (
            (version.number, known[page.member_id].status, balance.sequence, balance.available),
            (standing.tier, standing.value) if standing else (),
            plan.state if plan else (),
            [(one.offer.points_short, one.offer.obstacles) for one in offers[page.member_id]],
            [(one.benefit.code, one.used) for one in usable[page.member_id]],
            sorted(held[page.member_id]),
        )
        found[page] = hashlib.sha256(repr(seen).encode()).hexdigest()[:STATE_CHARACTERS]
    return found


async def _changes(
    program_id: UUID, entries: Sequence[Entry], settings: ProgramSettings, locale: str
) -> list[Change]:
    writing, used = writing_of(locale), await used_lots.used(program_id, entries)
    return [
        Change(
            kind=meaning(entry.kind, entry.debit, entry.credit),
            points=entry.points,
            day=entry.at.astimezone(settings.zone).date(),
            why=explain_entry(entry, settings, writing, one),
        )
        for entry, one in zip(entries, used, strict=True)
    ]
