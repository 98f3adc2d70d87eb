"""Gathering single calls into batches."""

import asyncio
from collections.abc import Sequence

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.db import Gatherer, connection, gathering, is_unavailable, transaction
from loyalty_graph.db.outages import (
    DatabaseTimeoutError,
    OutcomeUnknownError,
    TooManyWaitingError,
)
from loyalty_graph.errors import InsufficientPointsError, LoyaltyError
from tests.db.stage import add_row, amounts
from tests.metering import Growth

pytestmark = pytest.mark.usefixtures("pair")
REFUSED, GUILTY = 66, 1


class Till:
    """Adds rows; refuses number 66, and number 1 makes its whole batch fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def run(self, numbers: list[int]) -> Sequence[int | LoyaltyError]:
        self.batches.append(numbers)
        self.begun.set()
        await self.may_go_on.wait()
        return await self._store(numbers)

    @transaction
    async def _store(self, numbers: list[int]) -> list[int | LoyaltyError]:
        for number in numbers:
            if number != REFUSED:
                await add_row(number)
        refusal = InsufficientPointsError(needed=2, available=1)
        return [refusal if number == REFUSED else number * 10 for number in numbers]


async def test_a_lone_call_is_a_batch_of_one():
    till, batches = (
        Till(),
        Growth("loyalty_gather_batch_size_bucket", {"calls": "tills", "le": "1.0"}),
    )

    async with Gatherer(till.run, name="tills") as gatherer:
        answer = await gatherer(7)

    assert answer == 70
    assert batches.by == 1
    assert till.batches == [[7]]
    assert (gatherer.batches, gatherer.commands) == (1, 1)


async def test_when_too_many_wait_the_next_is_told_at_once_and_the_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(gathering, "WAITING_MAX", 2)
    till = Till()
    till.may_go_on.clear()

    async with Gatherer(till.run, name="tills") as gatherer:
        first = asyncio.create_task(gatherer(7))
        await till.begun.wait()
        waiting = [asyncio.create_task(gatherer(number)) for number in (8, 9)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaitingError, match="2 tills wait for it already") as refused:
            await gatherer(10)
        till.may_go_on.set()
        answers = await asyncio.gather(first, *waiting)
        later = await gatherer(11)

    assert is_unavailable(refused.value)
    assert (answers, later) == ([70, 80, 90], 110)
    assert till.batches == [[7], [8, 9], [11]]


async def test_what_waits_while_a_batch_runs_is_the_next_batch():
    till = Till()
    till.may_go_on.clear()

    async with Gatherer(till.run, limit=4) as gatherer:
        first = asyncio.create_task(gatherer(10))
        await till.begun.wait()
        others = [asyncio.create_task(gatherer(number)) for number in range(11, 17)]
        await asyncio.sleep(0)
        till.may_go_on.set()
        answers = await asyncio.gather(first, *others)

    assert answers == [100, 110, 120, 130, 140, 150, 160]
    assert till.batches == [[10], [11, 12, 13, 14], [15, 16]]
    assert (gatherer.batches, gatherer.commands) == (3, 7)


async def test_a_refusal_reaches_its_caller_only():
    till = Till()

    async with Gatherer(till.run) as gatherer:
        answers = await asyncio.gather(*map(gatherer, (7, REFUSED, 8)), return_exceptions=True)

    assert (answers[0], answers[2]) == (70, 80)
    assert isinstance(answers[1], InsufficientPointsError)
    assert till.batches == [[7, REFUSED, 8]]
    assert len(await amounts()) == 4


async def test_a_failing_batch_is_run_one_by_one_and_the_guilty_one_alone_fails():
    till = Till()

    async with Gatherer(till.run) as gatherer:
        answers = await asyncio.gather(*map(gatherer, (7, GUILTY, 8)), return_exceptions=True)

    assert (answers[0], answers[2]) == (70, 80)
    assert type(answers[1]).__name__ == "IntegrityError"
    assert till.batches == [[7, GUILTY, 8], [7], [GUILTY], [8]]
    assert len(await amounts()) == 4


async def test_a_cancelled_caller_disturbs_nobody():
    till = Till()
    till.may_go_on.clear()

    async with Gatherer(till.run) as gatherer:
        begun = asyncio.create_task(gatherer(7))
        await till.begun.wait()
        waiting, other = asyncio.create_task(gatherer(8)), asyncio.create_task(gatherer(9))
        await asyncio.sleep(0)
        begun.cancel()
        waiting.cancel()
        till.may_go_on.set()
        answer = await other

    assert answer == 90
    assert till.batches == [[7], [9]]
    assert len(await amounts()) == 4


async def test_a_batch_of_calls_that_were_all_given_up_is_not_run():
    till = Till()
    till.may_go_on.clear()

    async with Gatherer(till.run) as gatherer:
        begun = asyncio.create_task(gatherer(7))
        await till.begun.wait()
        waiting = asyncio.create_task(gatherer(8))
        await asyncio.sleep(0)
        waiting.cancel()
        till.may_go_on.set()
        await begun

    assert till.batches == [[7]]


async def test_closing_answers_what_waits_and_refuses_what_comes():
    till = Till()
    till.may_go_on.clear()

    async with Gatherer(till.run, limit=2) as gatherer:
        calls = [asyncio.create_task(gatherer(10))]
        await till.begun.wait()
        calls += [asyncio.create_task(gatherer(number)) for number in range(11, 14)]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(till.may_go_on.set)

    assert [call.result() for call in calls] == [100, 110, 120, 130]
    assert till.batches == [[10], [11, 12], [13]]
    with pytest.raises(AssertionError, match="not open"):
        await gatherer(15)
    assert len(await amounts()) == 6


async def test_a_cancelled_closing_still_answers_what_waits():
    till = Till()
    till.may_go_on.clear()
    calls: list[asyncio.Task[int | LoyaltyError]] = []

    async def serve() -> None:
        async with Gatherer(till.run) as gatherer:
            calls.append(asyncio.create_task(gatherer(10)))
            await till.begun.wait()

    serving = asyncio.create_task(serve())
    await till.begun.wait()
    for _ in range(3):
        await asyncio.sleep(0)
        serving.cancel()
    till.may_go_on.set()
    await asyncio.wait([serving])

    assert serving.cancelled()
    assert await calls[0] == 100
    assert len(await amounts()) == 3


async def test_several_writers_run_batches_at_the_same_time():
    both_run = asyncio.Barrier(2)

    async def run(numbers: list[int]) -> list[int]:
        await both_run.wait()
        return numbers

    async with Gatherer(run, limit=1, writers=2) as gatherer:
        answers = await asyncio.gather(gatherer(7), gatherer(8))

    assert answers == [7, 8]


async def test_gathering_inside_a_transaction_is_a_mistake():
    till = Till()

    @transaction
    async def enter() -> None:
        async with Gatherer(till.run):
            pass

    async with Gatherer(till.run) as gatherer:
        with pytest.raises(AssertionError, match="wait for each other"):
            await transaction(gatherer)(7)
        with pytest.raises(AssertionError, match="stay in this transaction"):
            await enter()

    assert till.batches == []


async def test_a_batch_must_answer_each_command(pair: BaseDBAsyncClient):
    async def forgetful(numbers: list[int]) -> list[int]:
        return []

    async with Gatherer(forgetful) as gatherer:
        with pytest.raises(AssertionError, match="one outcome for each command"):
            await gatherer(7)

    assert connection() is pair


async def test_when_the_database_is_unavailable_all_of_a_batch_are_told_and_none_runs_alone():
    batches: list[Sequence[int]] = []

    async def away(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        raise OutcomeUnknownError("COMMIT")

    async with Gatherer(away) as gatherer:
        answers = await asyncio.gather(*map(gatherer, (1, 2, 3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [OutcomeUnknownError] * 3
    assert batches == [[1, 2, 3]]


@pytest.mark.parametrize("limit", [1, 3])
async def test_nobody_waits_behind_a_database_that_is_silent(limit: int):
    batches: list[Sequence[int]] = []

    async def silent(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        if len(numbers) > 1:
            raise LookupError("one of them is guilty")
        raise DatabaseTimeoutError("silent")

    async with Gatherer(silent, limit=limit) as gatherer:
        answers = await asyncio.gather(*map(gatherer, range(9)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [DatabaseTimeoutError] * 9
    assert batches == ([[0]] if limit == 1 else [[0, 1, 2], [0]])
