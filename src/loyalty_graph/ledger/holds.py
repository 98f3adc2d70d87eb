"""Holds as they are stored: many at once, one statement each."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.member_lists import MemberRows
from loyalty_graph.db.sets import Insert, Lookup, Row, Update, fetch
from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger.holding import Hold, HoldState
from loyalty_graph.ledger.models import HoldRow

Key = tuple[UUID, UUID]
"""(member id, hold id)"""

_HOLD = tuple(Hold.__dataclass_fields__)
ROWS = MemberRows(HoldRow, _HOLD)
_ENDED = ("state", "captured_points", "ended_at")


def hold_of(row: Row) -> Hold:
    """Return a hold from the columns of a look-up of this file."""
    member_id, id_, state, *rest = row
    return Hold(member_id, id_, HoldState(state), *rest)


def all_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of every hold of members, oldest first, one key for each."""
    keys = [(one,) for one in member_ids]
    return Lookup(HoldRow, ("member_id",), keys, _HOLD, order_by="id")


def new(holds: Sequence[Hold]) -> Insert:
    """Return what stores new holds."""
    return Insert(HoldRow, _HOLD, [tuple(getattr(one, name) for name in _HOLD) for one in holds])


def ended(holds: Sequence[Hold]) -> Update:
    """Return what stores holds that have ended."""
    rows = [(one.member_id, one.id, *(getattr(one, name) for name in _ENDED)) for one in holds]
    return Update(HoldRow, ("member_id", "id"), _ENDED, rows)


async def found(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Hold]:
    """Return the holds with these keys; unknown ones are absent."""
    [rows_of] = await fetch(program_id, Lookup(HoldRow, ("member_id", "id"), keys, _HOLD))
    return {key: hold_of(rows[0]) for key, rows in zip(keys, rows_of, strict=True) if rows}


async def load(program_id: UUID, member_id: UUID, hold_id: UUID) -> Hold:
    """Return a hold; its member's account is locked, so it stays as it is.

    Raises:
        NotFoundError: The member has no such hold.
    """
    key = (member_id, hold_id)
    holds = await found(program_id, [key])
    if key not in holds:
        raise NotFoundError("hold", hold_id, field="holdId")
    return holds[key]


async def open_of(program_id: UUID, member_id: UUID) -> list[Hold]:
    """Return the member's holds that have not ended, oldest first.

    So they are stored: the time of some may be over. The member's account is locked.
    """
    lookup = Lookup(
        HoldRow, ("member_id",), [(member_id,)], _HOLD, where="state = 'HELD'", order_by="id"
    )
    [[rows]] = await fetch(program_id, lookup)
    return [hold_of(row) for row in rows]


async def newest(
    program_id: UUID, member_ids: Sequence[UUID], *, limit: int, before: UUID | None = None
) -> dict[UUID, list[Hold]]:
    """Return each member's newest holds, at most `limit`, those before an id if given."""
    found = await ROWS.newest(program_id, member_ids, limit=limit, before=before)
    return {member_id: [hold_of(row) for row in rows] for member_id, rows in found.items()}


async def count(program_id: UUID) -> int:
    """Return how many holds the programme's members had."""
    return await HoldRow.filter(program_id=program_id).count()


async def due(program_id: UUID, *, now: datetime, limit: int) -> list[Key]:
    """Return holds whose time is over, at most `limit`, the longest over first."""
    rows = (
        await HoldRow.filter(program_id=program_id, state=HoldState.HELD, ends_at__lte=now)
        .order_by("ends_at", "id")
        .limit(limit)
        .values_list("member_id", "id")
    )
    return [(member_id, hold_id) for member_id, hold_id in rows]
