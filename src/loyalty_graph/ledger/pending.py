"""Points that were earned but cannot be spent yet: pure functions like those of `rules.py`.

They wait in a lot of their own, in the book PENDING. When their time has come they become active:
the same lot can be spent then. Goods that come back before cancel them.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from loyalty_graph.ledger import sliding
from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.rules import (
    Account,
    Cause,
    Lot,
    Transfer,
    check_active,
    post,
    soonest_first,
    take,
)


def reference(origin_id: UUID | str, part: str) -> str:
    """Return the reference of a part of a purchase's or activity's points; it waits by itself."""
    return f"{origin_id}{PART}{part}"


def origin_of(entry_reference: str) -> str:
    """Return the id of what earned the points, from the reference of all or a part of them."""
    return entry_reference.partition(PART)[0]


def activation(lot_sequence: int) -> str:
    """Return the reference of the transfer that activates a lot: there is one at most."""
    return f"lot:{lot_sequence}"


def cancellation(entry_reference: str) -> str:
    """Return what the references of cancellations by hand begin with: those of an entry's points.

    Given the id of a purchase or an activity, those of everything it earned.
    """
    return f"cancelled:{entry_reference}"


def earn_pending(
    account: Account,
    points: int,
    cause: Cause,
    *,
    activates_at: datetime,
    expires_at: datetime,
    awaits: str | None = None,
) -> Transfer:
    """Credit points for a purchase that can be spent from `activates_at` until `expires_at`.

    They count for tiers at once, as the purchase does: a delay guards against points that are spent
    before the goods come back, and what comes back is taken off the tier in any case. Points that
    would expire while they wait expire as they become active. What was to wait until a moment
    that has passed is activated by a transfer of its own. When they await an event, that moment is
    the last at which they become active.

    Raises:
        MemberNotActiveError: The member may not earn now.
    """
    check_active(account, earning=True)
    activates_at = min(activates_at, expires_at)
    lot = Lot(
        account.sequence + 1,
        points,
        points,
        expires_at,
        activates_at,
        is_pending=True,
        awaits=awaits,
        is_new=True,
    )
    sliding.begin(account, cause.at, now=cause.recorded_at)
    told = {**cause.explanation, "activates_at": activates_at.isoformat()}
    if awaits is not None:
        told["awaits"] = awaits
    transfer = post(
        account,
        Kind.EARN_PENDING,
        Book.ISSUED,
        Book.PENDING,
        points,
        replace(cause, explanation=told),
        (),
        opened=(points, expires_at, activates_at),
        qualifying=points,
    )
    account.waiting.append(account.dated(lot))
    activate_due(account, now=cause.recorded_at)
    return transfer


def activate_due(account: Account, *, now: datetime) -> list[Transfer]:
    """Activate every lot whose time has come, each by a transfer of its own dated to that time.

    Debt is paid first, so those whose time came first come first.
    """
    due = [lot for lot in account.waiting if lot.activates_at and lot.activates_at <= now]
    due.sort(key=lambda lot: (lot.activates_at, *soonest_first(lot)))
    return [activate(account, lot, _in_time(lot, now)) for lot in due]


def _in_time(lot: Lot, now: datetime) -> Cause:
    assert lot.activates_at is not None, "only what waits is activated"
    return Cause(
        reference=activation(lot.sequence),
        at=lot.activates_at,
        recorded_at=now,
        actor="system",
        explanation={"lot": lot.sequence, "points": lot.remaining},
    )


def activate(account: Account, lot: Lot, cause: Cause) -> Transfer:
    """Let the points of a lot that waits be spent, in time or before; debt is paid first.

    The cause's reference is the lot's (`activation`), so that it is activated once.
    """
    points = lot.remaining
    account.waiting.remove(lot)
    account.lots.append(lot)
    account.lots.sort(key=soonest_first)
    lot.is_pending, lot.is_changed = False, True
    paid = take([lot], account.debt)
    return post(account, Kind.ACTIVATE, Book.PENDING, Book.MEMBER, points, cause, paid)


def cancel(
    account: Account,
    lots: Collection[int],
    points: int,
    cause: Cause,
    *,
    counting: int | None = None,
) -> Transfer | None:
    """Take back up to `points` that are still pending, from these lots (sequences).

    Those that would wait longest go first. None when nothing is pending there; what is missing is
    to be reversed. What counts for a tier falls by as much, at most by what is still `counting`.
    """
    mine = [lot for lot in account.waiting if lot.sequence in lots]
    mine.sort(key=lambda lot: (lot.activates_at, *soonest_first(lot)), reverse=True)
    uses = take_waiting(account, mine, points)
    cancelled = sum(amount for _, amount in uses)
    if not cancelled:
        return None
    return post(
        account,
        Kind.CANCEL,
        Book.PENDING,
        Book.CANCELLED,
        cancelled,
        cause,
        uses,
        qualifying=-cancelled if counting is None else -min(cancelled, counting),
    )


def forfeit(account: Account, cause: Cause) -> Transfer | None:
    """Take every pending point when a membership ends; None when there is none."""
    points = account.pending
    if not points:
        return None
    uses = take_waiting(account, list(account.waiting), points)
    apart = replace(cause, reference=f"{cause.reference}{PART}pending")
    return post(account, Kind.EXPIRE, Book.PENDING, Book.EXPIRED, points, apart, uses)


def take_waiting(account: Account, lots: list[Lot], points: int) -> list[tuple[int, int]]:
    """Take points from lots that wait; an empty one waits no more."""
    uses = take(lots, points)
    for lot in lots:
        if not lot.remaining:
            lot.is_pending = False
            account.waiting.remove(lot)
            account.lots.append(lot)
    account.lots.sort(key=soonest_first)
    return uses
