"""The loop that numbers facts and cards, in whichever process holds the lease."""

from collections.abc import Callable
from datetime import datetime

from loyalty_graph import leases, metrics
from loyalty_graph.db import transaction
from loyalty_graph.identity import audit
from loyalty_graph.leases import Lease, Tenure
from loyalty_graph.outbox import numbering
from loyalty_graph.wallet import tags
from loyalty_graph.wallet.tags import Tagged
from loyalty_graph.worker.loops import Loop

OTHERS_TURN_S = 1.0
IDLE_S = 0.05


class Numbering:
    """Numbers facts and cards while it holds the lease; otherwise it waits for its turn.

    Args:
        clock: Tells the moment.
        google_issuer: Whose the passes in Google's wallet are, if any.
        numbered: Called after facts were given numbers.
        wanted: Called after pushes became due.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        google_issuer: str | None = None,
        numbered: Callable[[], None] = lambda: None,
        wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._google_issuer = google_issuer
        self._numbered, self._wanted = numbered, wanted
        self._tenure = Tenure(numbering.NUMBERING, clock=clock)

    @property
    def loop(self) -> Loop:
        """What a worker runs."""
        return Loop("numbering", self.step, self.close)

    async def step(self) -> float:
        """Number what waits; return the seconds until the next step."""
        lease = await self._tenure.held()
        if lease is None:
            return OTHERS_TURN_S
        since = await numbering.waiting_since()
        if since is None and not await tags.waiting():
            return IDLE_S
        done = await _number(lease, now=self._clock(), google_issuer=self._google_issuer)
        if done is None:
            self._tenure.lost()
            return 0.0
        facts, tagged = done
        self._count(facts, tagged, since)
        if facts:
            self._numbered()
        if tagged.pushes:
            self._wanted()
        # What others are writing at this moment is waited for, without haste.
        return 0.0 if facts or tagged.marks else IDLE_S

    def _count(self, facts: int, tagged: Tagged, since: datetime | None) -> None:
        metrics.numbered.labels("facts").inc(facts)
        metrics.numbered.labels("card marks").inc(tagged.marks)
        if oldest := [at for at in (since if facts else None, tagged.since) if at is not None]:
            lag = self._clock() - min(oldest)
            metrics.numbering_lag_seconds.observe(max(0.0, lag.total_seconds()))

    async def close(self) -> None:
        """Give the lease back, so that another process goes on at once."""
        await self._tenure.end()


@transaction
async def _number(
    lease: Lease, *, now: datetime, google_issuer: str | None
) -> tuple[int, Tagged] | None:
    """Number cards, and facts with those that tell of cards; None without the lease.

    What facts tell of changes goes into the audit log before.
    """
    if not await leases.lock(lease):
        return None
    tagged = await tags.tag(now=now, google_issuer=google_issuer)
    kept = await audit.keep()
    return await numbering.number(lease, kept=kept) or 0, tagged
