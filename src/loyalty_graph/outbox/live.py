"""Wakes those who wait for facts in this process; each then reads on from where it was.

Nothing is handed to a listener but a nudge, so a slow one costs no memory and a lost nudge costs no
fact: only the time until the next look at the table. While nobody listens, nothing is looked at.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from loyalty_graph import metrics
from loyalty_graph.errors import TooManyStreamsError
from loyalty_graph.outbox.facts import newest_of, numbered_after

LOOK_EVERY_S = 0.2
LOOK_EVERY_WHEN_NUDGED_S = 2.0
ROWS_MAX = 1_000
LISTENERS_MAX = 20_000


@dataclass(eq=False, slots=True)
class _Listener:
    member_id: UUID | None
    nudge: asyncio.Event = field(default_factory=asyncio.Event)


class Live:
    """The listeners of this process.

    Attributes:
        is_nudged: Says whether others tell this process of new facts, so that looks may be rare.
        stopping: Set when all streams must end.
    """

    def __init__(self) -> None:
        self.is_nudged: Callable[[], bool] = lambda: False
        self._listeners: dict[UUID, set[_Listener]] = {}
        self._seen: dict[UUID, int] = {}
        self._count = 0
        self._wake = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextmanager
    def listening(self, program_id: UUID, member_id: UUID | None) -> Iterator[asyncio.Event]:
        """Yield what is set whenever there may be new facts of a programme, or of one member.

        Raises:
            TooManyStreamsError: 20,000 listen already.
        """
        if self._count >= LISTENERS_MAX:
            raise TooManyStreamsError(LISTENERS_MAX)
        listener = _Listener(member_id)
        self._listeners.setdefault(program_id, set()).add(listener)
        self._count += 1
        metrics.live_streams.inc()
        self.wake()
        try:
            yield listener.nudge
        finally:
            self._count -= 1
            metrics.live_streams.dec()
            self._listeners[program_id].discard(listener)
            if not self._listeners[program_id]:
                del self._listeners[program_id]
                self._seen.pop(program_id, None)

    def wake(self) -> None:
        """Look at once: facts were numbered."""
        self._wake.set()

    def stop(self) -> None:
        """End all streams: the process is about to stop."""
        self.stopping.set()
        self.wake()

    async def step(self) -> float:
        """Wait for a nudge, but not long, and look; return the seconds until the next step."""
        if self.stopping.is_set():
            return LOOK_EVERY_WHEN_NUDGED_S
        pause_s = LOOK_EVERY_WHEN_NUDGED_S if self.is_nudged() else LOOK_EVERY_S
        try:
            async with asyncio.timeout(pause_s if self._listeners else LOOK_EVERY_WHEN_NUDGED_S):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        if self._listeners:
            await self._look()
        return 0.0

    async def close(self) -> None:
        """End all streams."""
        self.stop()

    async def _look(self) -> None:
        newest = await newest_of(list(self._listeners))
        for program_id in list(self._listeners):
            highest, seen = newest.get(program_id, 0), self._seen.get(program_id)
            if seen is None or highest - seen > ROWS_MAX:
                self._nudge(program_id, None)
            elif highest > seen:
                rows = await numbered_after(program_id, seen, limit=ROWS_MAX)
                self._nudge(program_id, {row.member_id for row in rows})
            if program_id in self._listeners:
                self._seen[program_id] = highest

    def _nudge(self, program_id: UUID, members: set[UUID | None] | None) -> None:
        """Wake who listens to these members, or to everybody; without members, all."""
        for listener in self._listeners.get(program_id, ()):
            one = listener.member_id
            if members is None or one is None or one in members:
                listener.nudge.set()
