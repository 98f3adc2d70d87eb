"""Adjustments that wait for a second person, or waited, as they are stored."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import statements
from loyalty_graph.db.sets import Insert, Lookup, Row, Update, fetch
from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger.approving import Approval, ApprovalState
from loyalty_graph.ledger.models import ApprovalRow

Key = tuple[UUID, UUID]
"""(member id, approval id)"""

_APPROVAL = tuple(Approval.__dataclass_fields__)
_DECIDED = ("state", "decided_by", "decided_at", "note", "entry_sequence")


def _approval(row: Row) -> Approval:
    member_id, id_, state, *rest = row
    return Approval(member_id, id_, ApprovalState(state), *rest)


def asked(one: Approval) -> Insert:
    """Return the write that lets an adjustment wait."""
    return Insert(ApprovalRow, _APPROVAL, [tuple(getattr(one, name) for name in _APPROVAL)])


def decided(one: Approval) -> Update:
    """Return the write that keeps what was decided."""
    row = (one.member_id, one.id, *(getattr(one, name) for name in _DECIDED))
    return Update(ApprovalRow, ("member_id", "id"), _DECIDED, [row])


async def found(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Approval]:
    """Return the approvals with these keys; unknown ones are absent."""
    lookup = Lookup(ApprovalRow, ("member_id", "id"), keys, _APPROVAL)
    [rows_of] = await fetch(program_id, lookup)
    return {key: _approval(rows[0]) for key, rows in zip(keys, rows_of, strict=True) if rows}


async def load(program_id: UUID, key: Key) -> Approval:
    """Return an approval; its member's account is locked, so it stays as it is.

    Raises:
        NotFoundError: There is no such approval.
    """
    approvals = await found(program_id, [key])
    if key not in approvals:
        raise NotFoundError("approval", key[1], field="approvalId")
    return approvals[key]


async def page(
    program_id: UUID, *, limit: int, before: UUID | None, waiting_at: datetime | None
) -> list[Approval]:
    """Return approvals, the newest first, those before an id if given.

    With `waiting_at` only those that wait at that moment.
    """
    query = "where program_id = $1"
    values: list[UUID | datetime] = [program_id]
    if before is not None:
        values.append(before)
        query += f" and id < ${len(values)}"
    if waiting_at is not None:
        values.append(waiting_at)
        query += f" and state = 'WAITING' and ends_at > ${len(values)}"
    rows = await statements.select(
        ApprovalRow, _APPROVAL, f"{query} order by id desc limit {limit}", *values
    )
    return [_approval(row) for row in rows]


async def count(program_id: UUID, *, waiting_at: datetime | None) -> int:
    """Return how many approvals there are, or how many wait at that moment."""
    query = ApprovalRow.filter(program_id=program_id)
    if waiting_at is not None:
        query = query.filter(state=ApprovalState.WAITING, ends_at__gt=waiting_at)
    return await query.count()
