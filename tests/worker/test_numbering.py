import asyncio
from datetime import datetime, timedelta

import pytest

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.worker.numbering import IDLE_S, OTHERS_TURN_S, Numbering
from tests.metering import Growth
from tests.outbox.test_numbering import PROGRAMS, happen, numbers
from tests.shop import NOON, open_shop
from tests.wallet.holding import install, issue, mark

pytestmark = pytest.mark.usefixtures("database")


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


async def test_it_numbers_what_waits_and_then_rests():
    loop = Numbering(clock=Clock()).loop
    await happen(PROGRAMS[0], None, None)

    pauses = [await loop.step(), await loop.step()]

    assert pauses == [0.0, IDLE_S]
    assert await numbers(PROGRAMS[0]) == [1, 2]


async def test_another_one_waits_for_its_turn_and_gets_it_when_the_first_stops():
    clock = Clock()
    first, second = Numbering(clock=clock), Numbering(clock=clock)
    await first.step()
    await happen(PROGRAMS[0], None)

    assert await second.step() == OTHERS_TURN_S
    assert await outbox.newest(PROGRAMS[0]) == 0
    await first.close()
    assert await second.step() == 0.0
    assert await outbox.newest(PROGRAMS[0]) == 1
    await first.close()


async def test_a_lease_is_renewed_while_it_works():
    clock = Clock()
    first, second = Numbering(clock=clock), Numbering(clock=clock)

    for _ in range(5):
        assert await first.step() == IDLE_S
        assert await second.step() == OTHERS_TURN_S
        clock.pass_(4)


async def test_who_slept_too_long_gives_way():
    clock = Clock()
    first, second = Numbering(clock=clock), Numbering(clock=clock)
    await first.step()
    clock.pass_(11)
    assert await second.step() == IDLE_S

    assert await first.step() == OTHERS_TURN_S

    # Its own clock had stood still: it believes in its lease, but the fence is another's.
    clock.pass_(11)
    assert await first.step() == IDLE_S
    second_clock_stands = Numbering(clock=lambda: NOON)
    second_clock_stands._tenure._lease = second._tenure._lease
    await happen(PROGRAMS[0], None)
    assert await second_clock_stands.step() == 0.0
    assert await outbox.newest(PROGRAMS[0]) == 0


async def test_it_numbers_cards_too_and_says_whom_it_wakes():
    heard: list[str] = []
    numbering = Numbering(
        clock=Clock(),
        numbered=lambda: heard.append("facts"),
        wanted=lambda: heard.append("pushes"),
    )
    shop = await open_shop()
    ada, ben = await shop.enrol(), await shop.enrol()
    serial = await issue(shop, ada)
    await numbering.step()
    heard.clear()

    await mark(shop, ben)
    assert await numbering.step() == 0.0
    assert heard == []
    await install(serial, "phone")
    await mark(shop, ada)
    assert await numbering.step() == 0.0

    # The fact that tells of the card is numbered in the same step.
    assert heard == ["facts", "pushes"]
    assert (await PassRow.get(serial=serial)).update_tag == 1
    assert await numbering.step() == IDLE_S
    await numbering.close()


@pytest.mark.postgres
async def test_it_does_not_hurry_while_a_mark_is_being_written():
    numbering = Numbering(clock=Clock())
    shop = await open_shop()
    ada = await shop.enrol()
    await numbering.step()
    await mark(shop, ada)
    is_locked, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def write_slowly() -> None:
        await CardMark.filter(member_id=ada.id).select_for_update().get()
        is_locked.set()
        await may_end.wait()

    writing = asyncio.create_task(write_slowly())
    await is_locked.wait()
    meanwhile = await numbering.step()
    may_end.set()
    await writing

    assert [meanwhile, await numbering.step()] == [IDLE_S, 0.0]
    await numbering.close()


async def test_it_is_counted_what_got_numbers_and_how_old_the_oldest_was():
    clock = Clock()
    loop = Numbering(clock=clock).loop
    facts = Growth("loyalty_numbered_total", {"queue": "facts"})
    marks = Growth("loyalty_numbered_total", {"queue": "card marks"})
    lag = Growth("loyalty_numbering_lag_seconds_sum")
    steps = Growth("loyalty_numbering_lag_seconds_count")
    shop = await open_shop()
    await mark(shop, await shop.enrol())
    await happen(PROGRAMS[0], None, None)
    waits = await FactRow.all().count()
    clock.pass_(3)

    await loop.step()
    await loop.step()

    assert (facts.by, marks.by, steps.by, lag.by) == (waits, 1, 1, 3.0)
    await loop.close()
