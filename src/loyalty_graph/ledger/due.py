"""Whose points have ended, and who is to be told that some will."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from loyalty_graph.ledger import reinstating
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.ledger.reinstating import Expired
from loyalty_graph.ledger.terms import Terms


async def members_with_due_lots(
    program_id: UUID, *, terms: Terms, now: datetime, limit: int
) -> list[UUID]:
    """Return members who hold points in lots that have ended, at most `limit` of them."""
    has_ended = Q(told_expires_at__lte=now)
    if terms.notice_days is None:
        has_ended |= Q(told_expires_at__isnull=True)
    rows = (
        await LotRow.filter(
            has_ended, program_id=program_id, expires_at__lte=now, remaining_points__gt=0
        )
        .distinct()
        .limit(limit)
        .values_list("member_id", flat=True)
    )
    return list(rows)  # type: ignore[arg-type] # `flat=True` gives values, not tuples


async def members_to_tell(program_id: UUID, *, until: datetime, limit: int) -> list[UUID]:
    """Return members who hold points with a date up to `until` that they were not told of."""
    rows = (
        await LotRow.filter(
            program_id=program_id,
            expires_at__lte=until,
            told_expires_at__isnull=True,
            is_pending=False,
            remaining_points__gt=0,
        )
        .distinct()
        .limit(limit)
        .values_list("member_id", flat=True)
    )
    return list(rows)  # type: ignore[arg-type] # `flat=True` gives values, not tuples


async def expired(
    program_id: UUID,
    member_id: UUID,
    *,
    since: datetime | None = None,
    sequence: int | None = None,
    limit: int,
) -> list[Expired]:
    """Return what passed its date and was not reinstated, oldest first; locked by the account.

    All that ended after `since`, or the one entry with a `sequence`. What a member lost with the
    membership is not among them.
    """
    mine = TransferRow.filter(program_id=program_id, member_id=member_id)
    chosen = mine.filter(kind=Kind.EXPIRE, debit=Book.MEMBER, reference__startswith="lot:")
    if since is not None:
        chosen = chosen.filter(at__gt=since)
    if sequence is not None:
        chosen = chosen.filter(sequence=sequence)
    rows = await chosen.order_by("sequence").limit(limit)
    found = [Expired(row.sequence, row.points) for row in rows]
    asked = [reinstating.reference(one.sequence) for one in found]
    back = mine.filter(kind=Kind.REINSTATE, reference__in=asked)
    over: set[Any] = set(await back.values_list("reference", flat=True))
    return [one for one in found if reinstating.reference(one.sequence) not in over]
