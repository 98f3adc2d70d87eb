"""What a queue tells of itself: how much waits, since when, and what was given up."""

from dataclasses import dataclass
from datetime import datetime

COUNTED_MAX = 10_000
"""Beyond so many nobody counts on: asking must stay cheap while a queue is long."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue at one moment.

    Attributes:
        name: What waits in it.
        waiting: How many wait, 10,000 at most.
        since: Since when the one waits that waits longest; None when none does.
        dead: How many were tried too often and wait for somebody, 10,000 at most.
    """

    name: str
    waiting: int
    since: datetime | None
    dead: int = 0

    def age_s(self, now: datetime) -> float:
        """Return for how many seconds the oldest has waited; 0 when none waits."""
        return 0.0 if self.since is None else max(0.0, (now - self.since).total_seconds())
