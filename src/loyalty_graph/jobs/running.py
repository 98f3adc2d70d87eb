"""Runs jobs, step by step: claims what is due, keeps the claims alive, settles them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from uuid import UUID

from tortoise.exceptions import BaseORMException

from loyalty_graph import logs, metrics, traces
from loyalty_graph.jobs import service
from loyalty_graph.jobs.rules import Handler, Job, backoff, pause_s
from loyalty_graph.pauses import chance

LEASE_S = 30.0
POLL_S = 1.0
# Shorter than the grace of the loop it runs in, which would leave cancelled jobs claimed.
STOP_GRACE_S = 15.0
CANCEL_GRACE_S = 1.0
DATABASE_TROUBLE = (BaseORMException, OSError)
Clock = Callable[[], datetime]

logger = logging.getLogger(__name__)


class Runner:
    """Runs the jobs that it has handlers for; what it does not know it leaves to newer workers.

    `programs` names the programmes whose schedules are kept.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        programs: Callable[[], Awaitable[Sequence[UUID]]],
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> None:
        self._handlers = handlers
        self._programs = programs
        self._lease_s, self._poll_s, self._stop_grace_s = lease_s, poll_s, stop_grace_s
        self._running: dict[str, set[asyncio.Task[None]]] = {kind: set() for kind in handlers}
        self._busy: set[str] = set()
        self._done: list[Job] = []
        self._removing = asyncio.Lock()

    async def run_due(self, now: datetime, limit: int) -> int:
        """Run up to `limit` jobs that are due at `now`, as of `now`; return how many were run."""
        await service.plan(await self._programs(), self._handlers, now=now)
        ran = 0
        while ran < limit and (claimed := await self._claim_some(now, limit - ran)):
            await asyncio.gather(*(self._work(job, lambda: now) for job in claimed))
            ran += len(claimed)
        return ran

    async def _claim_some(self, now: datetime, most: int) -> list[Job]:
        claimed: list[Job] = []
        for kind in self._handlers:
            claimed += await self._claim(kind, most - len(claimed), now)
        return claimed

    async def _claim(self, kind: str, most: int, now: datetime) -> list[Job]:
        handler = self._handlers[kind]
        limit = min(most, handler.at_once - len(self._running[kind]))
        if limit <= 0:
            return []
        claimed = await service.claim(
            kind,
            handler,
            limit=limit,
            now=now,
            until=self._until(now),
            is_likely=kind in self._busy,
        )
        if claimed:
            self._busy.add(kind)  # Where some were due just now, more may be.
        else:
            self._busy.discard(kind)
        return claimed

    async def step(self, clock: Clock) -> float:
        """Claim and start what is due, as far as there are free places.

        While jobs are running it waits for the first to end, but no longer than for a pause: a free
        place is filled at once. Returns how many seconds to wait before the next step.
        """
        now = clock()
        await service.plan(await self._programs(), self._handlers, now=now)
        for kind, running in self._running.items():
            for job in await self._claim(kind, self._handlers[kind].at_once, now):
                task = asyncio.create_task(self._work(job, clock))
                running.add(task)
                task.add_done_callback(running.discard)
        pause = pause_s(self._poll_s, chance())
        if not (in_hand := self._in_hand):
            return pause
        await asyncio.wait(in_hand, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        return 0.0

    async def close(self) -> None:
        """Finish the jobs in hand; what takes longer than the grace is cancelled and given back."""
        in_hand = self._in_hand
        if not in_hand:
            return
        _, late = await asyncio.wait(in_hand, timeout=self._stop_grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*in_hand, return_exceptions=True)

    @property
    def _in_hand(self) -> list["asyncio.Task[None]"]:
        return [task for tasks in self._running.values() for task in tasks]

    async def _work(self, job: Job, clock: Clock) -> None:
        """Run one job to its end, whatever that is; only a trouble to say so may be lost.

        Then the claim runs out, and the job is run again.
        """
        logs.about(job=str(job.id), kind=job.kind)
        handler, began = self._handlers[job.kind], perf_counter()
        work = asyncio.ensure_future(_do(handler, job))
        try:
            is_mine = await self._attend(job, work, handler.timeout_s, clock)
        except asyncio.CancelledError:
            await _end(work)
            await self._tell(job, service.give_back(job))
            raise
        metrics.job_seconds.labels(job.kind).observe(perf_counter() - began)
        if is_mine:
            await self._tell(job, self._settle(job, handler, work, clock))

    async def _attend(
        self, job: Job, work: "asyncio.Future[None]", timeout_s: float, clock: Clock
    ) -> bool:
        """Wait until the work is done, or its time is up, or the job is another worker's."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while not work.done():
            left_s = ends_at - loop.time()
            if left_s <= 0:
                await _end(work)
                break
            await asyncio.wait([work], timeout=min(left_s, self._lease_s / 3))
            if not work.done() and not await self._renew(job, clock):
                logger.warning("Job %s of %s was claimed by another worker.", job.id, job.kind)
                await _end(work)
                return False
        return True

    async def _renew(self, job: Job, clock: Clock) -> bool:
        try:
            return await service.renew(job, until=self._until(clock()))
        except DATABASE_TROUBLE as error:
            logger.warning("The claim of job %s could not be renewed: %s", job.id, error)
            return True

    async def _settle(
        self, job: Job, handler: Handler, work: "asyncio.Future[None]", clock: Clock
    ) -> None:
        error = _error_of(work)
        if error is None:
            await self._remove(job)
            metrics.jobs.labels(job.kind, "done").inc()
            return
        is_last = job.attempts >= handler.attempts_max
        wait = None if is_last else backoff(job.attempts, chance())
        logger.error(
            "Job %s of %s failed, try %d of %d%s",
            job.id,
            job.kind,
            job.attempts,
            handler.attempts_max,
            "; it is dead" if is_last else "",
            exc_info=error,
        )
        await service.fail(job, type(error).__name__, wait=wait, now=clock())
        metrics.jobs.labels(job.kind, "dead" if is_last else "failed").inc()

    async def _remove(self, job: Job) -> None:
        """Remove a job that is done, with those that ended while others were being removed."""
        self._done.append(job)
        await asyncio.sleep(0)  # Others may end this very moment.
        async with self._removing:
            done, self._done = self._done, []
            try:
                await service.settle(done)
            except DATABASE_TROUBLE as error:
                for one in done:
                    _warn_of_another_run(one, error)

    async def _tell(self, job: Job, telling: Awaitable[object]) -> None:
        try:
            await telling
        except DATABASE_TROUBLE as error:
            _warn_of_another_run(job, error)

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._lease_s)


def _warn_of_another_run(job: Job, error: Exception) -> None:
    logger.warning("Job %s will be run again; its end could not be kept: %s", job.id, error)


async def _do(handler: Handler, job: Job) -> None:
    with traces.span(f"job {job.kind}"):
        await handler.work(job)


def _error_of(work: "asyncio.Future[None]") -> BaseException | None:
    """Return why a job's work failed; work that had to be cancelled took too long."""
    if not work.done() or work.cancelled():
        return TimeoutError("It took too long.")
    return work.exception()


async def _end(work: "asyncio.Future[None]") -> None:
    """Cancel work, and wait a moment for it to notice; work that never does is left behind."""
    work.cancel()
    await asyncio.wait([work], timeout=CANCEL_GRACE_S)
    if work.done() and not work.cancelled():
        work.exception()  # Read, so that asyncio does not report it as forgotten.
