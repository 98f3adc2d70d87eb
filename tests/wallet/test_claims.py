"""A claim is as good as the clock and the database say, and no longer."""

import asyncio
from datetime import timedelta

import pytest

from loyalty_graph.wallet import claims, pushes
from loyalty_graph.wallet.claims import LIFE, Claims
from loyalty_graph.wallet.models import CardPushRow
from loyalty_graph.wallet.pushes import Wanted
from loyalty_graph.wallet.service import Platform
from tests.jobs.making import Clock
from tests.shop import NOON

pytestmark = pytest.mark.usefixtures("database")

ISSUER = "issuer"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


async def want(*targets: str) -> None:
    await pushes.want([Wanted("GOOGLE", ISSUER, one, 1, NOON) for one in targets], now=NOON)


async def test_a_claim_is_renewed_no_more_often_than_it_must_be():
    await want("card")
    mine = Claims(Platform.GOOGLE, ISSUER, clock=(clock := Clock()))
    await mine.take(1)

    ends = []
    for _ in range(6):
        clock.now += SECOND
        await mine.renew()
        ends.append((await CardPushRow.get()).due_at)

    third, sixth = NOON + 3 * SECOND + LIFE, NOON + 6 * SECOND + LIFE
    assert ends == [NOON + LIFE, NOON + LIFE, third, third, third, sixth]


async def test_a_clock_that_is_set_back_shortens_the_claim():
    await want("card")
    clock = Clock(NOON + MINUTE)
    mine = Claims(Platform.GOOGLE, ISSUER, clock=clock)
    await mine.take(1)

    clock.now = NOON
    await mine.renew()

    assert (await CardPushRow.get()).due_at == NOON + LIFE


async def test_what_has_ended_is_not_renewed(monkeypatch: pytest.MonkeyPatch):
    await want("card", "other card")
    mine = Claims(Platform.GOOGLE, ISSUER, clock=(clock := Clock()))
    claimed = await mine.take(2)
    await pushes.done(claimed, now=NOON)
    mine.end(claimed)

    monkeypatch.delattr(pushes, "renew")
    clock.now += LIFE
    await mine.renew()

    assert not mine.are_sure(claimed[0].claim)
    assert await CardPushRow.filter(claim=None, due_at=None).count() == 2


async def test_a_database_that_is_silent_does_not_keep_work_going(
    monkeypatch: pytest.MonkeyPatch,
):
    await want("card")
    mine = Claims(Platform.GOOGLE, ISSUER, clock=(clock := Clock()))
    [push] = await mine.take(1)
    asked, under_way = asyncio.Event(), asyncio.Event()

    async def say_nothing(*_args: object, **_options: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    async def work() -> None:
        under_way.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(pushes, "renew", say_nothing)
    working = asyncio.create_task(mine.while_sure(push.claim, work()))
    await under_way.wait()
    clock.now += 3 * SECOND
    await asked.wait()
    clock.now += 4 * SECOND

    async with asyncio.timeout(10):
        assert await working is None
    assert not mine.are_sure(push.claim)
