"""Whose points have ended or waited long enough, and who is to be told that some will end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from loyalty_graph.db.member_lists import members_of
from loyalty_graph.db.sets import table_name
from loyalty_graph.db.statements import read
from loyalty_graph.ledger import reinstating
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.ledger.reinstating import Expired
from loyalty_graph.ledger.terms import Terms
from loyalty_graph.programs.rules import NEVER


async def members_with_due_lots(
    program_id: UUID, *, terms: Terms, now: datetime, limit: int
) -> list[UUID]:
    """Return members who hold points in lots that have ended, at most `limit` of them."""
    if terms.sliding is not None:
        untold = now if terms.notice_days is None else NEVER
        return await _sliding(_HAS_ENDED, program_id, now, untold, limit=limit)
    has_ended = Q(told_expires_at__lte=now)
    if terms.notice_days is None:
        has_ended |= Q(told_expires_at__isnull=True)
    rows = LotRow.filter(
        has_ended, program_id=program_id, expires_at__lte=now, remaining_points__gt=0
    )
    return await _soonest(rows, "expires_at", limit=limit)


async def members_to_tell(
    program_id: UUID, *, terms: Terms, until: datetime, limit: int
) -> list[UUID]:
    """Return members who hold points with a date up to `until` that they were not told of."""
    if terms.sliding is not None:
        return await _sliding(_IS_UNTOLD, program_id, until, limit=limit)
    rows = LotRow.filter(
        program_id=program_id,
        expires_at__lte=until,
        told_expires_at__isnull=True,
        is_pending=False,
        remaining_points__gt=0,
    )
    return await _soonest(rows, "expires_at", limit=limit)


async def members_with_points_to_activate(
    program_id: UUID, *, now: datetime, limit: int
) -> list[UUID]:
    """Return members who hold pending points whose time has come, at most `limit` of them."""
    rows = LotRow.filter(program_id=program_id, is_pending=True, activates_at__lte=now)
    return await _soonest(rows, "activates_at", limit=limit)


async def _soonest(rows: QuerySet[LotRow], by: str, *, limit: int) -> list[UUID]:
    """Return whose the first of these lots are, each member once, at most `limit` of them.

    An index holds the lots in this order. Whoever asks for so many distinct members has all that
    are due read for each batch of them.
    """
    return list(dict.fromkeys(await members_of(rows.order_by(by), limit=limit)))


_DATE = (
    "case when lot.expires_at < account.lapses_at then lot.expires_at else account.lapses_at end"
)
_TOLD = f"case when lot.told_expires_at >= {_DATE} then lot.told_expires_at end"
_HAS_ENDED = f"coalesce({_TOLD}, $3) <= $2"
_IS_UNTOLD = f"{_TOLD} is null"


async def _sliding(condition: str, program_id: UUID, *moments: datetime, limit: int) -> list[UUID]:
    """Return members with an open lot dated up to the first of the moments, if a condition holds.

    Accounts and lots are looked up by the dates of each, the soonest first, so that neither is read
    as a whole.
    """
    both = f"""select lot.member_id::text from {table_name(AccountRow)} account
        join {table_name(LotRow)} lot on lot.program_id = account.program_id
            and lot.member_id = account.member_id
        where account.program_id = $1 and lot.program_id = $1 and lot.remaining_points > 0
            and not lot.is_pending and {condition}"""  # noqa: S608 - our own text
    first = [
        f"select * from ({both} and {date} <= $2 order by {date} limit {limit}) {name}"  # noqa: S608 - our own text
        for date, name in (("account.lapses_at", "lapsed"), ("lot.expires_at", "ended"))
    ]
    rows = await read(
        f"{' union '.join(first)} limit {limit}",
        program_id,
        *moments,
    )
    return [UUID(member_id) for (member_id,) in rows]


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
