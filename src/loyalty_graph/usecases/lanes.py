"""Work in several lanes side by side: one goes on while another waits for the database."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def side_by_side(
    items: Iterable[tuple[int, Item]],
    work: Callable[[list[Item]], Awaitable[Result]],
    *,
    lanes: int,
    at_once: int,
) -> AsyncGenerator[Result, None]:
    """Yield what `work` made of each list of at most `at_once` items.

    Each item comes with a number: those of one number are worked on one after the other, in their
    order. When work raises, what was begun beside it still comes to its end.
    """
    waiting: list[list[Item]] = [[] for _ in range(lanes)]
    busy: dict[int, asyncio.Future[Result]] = {}
    try:
        for number, item in items:
            lane = number % lanes
            waiting[lane].append(item)
            if len(waiting[lane]) == at_once:
                if lane in busy:
                    yield await busy.pop(lane)
                busy[lane] = asyncio.ensure_future(work(waiting[lane]))
                waiting[lane] = []
                await asyncio.sleep(0)  # It begins, while the next items are read.
        for lane, left in enumerate(waiting):
            if lane in busy:
                yield await busy.pop(lane)
            if left:
                busy[lane] = asyncio.ensure_future(work(left))
        while busy:
            yield await busy.pop(next(iter(busy)))
    finally:
        await asyncio.gather(*busy.values(), return_exceptions=True)
