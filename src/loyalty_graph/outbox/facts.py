"""Facts and marks on cards: how a use case writes them, and how facts are read by their number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from loyalty_graph import traces
from loyalty_graph.db.sets import Insert, Upsert
from loyalty_graph.outbox.models import CardMark, FactCount, FactRow

NOBODY = {"", "system"}
_SINCE_THEN = (("marked_at", "card_mark.marked_at"),)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be stored: past tense, dotted (`purchase.recorded`); the payload holds JSON."""

    id: UUID
    kind: str
    member_id: UUID | None
    at: datetime
    payload: dict[str, Any]
    change: dict[str, Any] | None = None


def change(
    actor: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    about: str = "",
) -> dict[str, Any] | None:
    """Return what the audit log keeps of a fact; None when members did it for themselves.

    It is None, too, of what nobody asked for (`system`), or what is a sale (no actor).

    `actor` is a caller such as `staff:<id>`; `about` names what is no member, such as a token. What
    was before and is after are JSON values, dates and moments.
    """
    if actor.startswith("member:") or actor in NOBODY:
        return None
    told = {"actor": actor, "before": before, "after": after, "reason": reason, "about": about}
    return {name: _plain(value) for name, value in told.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def facts(rows: Iterable[Fact]) -> Insert:
    """Return the write that stores these facts."""
    return Insert(
        FactRow,
        ("id", "kind", "member_id", "at", "payload", "change"),
        [(row.id, row.kind, row.member_id, row.at, row.payload, row.change) for row in rows],
    )


def mark_cards(
    member_ids: Iterable[UUID], *, now: datetime, caused: Mapping[UUID, str] | None = None
) -> Upsert:
    """Return the write that says: the cards of these members show something old.

    A mark that is there already keeps its moment: since then they do. It keeps its trace as well,
    which is the one that `caused` names for a member, or this moment's.
    """
    members, of_member, present = sorted(set(member_ids)), caused or {}, traces.present()
    if present is None and not of_member:
        return Upsert(
            CardMark,
            ("member_id",),
            ("member_id", "marked_at"),
            [(member_id, now) for member_id in members],
            merge=_SINCE_THEN,
        )
    return Upsert(
        CardMark,
        ("member_id",),
        ("member_id", "marked_at", "trace"),
        [(member_id, now, of_member.get(member_id, present)) for member_id in members],
        merge=(*_SINCE_THEN, ("trace", "coalesce(card_mark.trace, excluded.trace)")),
    )


async def newest(program_id: UUID) -> int:
    """Return the highest number given in a programme so far, 0 before the first."""
    return (await newest_of([program_id])).get(program_id, 0)


async def newest_of(program_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the highest number of each programme; those without numbers are absent."""
    rows = await FactCount.filter(program_id__in=list(program_ids))
    return {row.program_id: row.highest for row in rows}


async def numbered_after(
    program_id: UUID, sequence: int, *, member_id: UUID | None = None, limit: int
) -> Sequence[FactRow]:
    """Return the facts with higher numbers, lowest first; of one member when he is named.

    Numbers become visible in their order: whoever reads on from the highest he has seen misses
    nothing and sees nothing twice.
    """
    wanted = FactRow.filter(program_id=program_id, sequence__gt=sequence)
    if member_id is not None:
        wanted = wanted.filter(member_id=member_id)
    return await wanted.order_by("sequence").limit(limit)
