"""A roll-out goes at its pace, in one process at a time, and gives way to what is more urgent."""

from datetime import timedelta

import pytest

from loyalty_graph.outbox import CardMark
from loyalty_graph.wallet import pushes, rollouts
from loyalty_graph.wallet.claims import Claims
from loyalty_graph.wallet.models import RolloutRow
from loyalty_graph.wallet.pushes import Wanted
from loyalty_graph.wallet.service import Platform
from loyalty_graph.worker.rollouts import (
    BEGINS_AFTER,
    LOOK_EVERY_S,
    MARKS_AT_LEAST_EVERY,
    RollingOut,
)
from tests.jobs.making import Clock
from tests.shop import NOON, Shop, open_shop, program
from tests.wallet.holding import issue

MINUTE = timedelta(minutes=1)
CHANNELS = [(Platform.APPLE, "pass.com.example.card"), (Platform.GOOGLE, "issuer")]


@pytest.fixture
async def shop(database: object) -> Shop:
    return await shop_with_cards("bean-club", 10)


async def shop_with_cards(slug: str, cards: int) -> Shop:
    data = program()
    data["program"] = {**data["program"], "slug": slug}
    shop = await open_shop(data)
    for _ in range(cards):
        await issue(shop, await shop.enrol())
    return shop


def rolling_out(clock: Clock, per_s: int, **templates: str) -> RollingOut:
    return RollingOut(clock=clock, per_s=per_s, templates=templates, channels=CHANNELS)


async def start(shop: Shop) -> None:
    await rollouts.start(shop.program_id, "look", now=NOON)


async def marked(shop: Shop) -> int:
    return await CardMark.filter(program_id=shop.program_id).count()


async def begun(shop: Shop, *rolling: RollingOut, clock: Clock) -> None:
    """Begin a roll-out, let these processes see it, and wait for as long as they do."""
    await start(shop)
    for one in rolling:
        await one.step()
    clock.now += BEGINS_AFTER


async def test_so_many_cards_in_a_second_are_marked(shop: Shop):
    rolling = rolling_out(clock := Clock(NOON), 16)
    await begun(shop, rolling, clock=clock)

    steps = [(await rolling.step(), await marked(shop)) for _ in range(4)]

    assert steps == [(0.25, 4), (0.25, 8), (0.25, 10), (LOOK_EVERY_S, 10)]
    await rolling.close()


async def test_it_begins_when_no_process_keeps_the_programme_of_before(shop: Shop):
    rolling = rolling_out(clock := Clock(NOON + MINUTE), 16)
    await start(shop)

    pauses = [await rolling.step()]
    clock.now += BEGINS_AFTER - timedelta.resolution
    pauses.append(await rolling.step())

    assert (pauses, await marked(shop)) == ([LOOK_EVERY_S] * 2, 0)


@pytest.mark.parametrize(
    ("per_s", "cards", "pause_s"), [(1, 1, 1.0), (3, 1, 1 / 3), (7, 1, 1 / 7), (10, 2, 0.2)]
)
async def test_a_slow_pace_is_kept_too(shop: Shop, per_s: int, cards: int, pause_s: float):
    rolling = rolling_out(clock := Clock(NOON), per_s)
    await begun(shop, rolling, clock=clock)

    assert (await rolling.step(), await marked(shop)) == (pause_s, cards)
    await rolling.close()


async def test_programmes_take_turns(shop: Shop):
    other = await shop_with_cards("tea-club", 10)
    rolling = rolling_out(clock := Clock(NOON), 8)
    await start(other)
    await begun(shop, rolling, clock=clock)

    for _ in range(4):
        await rolling.step()

    assert (await marked(shop), await marked(other)) == (4, 4)
    await rolling.close()


async def test_one_process_at_a_time_does_it(shop: Shop):
    clock = Clock(NOON)
    first, second = (rolling_out(clock, 8) for _ in range(2))
    await begun(shop, first, second, clock=clock)

    await first.step()
    assert (await second.step(), await marked(shop)) == (LOOK_EVERY_S, 2)
    await first.close()
    assert (await second.step(), await marked(shop)) == (0.25, 4)
    await second.close()


