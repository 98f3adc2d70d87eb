"""The loop that brings changes of the look to all cards, at a pace, in one process at a time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from loyalty_graph.leases import Tenure
from loyalty_graph.programs import service as programs
from loyalty_graph.wallet import pushes, rollouts
from loyalty_graph.wallet.service import Platform
from loyalty_graph.worker.loops import Loop

LOOK_EVERY_S = 1.0
# Every process keeps versions of a programme for a second: cards made meanwhile look old. It counts
# from when the change was seen here, since nobody knows when it was committed.
BEGINS_AFTER = timedelta(seconds=2)
COMPARED_EVERY = timedelta(minutes=1)
STEPS_PER_S = 4
# Who bought something waits for a push behind those of the roll-out: at Google's 20 a second that
# is what was marked before the first was late, some ten seconds.
BEHIND = timedelta(seconds=1)
MARKS_AT_LEAST_EVERY = timedelta(seconds=5)


class RollingOut:
    """Marks the cards of roll-outs, so many members in a second, all programmes together.

    While pushes are late it marks nobody, but for a few now and then: who sends may be down.

    Args:
        clock: Tells the moment.
        per_s: How many members in a second at most.
        templates: The digest of each card template that there is here.
        channels: Whose pushes are sent here, platform and channel; others may wait for ever.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        per_s: int,
        templates: Mapping[str, str],
        channels: Sequence[tuple[Platform, str]],
    ) -> None:
        self._clock, self._templates, self._channels = clock, templates, channels
        self._compared: dict[UUID, str] = {}
        self._compare_at: datetime | None = None
        self._seen: dict[UUID, datetime] = {}
        self._marked_at: datetime | None = None
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
        if self._compare_at is None or self._compare_at <= now:
            self._compare_at = now + COMPARED_EVERY
            await self._compare(now)
        running = [one for one in await rollouts.running() if self._may_begin(one.id, now)]
        if not running:
            return LOOK_EVERY_S
        lease = await self._tenure.held()
        if lease is None:
            return LOOK_EVERY_S
        if await self._gives_way(now):
            return self._pause_s
        self._marked_at = now
        rollout = running[next(self._turns) % len(running)]
        if await rollouts.advance(lease, rollout, limit=self._limit, now=now) is None:
            self._tenure.lost()
        return self._pause_s

    async def _gives_way(self, now: datetime) -> bool:
        """Say whether pushes come first now."""
        if self._marked_at is None or self._marked_at + MARKS_AT_LEAST_EVERY <= now:
            return False
        return await self._are_pushes_late(now)

    async def _are_pushes_late(self, now: datetime) -> bool:
        for platform, channel in self._channels:
            if await pushes.are_late(platform, channel, since=now - BEHIND):
                return True
        return False

    def _may_begin(self, rollout: UUID, now: datetime) -> bool:
        return now - self._seen.setdefault(rollout, now) >= BEGINS_AFTER

    async def _compare(self, now: datetime) -> None:
        """Begin roll-outs where templates are not what they were; once for each that is chosen."""
        for program_id in await programs.all_ids():
            version = await programs.in_force(program_id, now, now=now)
            name = version.settings.branding.template
            if self._compared.get(program_id) == name:
                continue
            if digest := self._templates.get(name):
                await rollouts.start_if_template_changed(program_id, name, digest, now=now)
            self._compared[program_id] = name

    async def close(self) -> None:
        """Give the lease back, so that another process goes on at once."""
        await self._tenure.end()
