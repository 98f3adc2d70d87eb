"""A clock that is moved by hand, and jobs that tell what they did."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph.jobs.models import JobRow
from loyalty_graph.jobs.rules import Handler, Job
from loyalty_graph.jobs.running import Runner
from loyalty_graph.jobs.service import add
from tests.shop import NOON

PROGRAM = UUID(int=1)
LEASE_S = 30.0
LEASE = timedelta(seconds=LEASE_S)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Work:
    """A handler's work: notes each run, waits while the gate is shut, fails as often as told."""

    failures: int = 0
    ran: list[UUID] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, job: Job) -> None:
        self.ran.append(job.id)
        self.begun.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if len(self.ran) <= self.failures:
            raise RuntimeError("the till is on fire")

    async def is_over(self) -> bool:
        return not self.at_once

    @classmethod
    def quick(cls, failures: int = 0) -> "Work":
        work = cls(failures)
        work.gate.set()
        return work


def runner(handlers: Mapping[str, Handler], **changes: float) -> Runner:
    async def programs() -> list[UUID]:
        return [PROGRAM]

    return Runner(handlers, programs=programs, **{"lease_s": LEASE_S, "poll_s": 0.01, **changes})


async def put(kind: str = "polish", count: int = 1, *, due_at: datetime = NOON) -> None:
    for number in range(count):
        await add(PROGRAM, kind, f"{kind} {number}", due_at=due_at)


async def left() -> int:
    return await JobRow.all().count()


async def leased() -> int:
    return await JobRow.filter(lease__isnull=False).count()


async def until_left(count: int) -> None:
    """Wait until so many jobs are left."""

    async def done() -> bool:
        return await left() == count

    await until(done)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again; the test's own time limit ends a wait in vain."""
    while not await holds():  # noqa: ASYNC110 - the database tells nobody
        await asyncio.sleep(0.005)
