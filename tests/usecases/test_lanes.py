"""Lanes: what is numbered alike goes one after the other, and nothing is left half done."""

import asyncio
from collections.abc import Sequence

import pytest

from loyalty_graph.usecases.lanes import side_by_side


class Work:
    """Work that goes on only once somebody works beside it, or alone at the end."""

    def __init__(self, *, together: int) -> None:
        self.together = asyncio.Barrier(together)
        self.done: list[list[str]] = []

    async def __call__(self, items: list[str]) -> str:
        await self.together.wait()
        if "bad" in items:
            raise OSError("the plug was pulled")
        await asyncio.sleep(0)
        self.done.append(items)
        return "+".join(items)


async def results(items: Sequence[tuple[int, str]], work: Work, *, at_once: int) -> list[str]:
    return [one async for one in side_by_side(items, work, lanes=2, at_once=at_once)]


async def test_two_lanes_go_on_side_by_side():
    items = [(0, "a"), (1, "b"), (2, "c"), (3, "d")]

    found = await results(items, Work(together=2), at_once=1)

    assert sorted(found) == ["a", "b", "c", "d"]


async def test_what_is_numbered_alike_keeps_its_order():
    items = [(7, "a"), (7, "b"), (7, "c"), (7, "d"), (7, "e")]
    work = Work(together=1)

    found = await results(items, work, at_once=2)

    assert found == ["a+b", "c+d", "e"]
    assert work.done == [["a", "b"], ["c", "d"], ["e"]]


async def test_when_work_raises_what_was_begun_beside_it_comes_to_its_end():
    work = Work(together=2)

    with pytest.raises(OSError, match="plug"):
        await results([(0, "bad"), (1, "good"), (0, "never")], work, at_once=1)

    assert work.done == [["good"]]


async def test_without_items_there_is_no_work():
    assert await results([], Work(together=1), at_once=1) == []
