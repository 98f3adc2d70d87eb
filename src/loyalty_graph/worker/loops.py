"""Loops that run until they are told to stop; one that fails is tried again, ever more rarely."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from loyalty_graph import logs, metrics
from loyalty_graph.db import in_one_line, is_unavailable
from loyalty_graph.pauses import chance, full_jitter_s

FIRST_PAUSE_MAX_S = 0.5
PAUSE_MAX_S = 30.0
STOP_GRACE_S = 20.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loop:
    """Something done again and again.

    Attributes:
        name: What the log calls it.
        step: Does what is due, and returns how many seconds to wait before the next step.
        close: Called once at the end, also after a failure.
        passing: What may go wrong and pass by itself, like an outage of the database: a line.
    """

    name: str
    step: Callable[[], Awaitable[float]]
    close: Callable[[], Awaitable[None]]
    passing: tuple[type[Exception], ...] = ()

    def passes(self, error: Exception) -> bool:
        """Return whether an error is nobody's mistake and needs no traceback."""
        return is_unavailable(error) or isinstance(error, self.passing)


@asynccontextmanager
async def running(loops: Sequence[Loop]) -> AsyncIterator[None]:
    """Run the loops beside the block; at its end the steps in hand are finished.

    A step that takes longer than the grace is cancelled.
    """
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_run(loop, stop), name=loop.name) for loop in loops]
    try:
        yield
    finally:
        stop.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_GRACE_S)
            for task in late:
                logger.error("The loop %s did not stop in time", task.get_name())
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _run(loop: Loop, stop: asyncio.Event) -> None:
    failures = 0
    logs.about(loop=loop.name)
    while not stop.is_set():
        try:
            pause_s = await loop.step()
            failures = 0
        except Exception as error:  # noqa: BLE001 - it is logged there, and tried again
            _log(loop, error, passing="cannot go on for now", failed="failed; it goes on")
            metrics.loop_failures.labels(loop.name).inc()
            pause_s = full_jitter_s(
                failures, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
            )
            failures += 1
        await _wait(stop, pause_s)
    try:
        await loop.close()
    except Exception as error:  # noqa: BLE001 - it is logged there
        _log(loop, error, passing="could not be closed", failed="could not be closed")


def _log(loop: Loop, error: Exception, *, passing: str, failed: str) -> None:
    """Write a line of its own for what passes, since each loop waits by itself."""
    if loop.passes(error):
        logger.warning("The loop %s %s: %s", loop.name, passing, in_one_line(error))
    else:
        logger.error("The loop %s %s", loop.name, failed, exc_info=error)


async def _wait(stop: asyncio.Event, pause_s: float) -> None:
    """Wait, but no longer than until the stop; other tasks get their turn in any case."""
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        pass
