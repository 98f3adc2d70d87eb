"""Who was told when which points end: kept for ever, and beside the lot for whoever reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Insert, Lookup, Update, Write, fetch
from loyalty_graph.ledger.models import ExpiryNoticeRow, LotRow
from loyalty_graph.ledger.rules import Account


@dataclass(frozen=True, slots=True)
class Notice:
    """The owner of a lot is told that these points of it end at `expires_at`."""

    member_id: UUID
    lot_sequence: int
    points: int
    expires_at: datetime
    told_at: datetime


def tell(account: Account, until: datetime, *, now: datetime) -> list[Notice]:
    """Tell the owner of an account of every lot with a date up to `until`, once; soonest first.

    The account must hold all its open lots.
    """
    assert account.has_all_lots, "one notice tells of all that ends"
    told = []
    for lot in account.lots:
        date = account.terms.date_of(lot.expires_at, account.lapses_at)
        is_told = lot.told_expires_at is not None and lot.told_expires_at >= date
        if lot.remaining and date <= until and not is_told:
            lot.told_expires_at = account.terms.announced(date, now=now)
            account.dated(lot)
            notice = Notice(
                account.member_id, lot.sequence, lot.remaining, lot.told_expires_at, now
            )
            told.append(notice)
    return told


async def told(
    program_id: UUID, keys: Sequence[tuple[UUID, int]], *, until: Mapping[UUID, datetime]
) -> dict[tuple[UUID, int], datetime]:
    """Return the ends that were told last of these lots; those never told of are absent.

    A key is (member id, sequence of the lot); what a member was told after `until` does not count.
    """
    [found] = await fetch(
        program_id,
        Lookup(
            ExpiryNoticeRow,
            ("member_id", "lot_sequence"),
            keys,
            ("expires_at", "told_at"),
            order_by="told_at",
        ),
    )
    heard = {
        key: [expires_at for expires_at, told_at in rows if told_at <= until[key[0]]]
        for key, rows in zip(keys, found, strict=True)
    }
    return {key: ends[-1] for key, ends in heard.items() if ends}


def writes(told: Sequence[Notice]) -> list[Write]:
    """Return what stores these notices."""
    return [
        Insert(
            ExpiryNoticeRow,
            ("member_id", "lot_sequence", "points", "expires_at", "told_at"),
            [
                (one.member_id, one.lot_sequence, one.points, one.expires_at, one.told_at)
                for one in told
            ],
        ),
        Update(
            LotRow,
            ("member_id", "sequence"),
            ("told_expires_at",),
            [(one.member_id, one.lot_sequence, one.expires_at) for one in told],
        ),
    ]
