"""When a job is due, and when it is tried again: pure, without storage or clock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from loyalty_graph.pauses import full_jitter_s

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BACKOFF_BASE_S = 2.0
BACKOFF_CAP_S = 900.0
WAIT_MAX = timedelta(seconds=BACKOFF_CAP_S)
# Clocks of two workers may differ, but a slot this far ahead was set by a clock that was wrong.
CLOCK_JUMP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job, as its handler sees it; `due_at` is when this run was meant to be."""

    program_id: UUID
    id: UUID
    kind: str
    due_at: datetime
    attempts: int
    lease: UUID
    now: datetime


@dataclass(frozen=True, slots=True)
class Handler:
    """What runs a kind of job.

    `work` may be called twice for the same job, so it reads the present and does what is left to
    do. A kind with `every` is scheduled by itself in every programme, in slots counted from 1970.
    At most `at_once` jobs of the kind run in one process, so that no kind holds up another.
    """

    work: Callable[[Job], Awaitable[None]]
    every: timedelta | None = None
    at_once: int = 4
    attempts_max: int = 8
    timeout_s: float = 600.0


def backoff(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after so many attempts; `chance` is from 0 up to 1.

    Full jitter, so that failures spread out.
    """
    pause = full_jitter_s(attempts, first_s=BACKOFF_BASE_S, longest_s=BACKOFF_CAP_S, chance=chance)
    return timedelta(seconds=pause)


def pause_s(poll_s: float, chance: float) -> float:
    """Return how long to wait before asking for due jobs again; `chance` is from 0 up to 1.

    Half of it is jitter, so that workers do not ask all at once.
    """
    return (0.5 + chance / 2) * poll_s


def latest_slot(now: datetime, every: timedelta) -> datetime:
    """Return the last slot that is not after `now`."""
    return now - (now - EPOCH) % every


def next_slot(
    planned: datetime, now: datetime, every: timedelta
) -> tuple[datetime | None, datetime]:
    """Return the slot to run now, if one is due, and the slot that comes next.

    However many slots were missed, only the latest is run. A plan far ahead of `now` was made
    by a clock that was wrong; it is taken back without a run.
    """
    if planned > now + every + CLOCK_JUMP:
        return None, latest_slot(now, every) + every
    if planned > now:
        return None, planned
    slot = latest_slot(now, every)
    return slot, slot + every
