"""Open pages hear of changes, and only of theirs."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from uuid import UUID

import pytest

from loyalty_graph.usecases.card_page import Watched
from loyalty_graph.web import watching
from loyalty_graph.web.watching import CardWatch
from tests.shop import NOON

ADA, BOB = [Watched(UUID(int=1), UUID(int=number), UUID(int=number)) for number in (2, 3)]
LONG_S = 60.0


class Desk:
    """What the database would say, and how often it was asked."""

    def __init__(self) -> None:
        self.states = {ADA: "ada-1", BOB: "bob-1"}
        self.asked: list[set[Watched]] = []
        self.watch = CardWatch(self.look, clock=lambda: NOON)

    async def look(self, pages: Collection[Watched], *, now: datetime) -> dict[Watched, str]:
        assert now == NOON
        self.asked.append(set(pages))
        return {page: state for page, state in self.states.items() if page in pages}

    def open(self, page: Watched, *, quiet_s: float = LONG_S) -> AsyncIterator[str | None]:
        return self.watch.states(page, quiet_s=quiet_s)


@pytest.fixture(autouse=True)
def looking_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.001)


async def test_a_page_hears_its_state_and_then_each_new_one():
    desk = Desk()
    ada = desk.open(ADA)

    first = await anext(ada)
    desk.states[BOB] = "bob-2"
    desk.states[ADA] = "ada-2"

    assert [first, await anext(ada)] == ["ada-1", "ada-2"]


async def test_one_look_serves_all_pages():
    desk = Desk()
    pages = [desk.open(page) for page in (ADA, ADA, BOB)]

    states = await asyncio.gather(*map(anext, pages))

    assert states == ["ada-1", "ada-1", "bob-1"]
    assert {ADA, BOB} in desk.asked


async def test_a_page_whose_link_is_gone_is_closed():
    desk = Desk()
    ada = desk.open(ADA)
    await anext(ada)

    del desk.states[ADA]

    assert [state async for state in ada] == []


async def test_silence_is_broken_now_and_then():
    desk = Desk()
    ada = desk.open(ADA, quiet_s=0.01)

    assert [await anext(ada), await anext(ada)] == ["ada-1", None]


async def test_nobody_looks_when_no_page_is_open():
    desk = Desk()
    ada = desk.open(ADA)
    await anext(ada)

    await ada.aclose()
    await asyncio.sleep(0.01)
    seen = len(desk.asked)
    await asyncio.sleep(0.01)

    assert len(desk.asked) == seen
    assert await anext(desk.open(ADA)) == "ada-1"


async def test_there_is_a_limit_for_each_link_and_for_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "PAGES_OF_ONE_LINK_MAX", 1)
    monkeypatch.setattr(watching, "PAGES_MAX", 2)
    desk = Desk()
    ada = desk.open(ADA)
    await anext(ada)
    of_one_link = (desk.watch.has_room(ADA), desk.watch.has_room(BOB))
    bob = desk.open(BOB)
    await anext(bob)

    assert of_one_link == (False, True)
    assert not desk.watch.has_room(Watched(UUID(int=1), UUID(int=9), UUID(int=9)))
    await ada.aclose()
    assert desk.watch.has_room(ADA)


async def test_closing_ends_all_streams():
    desk = Desk()
    pages = [desk.open(page) for page in (ADA, BOB)]
    await asyncio.gather(*map(anext, pages))

    desk.watch.close()

    assert [[state async for state in page] for page in pages] == [[], []]


async def test_a_failing_database_ends_the_streams_and_later_ones_try_again(
    caplog: pytest.LogCaptureFixture,
):
    desk = Desk()
    ada = desk.open(ADA)
    await anext(ada)

    states, desk.states = desk.states, None  # type: ignore[assignment] # it fails
    assert [state async for state in ada] == []
    desk.states = states

    assert "Open card pages cannot be watched" in caplog.text
    assert await anext(desk.open(ADA)) == "ada-1"
