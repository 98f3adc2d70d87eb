"""Which changes are worth a notification, and how many there may be in a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

NOTIFICATIONS_MAX = 3
NOTIFICATION_PERIOD = timedelta(hours=24)
MILLISECOND = timedelta(milliseconds=1)


class Notice(StrEnum):
    """What a member is told of with a notification."""

    TIER = "TIER"
    EXPIRY = "EXPIRY"
    BALANCE = "BALANCE"


@dataclass(frozen=True, slots=True)
class Shown:
    """What decides whether a change is worth a notification."""

    balance: int
    tier: str | None
    points_expire_at: datetime | None


def notice(before: Shown, after: Shown, *, now: datetime) -> Notice | None:
    """Return what a member is told of when a card changes: one thing, the rarest; None for nothing.

    Fewer points are no news: the member has just spent them. Neither is a later expiry, when it is
    shown because the points that would have expired before it were spent.
    """
    if after.tier is not None and after.tier != before.tier:
        return Notice.TIER
    if after.points_expire_at is not None:
        warned_until = before.points_expire_at
        if warned_until is None or warned_until <= now:
            return Notice.EXPIRY
    return Notice.BALANCE if after.balance > before.balance else None


def recent(notified: Sequence[int], *, now: datetime) -> list[int]:
    """Return the moments of notifications (milliseconds since 1970) that still count."""
    since = milliseconds(now - NOTIFICATION_PERIOD)
    return [moment for moment in notified if moment > since]


def one_more(notified: Sequence[int], *, now: datetime) -> list[int] | None:
    """Return the moments with a notification at `now` among them, or None: there may be no more.

    Source: Google Wallet API, at most 3 notifications of a pass in 24 hours.
    """
    counted = recent(notified, now=now)
    return [*counted, milliseconds(now)] if len(counted) < NOTIFICATIONS_MAX else None


def milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
