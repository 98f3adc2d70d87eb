"""What a process does until its database can be reached: it lives, and stops when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from signal import SIGINT, SIGTERM
from typing import Any

from loyalty_graph.db import when_reachable

Meanwhile = Callable[[], AbstractAsyncContextManager[asyncio.Event]]


async def opened(enter: Callable[[], Awaitable[object]], meanwhile: Meanwhile) -> bool:
    """Enter what needs the database as soon as that is there; return whether it came to that.

    `meanwhile` runs while the database cannot be reached, and yields what is set to stop waiting.

    Raises:
        DatabaseError: the database can be reached, but not used.
    """
    is_away, has_begun = asyncio.Event(), asyncio.Event()

    async def away() -> None:
        is_away.set()
        await has_begun.wait()

    opening = asyncio.create_task(when_reachable(enter, away=away))
    try:
        await _first(opening, is_away.wait())
        if not opening.done():
            async with meanwhile() as stopped:
                has_begun.set()
                await _first(opening, stopped.wait())
        if is_open := opening.done():
            opening.result()
        return is_open
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


async def _first(task: asyncio.Task[object], other: Coroutine[Any, Any, object]) -> None:
    """Wait for either; the other one is given up."""
    beside = asyncio.create_task(other)
    try:
        await asyncio.wait((task, beside), return_when=asyncio.FIRST_COMPLETED)
    finally:
        beside.cancel()


@asynccontextmanager
async def signalled() -> AsyncIterator[asyncio.Event]:
    """Yield what SIGINT or SIGTERM sets."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, heard.set)
    try:
        yield heard
    finally:
        for number in (SIGINT, SIGTERM):
            loop.remove_signal_handler(number)
