import asyncio
from contextlib import ExitStack
from uuid import UUID

import pytest

from loyalty_graph.errors import TooManyStreamsError
from loyalty_graph.outbox import live, numbering
from loyalty_graph.outbox.live import Live
from tests.outbox.test_numbering import MEMBERS, PROGRAMS, happen, lease

pytestmark = pytest.mark.usefixtures("database")

ADA, BOB = MEMBERS[0], MEMBERS[1]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(live, "LOOK_EVERY_WHEN_NUDGED_S", 0.02)


async def fresh(listeners: Live, *nudges: asyncio.Event) -> None:
    """Let the first look pass, which wakes everybody."""
    await listeners.step()
    for nudge in nudges:
        assert nudge.is_set()
        nudge.clear()


async def test_those_are_woken_whom_a_fact_is_about():
    listeners, held = Live(), await lease()
    with (
        listeners.listening(PROGRAMS[0], ADA) as ada,
        listeners.listening(PROGRAMS[0], BOB) as bob,
        listeners.listening(PROGRAMS[0], None) as everybody,
        listeners.listening(PROGRAMS[1], None) as elsewhere,
    ):
        await fresh(listeners, ada, bob, everybody, elsewhere)
        await happen(PROGRAMS[0], ADA)
        await listeners.step()
        assert not any(one.is_set() for one in (ada, bob, everybody, elsewhere))

        await numbering.number(held)
        await listeners.step()

        woken = [one.is_set() for one in (ada, bob, everybody, elsewhere)]
        assert woken == [True, False, True, False]


async def test_all_are_woken_when_more_happened_than_one_look_shows(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(live, "ROWS_MAX", 2)
    listeners, held = Live(), await lease()
    with listeners.listening(PROGRAMS[0], BOB) as bob:
        await fresh(listeners, bob)
        await happen(PROGRAMS[0], ADA, ADA, ADA)
        await numbering.number(held)

        await listeners.step()

        assert bob.is_set()


async def test_a_nudge_saves_the_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "LOOK_EVERY_WHEN_NUDGED_S", 3600)
    listeners = Live()
    listeners.is_nudged = lambda: True
    with listeners.listening(PROGRAMS[0], None) as nudge:
        await fresh(listeners, nudge)
        listeners.wake()

        async with asyncio.timeout(5):
            await listeners.step()


async def test_nobody_is_forgotten_and_nothing_is_kept():
    listeners = Live()
    with listeners.listening(PROGRAMS[0], ADA) as first:
        with listeners.listening(PROGRAMS[0], ADA) as second:
            await fresh(listeners, first, second)
        await happen(PROGRAMS[0], ADA)
        await numbering.number(await lease())
        await listeners.step()
        assert (first.is_set(), second.is_set()) == (True, False)

    await listeners.step()
    assert (listeners._count, listeners._listeners, listeners._seen) == (0, {}, {})


async def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "LISTENERS_MAX", 1)
    listeners = Live()

    with listeners.listening(UUID(int=1), None):
        with (
            pytest.raises(TooManyStreamsError, match="1 open streams"),
            listeners.listening(UUID(int=1), None),
        ):
            raise AssertionError("there is no room")
        assert listeners._count == 1


async def test_it_ends_when_the_process_stops():
    listeners = Live()

    await listeners.close()

    assert listeners.stopping.is_set()
    assert await listeners.step() > 0


async def test_who_leaves_during_a_look_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    listeners, held = Live(), await lease()
    with ExitStack() as listening:
        nudge = listening.enter_context(listeners.listening(PROGRAMS[0], None))
        await fresh(listeners, nudge)
        await happen(PROGRAMS[0], ADA)
        await numbering.number(held)

        async def leave_while_reading(*_: object, **__: object) -> list[object]:
            listening.close()
            return []

        monkeypatch.setattr(live, "numbered_after", leave_while_reading)
        await listeners.step()

    assert (listeners._listeners, listeners._seen) == ({}, {})
