"""Whose points have ended, and who is to be told that some will."""

from datetime import datetime
from uuid import UUID

from tortoise.expressions import Q

from loyalty_graph.ledger.models import LotRow
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
