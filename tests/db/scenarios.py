"""The hazards of Tortoise 1.1.9, each as a scenario that says what it saw."""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tortoise.exceptions import BaseORMException, OperationalError
from tortoise.transactions import in_transaction  # noqa: TID251 - what the hazards are about

from tests.db.stage import add_one_to_both, amounts, present, set_amount

STUCK_AFTER_S = 2.0
LONGEST_PAUSE_S = 0.0015

Job = Callable[[], Awaitable[object]]


async def one_after_the_other_cancelled(count: int, job: Job) -> str:  # T1
    """Start `count` jobs and cancel each at a random moment; then see whether one more can run."""
    dice = random.Random(1)  # noqa: S311 - repeatable, not secret
    for _ in range(count):
        task = asyncio.create_task(job())
        await asyncio.sleep(dice.random() * LONGEST_PAUSE_S)
        task.cancel()
        await asyncio.wait([task])
    return await usable(job)


async def crowds_cancelled(count: int, job: Job) -> str:  # T1
    """The same with fifty at a time waiting for each other, most of which are cancelled."""
    dice = random.Random(2)  # noqa: S311 - repeatable, not secret
    for _ in range(count // 50):
        tasks = [asyncio.create_task(job()) for _ in range(50)]
        await asyncio.sleep(dice.random() * 0.02)
        for task in tasks:
            if dice.random() < 0.7:
                task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=STUCK_AFTER_S)
        if pending:
            return "stuck"
    return await usable(job)


async def usable(job: Job) -> str:
    try:
        await asyncio.wait_for(job(), STUCK_AFTER_S)
        first, second = await amounts()
    except (TimeoutError, BaseORMException):
        return "stuck"
    return "usable" if first == second else f"half done: {first} and {second}"


async def in_plain_transaction() -> None:
    async with in_transaction():
        await add_one_to_both()


@asynccontextmanager
async def undone() -> AsyncIterator[None]:
    """A transaction that ends with a failure."""
    with contextlib.suppress(LookupError):
        async with in_transaction():
            yield
            raise LookupError


async def late_task() -> tuple[str, list[int]]:  # T2 and T3
    """Let a task outlive its transaction and write while another one is open, then undone."""
    other_is_open, written = asyncio.Event(), asyncio.Event()

    async def late() -> str:
        await other_is_open.wait()
        try:
            await set_amount(1, 777)
        except Exception as error:  # noqa: BLE001 - which one is the question
            return type(error).__name__
        else:
            return "wrote"
        finally:
            written.set()

    async with in_transaction():
        await set_amount(1, 5)
        task = asyncio.create_task(late())
    async with undone():
        await set_amount(2, 6)
        other_is_open.set()
        await written.wait()
    return await task, await amounts()


async def read_then_write_beside_another_process(file: str) -> str:  # T4
    """Read in a transaction, let another connection try to write, then write."""
    other = sqlite3.connect(file, isolation_level=None, timeout=0)

    async def read_then_write() -> None:
        await amounts()
        with contextlib.suppress(sqlite3.OperationalError):  # Locked out, as it should be.
            other.execute("UPDATE pair SET amount = 7")
        await set_amount(1, 5)

    try:
        await in_plain(read_then_write)()
    except OperationalError as error:
        return str(error)
    finally:
        other.close()
    return "written"


async def read_beside_a_transaction() -> str:  # T5
    """Read while another task holds a transaction open, which ends only after the read."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def writer() -> None:
        async with in_transaction():
            await set_amount(1, 9)
            begun.set()
            await may_end.wait()

    task = asyncio.create_task(writer())
    await begun.wait()
    try:
        seen = str(await asyncio.wait_for(amounts(), STUCK_AFTER_S))
    except TimeoutError:
        seen = "waited for the writer"
    may_end.set()
    await task
    return seen


async def script_then_rollback() -> tuple[list[int], int]:  # T15
    """Run a script inside a transaction that is then undone; return what was left."""
    async with undone():
        await set_amount(1, 50)
        await present().execute_script(
            "CREATE TABLE left_behind (a INT); INSERT INTO left_behind VALUES (1);"
        )
    tables = await present().execute_query_dict(
        "SELECT name FROM sqlite_master WHERE name = 'left_behind'"
    )
    return await amounts(), len(tables)


async def deadlock(job: Callable[[Job], Job]) -> list[str]:  # T8
    """Let two transactions lock two rows in opposite order; return how each ended."""
    first_rows_locked = asyncio.Barrier(2)

    def locks(first: int, second: int) -> Job:
        tries = []

        async def work() -> None:
            tries.append(1)
            await present().execute_query("SET LOCAL deadlock_timeout = '10ms'")
            await set_amount(first, first)
            if len(tries) == 1:
                await first_rows_locked.wait()
            await set_amount(second, first)

        return work

    outcomes = await asyncio.gather(job(locks(1, 2))(), job(locks(2, 1))(), return_exceptions=True)
    return sorted(type(outcome).__name__ for outcome in outcomes)


def in_plain(work: Job) -> Job:
    async def whole() -> None:
        async with in_transaction():
            await work()

    return whole


async def connections_lost_to_cancellations(count: int) -> int:  # T10
    """Cancel transactions at random moments; return how many connections never came back."""
    await one_after_the_other_cancelled(count, in_plain_transaction)
    pool = present()._pool
    lost = pool.get_size() - pool.get_idle_size()
    pool.terminate()
    return lost


async def open_at_once(count: int) -> str:  # T10
    """Hold `count` transactions open at the same time."""
    everybody = asyncio.Barrier(count)

    async def hold() -> None:
        async with in_transaction():
            await everybody.wait()

    try:
        await asyncio.wait_for(asyncio.gather(*(hold() for _ in range(count))), STUCK_AFTER_S)
    except TimeoutError:
        return "too few connections"
    return "all open"
