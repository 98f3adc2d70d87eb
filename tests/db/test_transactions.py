"""The transaction decorator and the savepoint."""

import asyncio

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import (
    DBConnectionError,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
)

from loyalty_graph.db import (
    after_commit,
    assert_in_transaction,
    connection,
    in_transaction_now,
    savepoint,
    transaction,
    transactions,
)
from loyalty_graph.db.guarding import finish
from tests.db.stage import add_row, amounts, set_amount
from tests.metering import Growth

pytestmark = pytest.mark.usefixtures("pair")


async def test_what_returns_is_kept():
    @transaction
    async def both(amount: int) -> str:
        await set_amount(1, amount)
        await set_amount(2, amount)
        return "done"

    answer = await both(5)

    assert answer == "done"
    assert await amounts() == [5, 5]


async def test_what_raises_leaves_nothing():
    @transaction
    async def half() -> None:
        await set_amount(1, 5)
        raise LookupError

    with pytest.raises(LookupError):
        await half()

    assert await amounts() == [0, 0]
    assert not in_transaction_now()


async def test_a_function_of_the_moment_can_be_run_in_a_transaction():
    async def work() -> bool:
        await set_amount(1, 7)
        return in_transaction_now()

    assert await transaction(work)()
    assert await amounts() == [7, 0]


async def test_an_inner_transaction_joins_the_outer_one():
    @transaction
    async def inner() -> None:
        await set_amount(2, 5)

    @transaction
    async def outer() -> None:
        await inner()
        raise LookupError

    with pytest.raises(LookupError):
        await outer()

    assert await amounts() == [0, 0]


async def test_a_transaction_whose_caller_goes_away_runs_to_its_end():
    begun, may_go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @transaction
    async def both() -> None:
        await set_amount(1, 5)
        begun.set()
        await may_go_on.wait()
        await set_amount(2, 5)
        ended.set()

    caller = asyncio.create_task(both())
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_go_on.set()
    await transactions.running_transactions_end(10)

    assert ended.is_set()
    assert await amounts() == [5, 5]


async def test_a_failure_after_the_caller_has_gone_is_logged(caplog: pytest.LogCaptureFixture):
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    @transaction
    async def fails(error: Exception | None) -> None:
        begun.set()
        await may_go_on.wait()
        if error:
            raise error

    callers = [asyncio.create_task(fails(error)) for error in (LookupError("lost"), None)]
    await begun.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    may_go_on.set()
    await transactions.running_transactions_end(10)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "A transaction failed after its caller had gone."
    ]
    assert "LookupError: lost" in caplog.text


async def test_a_transaction_the_database_refused_for_now_is_run_again():
    tries = []

    @transaction
    async def unlucky() -> None:
        tries.append(await amounts())
        await set_amount(1, len(tries))
        if len(tries) < 3:
            raise OperationalError(Refusal("40001"))

    await unlucky()

    assert tries == [[0, 0]] * 3
    assert await amounts() == [3, 0]


async def test_a_transaction_is_not_run_again_for_ever():
    tries = []

    @transaction
    async def hopeless() -> None:
        tries.append(1)
        raise OperationalError(Refusal("40P01"))

    with pytest.raises(OperationalError):
        await hopeless()

    assert len(tries) == transactions.ATTEMPTS_MAX


async def test_a_plain_mistake_is_not_run_again():
    tries = []

    @transaction
    async def mistaken() -> None:
        tries.append(1)
        await connection().execute_query("SELECT nothing FROM nowhere")

    with pytest.raises(OperationalError):
        await mistaken()

    assert len(tries) == 1


async def test_a_savepoint_undoes_its_own_part():
    @transaction
    async def partly() -> None:
        await set_amount(1, 5)
        with pytest.raises(IntegrityError):
            await broken_part()
        async with savepoint():
            await add_row(3)

    async def broken_part() -> None:
        async with savepoint():
            await set_amount(2, 5)
            await add_row(1)

    await partly()

    assert await amounts() == [5, 0, 0]


async def test_a_savepoint_needs_a_transaction():
    with pytest.raises(AssertionError, match="its use case opens it"):
        async with savepoint():
            raise LookupError

    with pytest.raises(AssertionError, match="its use case opens it"):
        assert_in_transaction()


async def test_a_task_that_outlives_its_transaction_is_refused():
    over = asyncio.Event()

    async def late(use) -> None:  # noqa: ANN001 - any of the calls below
        await over.wait()
        await use()

    @transaction
    async def careless() -> list[asyncio.Task[None]]:
        calls = (lambda: set_amount(1, 777), amounts, transaction(amounts), saved)
        return [asyncio.create_task(late(call)) for call in calls]

    async def saved() -> None:
        async with connection()._in_transaction():
            await set_amount(1, 777)

    late_tasks = await careless()
    over.set()
    outcomes = await asyncio.gather(*late_tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [TransactionManagementError] * 4
    assert await amounts() == [0, 0]


async def test_tasks_inside_a_transaction_take_turns():
    @transaction
    async def together() -> None:
        await asyncio.gather(*(add_row(identity) for identity in range(3, 23)))

    await together()

    assert len(await amounts()) == 22


async def test_a_swallowed_failure_never_passes_for_a_commit(pair: BaseDBAsyncClient):
    @transaction
    async def careless() -> None:
        await set_amount(1, 5)
        with pytest.raises(IntegrityError):
            await add_row(1)

    if pair.capabilities.dialect == "sqlite":  # It undoes the statement alone.
        await careless()
        assert await amounts() == [5, 0]
    else:
        with pytest.raises(TransactionManagementError, match="Nothing was kept"):
            await careless()
        assert await amounts() == [0, 0]


async def test_a_transaction_may_be_ended_by_hand():
    async with connection()._in_transaction() as by_hand:
        await set_amount(1, 5)
        await by_hand.rollback()

    assert await amounts() == [0, 0]


async def test_finishing_something_that_is_cancelled_ends_too():
    async def endless() -> None:
        await asyncio.Event().wait()

    inner = asyncio.create_task(endless())
    waiting = asyncio.create_task(finish(inner))
    await asyncio.sleep(0)
    waiting.cancel()
    inner.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled()


class Refusal(Exception):  # noqa: N818 - a stand-in for the driver's
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


async def test_what_comes_after_a_commit_is_called_once_it_is_kept():
    seen: list[bool] = []

    @transaction
    async def inner() -> None:
        after_commit(lambda: seen.append(in_transaction_now()))

    @transaction
    async def outer() -> None:
        await inner()
        await set_amount(1, 5)
        assert seen == []

    await outer()

    assert seen == [False]
    with pytest.raises(AssertionError):
        after_commit(lambda: None)


async def test_what_was_undone_is_never_called_after_and_a_retry_counts_once():
    seen: list[int] = []
    tries, retried = [True, False], Growth("loyalty_transaction_retries_total")

    @transaction
    async def unlucky() -> None:
        after_commit(lambda: seen.append(1))
        await set_amount(1, 5)
        if tries.pop(0):
            raise DBConnectionError("lost")

    await unlucky()

    assert (seen, retried.by) == ([1], 1)
    assert await amounts() == [5, 0]
