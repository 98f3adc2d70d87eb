import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.earning import tallies
from loyalty_graph.earning.counters import BudgetKey, Count, CounterKey

BEANS, TEAS = UUID(int=1), UUID(int=2)
ADA, BOB = UUID(int=11), UUID(int=12)
DAY, EVER = BudgetKey("SPRING", "2026-03-02"), BudgetKey("SPRING", "EVER")
LIMITS = {DAY: 100, EVER: 1000}
move = transaction(tallies.move_budgets)
open_budgets = transaction(tallies.open_budgets)


@transaction
async def used(
    program_id: UUID = BEANS, *, keys: Sequence[BudgetKey] = (EVER, DAY), lock: bool = False
) -> list[tuple[str, str, int]]:
    [found] = await fetch(program_id, tallies.budgets(keys, lock=lock))
    return [row for rows in found for row in rows]


@transaction
async def count(program_id: UUID, counted: dict[CounterKey, Count]) -> None:
    await store(program_id, [tallies.counter_writes(counted)])


async def test_a_budget_is_used_to_the_last_point_and_no_further(database: object):
    await move(BEANS, {DAY: 60, EVER: 60}, limits=LIMITS)

    with pytest.raises(tallies.BudgetTakenMeanwhileError, match="SPRING"):
        await move(BEANS, {DAY: 41, EVER: 41}, limits=LIMITS)
    after_refusal = await used()
    await move(BEANS, {DAY: 40, EVER: 40}, limits=LIMITS)

    assert after_refusal == [(*DAY, 60), (*EVER, 60)]
    assert await used(lock=True) == [(*DAY, 100), (*EVER, 100)]


async def test_a_budget_has_no_room_for_more_than_itself_from_the_start(database: object):
    with pytest.raises(tallies.BudgetTakenMeanwhileError):
        await move(BEANS, {DAY: 101}, limits=LIMITS)

    assert await used() == []


async def test_what_is_put_back_can_be_used_again(database: object):
    await move(BEANS, {DAY: 100}, limits=LIMITS)

    await move(BEANS, {DAY: -30, EVER: 0}, limits={})
    await move(BEANS, {DAY: 30}, limits=LIMITS)

    assert await used() == [(*DAY, 100)]


async def test_budgets_are_each_programmes_own(database: object):
    await move(BEANS, {DAY: 100}, limits=LIMITS)

    await move(TEAS, {DAY: 100}, limits=LIMITS)

    assert await used(BEANS) == await used(TEAS) == [(*DAY, 100)]


async def test_what_one_takes_and_puts_back_leaves_other_budgets_as_they_are(database: object):
    autumn = BudgetKey("AUTUMN", EVER.period)
    limits = {EVER: 100, autumn: 100}
    for program_id in (BEANS, TEAS):
        await move(program_id, {EVER: 10, autumn: 20}, limits=limits)

    await move(TEAS, {EVER: 5}, limits=limits)
    await move(TEAS, {autumn: -3}, limits={})

    assert await used(BEANS, keys=[autumn, EVER]) == [(*autumn, 20), (*EVER, 10)]
    assert await used(TEAS, keys=[autumn, EVER]) == [(*autumn, 17), (*EVER, 15)]


async def test_an_opened_budget_is_unused_and_opened_once(database: object):
    await open_budgets(BEANS, [EVER, DAY])
    await move(BEANS, {DAY: 7}, limits=LIMITS)

    await open_budgets(BEANS, [EVER, DAY])

    assert await used(lock=True) == [(*DAY, 7), (*EVER, 0)]


async def test_many_at_once_never_use_more_than_there_is(database: object):
    tries = [move(BEANS, {DAY: 7, EVER: 7}, limits=LIMITS) for _ in range(20)]

    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    refused = [one for one in outcomes if isinstance(one, tallies.BudgetTakenMeanwhileError)]
    assert (outcomes.count(None), len(refused)) == (14, 6)
    assert await used() == [(*DAY, 98), (*EVER, 98)]


async def test_counters_are_found_by_member_and_period(database: object):
    mine = {
        CounterKey(ADA, *DAY): Count(10, 1),
        CounterKey(ADA, *EVER): Count(10, 1),
        CounterKey(ADA, "MONDAYS", "EVER"): Count(-3, 0),
    }
    others = {
        CounterKey(BOB, *DAY): Count(5, 1),
        CounterKey(ADA, "SPRING", "2026-03-01"): Count(9, 9),
    }
    await count(BEANS, mine | others)

    await count(BEANS, {CounterKey(ADA, *DAY): Count(25, 2)})

    wanted = tallies.counters(["EVER", "2026-03-02", "EVER"])
    [found] = await transaction(fetch)(BEANS, wanted([ADA, BOB]))
    assert [sorted(rows) for rows in found] == [
        [("MONDAYS", "EVER", -3, 0), (*DAY, 25, 2), (*EVER, 10, 1)],
        [(*DAY, 5, 1)],
    ]
