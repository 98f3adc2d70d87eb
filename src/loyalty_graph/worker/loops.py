"""Loops that run until they are told to stop; one that fails is tried again, ever more rarely."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

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
    """

    name: str
    step: Callable[[], Awaitable[float]]
    close: Callable[[], Awaitable[None]]


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
    while not stop.is_set():
        try:
            pause_s = await loop.step()
            failures = 0
        except Exception:
            logger.exception("The loop %s failed; it goes on", loop.name)
            pause_s = backoff_s(failures, chance=random.random())  # noqa: S311 - no secret
            failures += 1
        await _wait(stop, pause_s)
    try:
        await loop.close()
    except Exception:
        logger.exception("The loop %s could not be closed", loop.name)


def backoff_s(failures: int, *, chance: float) -> float:
    """Return how long to wait after so many failures in a row: full jitter, 30 seconds at most.

    Args:
        failures: How many came before this one.
        chance: At least 0, less than 1.
    """
    return chance * min(PAUSE_MAX_S, FIRST_PAUSE_MAX_S * 2.0 ** min(failures, 16))


async def _wait(stop: asyncio.Event, pause_s: float) -> None:
    """Wait, but no longer than until the stop; other tasks get their turn in any case."""
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        pass