async def test_who_slept_too_long_marks_nobody(shop: Shop):
    clock = Clock(NOON)
    first, second = (rolling_out(clock, 8) for _ in range(2))
    await begun(shop, first, second, clock=clock)
    await first.step()
    clock.now += MINUTE
    await second.step()
    # Its own clock stands still: it believes in its lease.
    clock.now -= MINUTE

    await first.step()

    assert await marked(shop) == 4
    assert (await RolloutRow.get()).marked == 4


async def test_while_pushes_are_late_it_marks_only_a_few_now_and_then(shop: Shop):
    rolling = rolling_out(clock := Clock(NOON + MINUTE), 8)
    await pushes.want([Wanted("GOOGLE", "issuer", "object", 1, NOON)], now=NOON)
    await begun(shop, rolling, clock=clock)

    pauses = [await rolling.step() for _ in range(3)]
    while_late = await marked(shop)
    clock.now += MARKS_AT_LEAST_EVERY
    await rolling.step()
    still_late = await marked(shop)
    await Claims(Platform.GOOGLE, "issuer", clock=clock).take(1)
    await rolling.step()

    assert pauses == [0.25] * 3
    assert (while_late, still_late, await marked(shop)) == (2, 4, 6)
    await rolling.close()


async def test_a_push_that_waits_for_a_moment_holds_no_roll_out_up(shop: Shop):
    rolling = rolling_out(clock := Clock(NOON), 8)
    await begun(shop, rolling, clock=clock)
    await pushes.want([Wanted("GOOGLE", "issuer", "object", 1, NOON)], now=clock.now)

    for _ in range(2):
        await rolling.step()

    assert await marked(shop) == 4
    await rolling.close()


async def test_pushes_that_nobody_sends_here_hold_no_roll_out_up(shop: Shop):
    rolling = rolling_out(clock := Clock(NOON + MINUTE), 8)
    # Phones of the development CA, whom Apple would not know, and an issuer of before.
    others = [("APPLE", "pass.development"), ("GOOGLE", "former issuer")]
    await pushes.want([Wanted(*one, "target", 1, NOON) for one in others], now=NOON)
    await begun(shop, rolling, clock=clock)

    assert await rolling.step() == 0.25
    await rolling.close()


async def test_a_template_that_changed_while_nobody_ran_is_rolled_out(shop: Shop):
    clock = Clock(NOON)
    sold = {"store-card": "a" * 64}
    await rolling_out(clock, 8, **sold).step()
    await RolloutRow.all().delete()

    await rolling_out(clock, 8, **sold).step()
    assert await RolloutRow.all().count() == 0
    await rolling_out(clock, 8, **{"store-card": "b" * 64}).step()

    [row] = await RolloutRow.all()
    assert (row.reason, row.state, row.total) == ("template store-card", "RUNNING", 10)


async def test_a_programme_that_opens_later_is_noted_with_its_template(shop: Shop):
    clock = Clock(NOON)
    rolling = rolling_out(clock, 8, **{"store-card": "a" * 64})
    await rolling.step()
    other = await shop_with_cards("tea-club", 0)
    clock.now += MINUTE
    await rolling.step()
    await rolling.close()
    await issue(other, await other.enrol())

    await rolling_out(clock, 8, **{"store-card": "a" * 64}).step()

    assert await RolloutRow.filter(program_id=other.program_id).count() == 0


async def test_a_template_that_was_chosen_meanwhile_is_noted_before_its_files_change(shop: Shop):
    clock = Clock(NOON)
    rolling = rolling_out(clock, 8, **{"store-card": "a" * 64, "vip-tier": "a" * 64})
    await rolling.step()
    data = program()
    data["branding"] = {"template": "vip-tier"}
    await open_shop(data, now=NOON + MINUTE)
    clock.now += 2 * MINUTE
    await rolling.step()
    await rolling.close()
    await RolloutRow.all().delete()

    await rolling_out(clock, 8, **{"store-card": "a" * 64, "vip-tier": "b" * 64}).step()

    assert [row.reason for row in await RolloutRow.all()] == ["template vip-tier"]


async def test_a_template_that_is_not_here_rolls_nothing_out(shop: Shop):
    await rolling_out(Clock(NOON), 8, vip="a" * 64).step()

    assert await RolloutRow.all().count() == 0
