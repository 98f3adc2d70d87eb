"""The loop that numbers facts, in whichever process holds the lease."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from loyalty_graph import leases
from loyalty_graph.leases import Lease
from loyalty_graph.outbox import numbering
from loyalty_graph.worker.loops import Loop

LEASE_LIFE = timedelta(seconds=10)
LEASE_RENEWED_AT = LEASE_LIFE / 2
OTHERS_TURN_S = 1.0
IDLE_S = 0.05


class Numbering:
    """Numbers facts while it holds the lease; otherwise it waits for its turn.

    Args:
        clock: Tells the moment.
        numbered: Called after facts were given numbers.
    """

    def __init__(
        self, *, clock: Callable[[], datetime], numbered: Callable[[], None] = lambda: None
    ) -> None:
        self._clock = clock
        self._numbered = numbered
        self._holder: UUID = uuid4()
        self._lease: Lease | None = None

    @property
    def loop(self) -> Loop:
        """What a worker runs."""
        return Loop("numbering", self.step, self.close)

    async def step(self) -> float:
        """Number what waits; return the seconds until the next step."""
        lease = self._lease = await self._held()
        if lease is None:
            return OTHERS_TURN_S
        if not await numbering.waiting():
            return IDLE_S
        if await numbering.number(lease) is None:
            self._lease = None
        self._numbered()
        return 0.0

    async def close(self) -> None:
        """Give the lease back, so that another process goes on at once."""
        if self._lease is not None:
            await leases.release(self._lease, now=self._clock())
            self._lease = None

    async def _held(self) -> Lease | None:
        now, lease = self._clock(), self._lease
        if lease is None:
            return await leases.take(numbering.NUMBERING, self._holder, now=now, life=LEASE_LIFE)
        if lease.until - now > LEASE_RENEWED_AT:
            return lease
        return await leases.renew(lease, now=now, life=LEASE_LIFE)
