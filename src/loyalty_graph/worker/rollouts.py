"""The loop that brings changes of the look to all cards, at a pace, in one process at a time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from loyalty_graph.leases import Tenure
from loyalty_graph.wallet import pushes, rollouts
from loyalty_graph.worker.loops import Loop

LOOK_EVERY_S = 1.0
STEPS_PER_S = 4
# Who bought something waits for a push behind those of the roll-out.
BEHIND = timedelta(seconds=5)
SLOWER_WHEN_BEHIND = 10


class RollingOut:
    """Marks the cards of roll-outs, so many members in a second, all programmes together.

    While pushes are late it goes ten times slower.

    Args:
        clock: Tells the moment.
        per_s: How many members in a second at most.
    """

    def __init__(self, *, clock: Callable[[], datetime], per_s: int) -> None:
        self._clock = clock
        self._limit = max(1, per_s // STEPS_PER_S)
        self._pause_s = self._limit / per_s
        self._tenure = Tenure(rollouts.LEASE, clock=clock)
        self._turns = count()

    @property
    def loop(self) -> Loop:
        """What a worker runs."""
        return Loop("roll-outs", self.step, self.close)

    async def step(self) -> float:
        """Mark the next cards of a roll-out, each in its turn; return how long to pause then."""
        now = self._clock()
        running = await rollouts.running(now=now)
        if not running:
            return LOOK_EVERY_S
        lease = await self._tenure.held()
        if lease is None:
            return LOOK_EVERY_S
        rollout = running[next(self._turns) % len(running)]
        if await rollouts.advance(lease, rollout, limit=self._limit, now=now) is None:
            self._tenure.lost()
        is_late = await pushes.are_late(since=now - BEHIND)
        return self._pause_s * SLOWER_WHEN_BEHIND if is_late else self._pause_s

    async def close(self) -> None:
        """Give the lease back, so that another process goes on at once."""
        await self._tenure.end()
