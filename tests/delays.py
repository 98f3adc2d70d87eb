"""Purchases whose points wait, for tests of what waiting does: a part of each earns later."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from unittest.mock import patch
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.ledger import pending, rules
from loyalty_graph.ledger.rules import Account, Cause, Transfer

BERLIN = ZoneInfo("Europe/Berlin")
Parts = list[tuple[int, int]]
"""(points, days to wait), one part after the other; none waits for no days."""


def midnight(at: datetime, days: int) -> datetime:
    """Return the beginning of the shop's day so many days later."""
    return datetime.combine(at.astimezone(BERLIN).date() + timedelta(days=days), time(), BERLIN)


@contextmanager
def waiting(part: Callable[[int], Parts]) -> Iterator[None]:
    """Let what purchases earn wait, in parts."""
    at_once = rules.earn

    def earn(account: Account, points: int, cause: Cause, *, expires_at: datetime) -> Transfer:
        posted = [
            pending.earn_pending(
                account,
                some,
                replace(cause, reference=pending.reference(UUID(cause.reference), str(days))),
                activates_at=midnight(cause.at, days),
                expires_at=expires_at,
            )
            if days
            else at_once(account, some, cause, expires_at=expires_at)
            for some, days in part(points)
        ]
        return posted[0]

    with patch.object(rules, "earn", earn):
        yield


def all_wait(days: int) -> Callable[[int], Parts]:
    """Let all that a purchase earns wait."""
    return lambda points: [(points, days)]
