"""The passes that were issued, many members at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Lookup, fetch
from loyalty_graph.db.statements import read
from loyalty_graph.outbox import CardMark
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.models import PassRow as Card
from loyalty_graph.wallet.rules import Freshness, PassState, copies, freshness, pass_state
from loyalty_graph.wallet.service import Platform

__all__ = [
    "Card",
    "Key",
    "Standing",
    "held",
    "passes",
    "passes_by_key",
    "stale_cards",
    "standings",
]

Key = tuple[UUID, str]
"""(member id, serial)"""
STALE = """
select count(*) from pass p where p.program_id = $1
and (p.update_tag > coalesce(p.delivered_tag, 0) or exists (select 1 from card_mark m
  where m.program_id = p.program_id and m.member_id = p.member_id))
and case p.platform when 'APPLE' then exists (select 1 from apple_registration r
  where r.program_id = p.program_id and r.member_id = p.member_id and r.serial = p.serial)
else p.installed_at is not null and (p.removed_at is null or p.removed_at < p.installed_at) end
"""
"""As `rules.copies` and `rules.freshness` have it, for all passes of a programme."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A pass at one moment: its state, how many wallets hold it, and what they show."""

    state: PassState
    copies: int
    freshness: Freshness


async def passes(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[Card]]:
    """Return each member's pass on each platform; the newest one, where all of them are void."""
    rows = await Card.filter(program_id=program_id, member_id__in=list(member_ids))
    rows.sort(key=lambda row: (row.voided_at is None, row.issued_at, row.serial))
    newest = {(row.member_id, row.platform): row for row in rows}
    found: dict[UUID, list[Card]] = {member_id: [] for member_id in member_ids}
    for (member_id, _), row in sorted(newest.items()):
        found[member_id].append(row)
    return found


async def held(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, frozenset[Platform]]:
    """Return in whose wallets each member's card is: there it is viewed, no longer added."""
    cards = await passes(program_id, member_ids)
    working = [card for of_one in cards.values() for card in of_one if card.voided_at is None]
    keys = [(card.member_id, card.serial) for card in working]
    [devices] = await fetch(
        program_id, Lookup(RegistrationRow, ("member_id", "serial"), keys, ("device",))
    )
    found: dict[UUID, set[Platform]] = {member_id: set() for member_id in member_ids}
    for card, rows in zip(working, devices, strict=True):
        if copies(card, len(rows) if card.platform == Platform.APPLE else None):
            found[card.member_id].add(Platform(card.platform))
    return {member_id: frozenset(platforms) for member_id, platforms in found.items()}


async def passes_by_key(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Card]:
    """Return the passes with these (member id, serial) keys; unknown ones are absent."""
    serials = [serial for _, serial in keys]
    rows = await Card.filter(program_id=program_id, serial__in=serials)
    found = {(row.member_id, row.serial): row for row in rows}
    return {key: found[key] for key in keys if key in found}


async def standings(
    program_id: UUID, cards: Sequence[Card], *, now: datetime
) -> dict[str, Standing]:
    """Return how these passes stand at `now`, by serial."""
    keys = [(card.member_id, card.serial) for card in cards]
    members = sorted({card.member_id for card in cards})
    held, marks = await fetch(
        program_id,
        Lookup(RegistrationRow, ("member_id", "serial"), keys, ("device",)),
        Lookup(CardMark, ("member_id",), [(one,) for one in members], ("marked_at",)),
    )
    marked = {one: rows[0][0] for one, rows in zip(members, marks, strict=True) if rows}
    return {
        card.serial: _standing(card, len(rows), marked.get(card.member_id), now=now)
        for card, rows in zip(cards, held, strict=True)
    }


def _standing(
    card: Card, registrations: int, marked_at: datetime | None, *, now: datetime
) -> Standing:
    held = copies(card, registrations if card.platform == Platform.APPLE else None)
    fresh = freshness(
        wanted=card.update_tag,
        delivered=card.delivered_tag,
        stale_since=card.stale_since,
        marked_at=marked_at,
        copies=held,
        now=now,
    )
    return Standing(pass_state(card, copies=held, now=now), held, fresh)


async def stale_cards(program_id: UUID) -> int:
    """Return how many passes of a programme some wallet holds that shows something old."""
    [(stale,)] = await read(STALE, program_id)
    return int(stale)
