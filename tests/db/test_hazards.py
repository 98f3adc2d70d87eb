"""Each hazard of Tortoise 1.1.9 shows on its own backends and is gone on ours.

The first half of each pair proves that the scenario can fail.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from tortoise.exceptions import (
    DBConnectionError,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
)

from loyalty_graph.db import connection, postgres, transaction, transactions
from loyalty_graph.db.urls import connection_config
from tests.db import scenarios
from tests.db.stage import add_one_to_both, amounts, opened, set_amount

ROOT = Path(__file__).parents[2]


@pytest.mark.sqlite
async def test_stock_t1_is_stuck_for_good_after_cancellations(database_url: str):
    async with opened(database_url, "stock"):
        outcome = await scenarios.one_after_the_other_cancelled(
            1_000, scenarios.in_plain_transaction
        )

    assert outcome == "stuck"


@pytest.mark.parametrize(
    ("case", "job"),
    [
        ("the decorator", transaction(add_one_to_both)),
        ("the ORM's own transactions", scenarios.in_plain_transaction),
    ],
)
async def test_t1_a_thousand_cancellations_leave_the_database_usable(
    case: str, job: scenarios.Job, database_url: str
):
    async with opened(database_url, "ours"):
        outcome = await scenarios.one_after_the_other_cancelled(1_000, job)
        await transactions.running_transactions_end(10)

    assert outcome == "usable"


@pytest.mark.parametrize("job", [transaction(add_one_to_both), scenarios.in_plain_transaction])
async def test_t1_crowds_of_cancelled_transactions_leave_none_half_done(
    job: scenarios.Job, database_url: str
):
    async with opened(database_url, "ours"):
        outcome = await scenarios.crowds_cancelled(500, job)
        await transactions.running_transactions_end(10)

    assert outcome == "usable"


@pytest.mark.sqlite
async def test_stock_t2_a_late_task_writes_into_another_transaction(database_url: str):
    async with opened(database_url, "stock"):
        said, left = await scenarios.late_task()

    assert (said, left) == ("wrote", [5, 0])


async def test_t2_and_t3_a_late_task_is_refused(database_url: str):
    async with opened(database_url, "ours"):
        said, left = await scenarios.late_task()

    assert (said, left) == ("TransactionManagementError", [5, 0])


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("kind", "outcome", "left"),
    [("stock", "database is locked", [7, 7]), ("ours", "written", [5, 0])],
    ids=["stock", "ours"],
)
async def test_t4_reading_before_writing_beside_another_process(
    kind: str, outcome: str, left: list[int], database_url: str
):
    file = connection_config(database_url)["credentials"]["file_path"]

    async with opened(database_url, kind):
        assert await scenarios.read_then_write_beside_another_process(file) == outcome
        assert await amounts() == left


@pytest.mark.sqlite
async def test_t4_several_processes_write_one_file_and_lose_nothing(database_url: str):
    async with opened(database_url, "ours"):
        pass

    outcomes = await asyncio.gather(
        *(add_ones_in_another_process(database_url, 150) for _ in range(3))
    )

    assert outcomes == [0, 0, 0]
    async with opened(database_url, "ours", fresh=False):
        assert await amounts() == [450, 450]


async def add_ones_in_another_process(url: str, count: int) -> int | None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.db.many_processes", url, str(count), cwd=ROOT
    )
    await process.wait()
    return process.returncode


@pytest.mark.sqlite
async def test_stock_t5_a_read_waits_for_the_writer(database_url: str):
    async with opened(database_url, "stock"):
        assert await scenarios.read_beside_a_transaction() == "waited for the writer"


async def test_t5_a_read_beside_an_open_transaction_sees_what_is_committed(database_url: str):
    async with opened(database_url, "ours"):
        assert await scenarios.read_beside_a_transaction() == "[0, 0]"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("kind", "left"), [("stock", ([50, 0], 1)), ("ours", ([0, 0], 0))], ids=["stock", "ours"]
)
async def test_t15_a_script_in_a_transaction_is_undone_with_it(
    kind: str, left: tuple[list[int], int], database_url: str
):
    async with opened(database_url, kind):
        assert await scenarios.script_then_rollback() == left


@pytest.mark.postgres
async def test_stock_t8_a_deadlock_comes_as_the_drivers_exception(database_url: str):
    async with opened(database_url, "stock"):
        outcomes = await scenarios.deadlock(scenarios.in_plain)

    assert outcomes == ["DeadlockDetectedError", "NoneType"]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("case", "job", "outcomes"),
    [
        ("told in Tortoise's words", scenarios.in_plain, ["NoneType", "OperationalError"]),
        ("run again", transaction, ["NoneType", "NoneType"]),
    ],
)
async def test_t8_a_deadlock_is_told_or_run_again(
    case: str, job: Callable[[scenarios.Job], scenarios.Job], outcomes: list[str], database_url: str
):
    async with opened(database_url, "ours"):
        assert await scenarios.deadlock(job) == outcomes
        first, second = await amounts()

    assert first == second


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "kind", "cause"),
    [
        (
            "SELECT pg_terminate_backend(pg_backend_pid())",
            DBConnectionError,
            asyncpg.ConnectionDoesNotExistError,
        ),
        ("SAVEPOINT lonely", TransactionManagementError, asyncpg.NoActiveSQLTransactionError),
        ("INSERT INTO pair VALUES (1, 1)", IntegrityError, asyncpg.UniqueViolationError),
        ("SELECT 1 / 0", OperationalError, asyncpg.DivisionByZeroError),
    ],
)
async def test_t8_every_error_of_the_driver_is_translated_and_kept_as_the_cause(
    statement: str, kind: type[Exception], cause: type[Exception], database_url: str
):
    async with opened(database_url, "ours"):
        with pytest.raises(kind) as refusal:
            await connection().execute_query(statement)

        assert type(refusal.value.__cause__) is cause
        assert await amounts() == [0, 0]


@pytest.mark.postgres
async def test_stock_t10_loses_connections_and_has_few(database_url: str):
    async with opened(database_url, "stock"):
        assert await scenarios.open_at_once(20) == "too few connections"
        assert await scenarios.connections_lost_to_cancellations(300) > 0


@pytest.mark.postgres
async def test_t10_loses_no_connection_and_has_twenty(database_url: str):
    async with opened(database_url, "ours"):
        assert await scenarios.open_at_once(20) == "all open"
        assert await scenarios.connections_lost_to_cancellations(300) == 0


@pytest.mark.postgres
async def test_t10_closing_cuts_off_a_transaction_that_hangs(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres, "CLOSE_GRACE_S", 0.05)
    begun, may_go_on = asyncio.Barrier(3), asyncio.Event()

    async def hang() -> None:
        await set_amount(1, 5)
        await begun.wait()
        await may_go_on.wait()

    async def hang_and_fail() -> None:
        await set_amount(2, 5)
        await begun.wait()
        await may_go_on.wait()
        raise LookupError

    async with opened(database_url, "ours"):
        tasks = [asyncio.create_task(scenarios.in_plain(work)()) for work in (hang, hang_and_fail)]
        await begun.wait()
    may_go_on.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [DBConnectionError, LookupError]
    async with opened(database_url, "ours", fresh=False):
        assert await amounts() == [0, 0]
