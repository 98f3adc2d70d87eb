"""What may go wrong between putting statements off and having them answered, on PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from uuid import UUID

import asyncpg
import pytest
from asyncpg.protocol import Protocol
from tortoise.exceptions import (
    DBConnectionError,
    OperationalError,
    TransactionManagementError,
)

from loyalty_graph.db import connection, transaction
from loyalty_graph.db.pipelining import Statement
from loyalty_graph.db.sets import Update, store
from loyalty_graph.outbox import mark_cards
from loyalty_graph.outbox.models import CardMark

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("database")]

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2026, 3, 3, tzinfo=UTC)
PROGRAM, ADA, BOB = (UUID(int=number) for number in (1, 2, 3))


def present() -> Any:
    """Return the transaction, or the client."""
    return connection()


@transaction
async def mark(*members: UUID) -> None:
    await store(PROGRAM, [mark_cards(members, now=NOW)])


@transaction
async def remark(member: UUID) -> None:
    """Set a mark that is there to another moment, along with COMMIT."""
    await store(PROGRAM, [Update(CardMark, ("member_id",), ("marked_at",), [(member, LATER)])])


async def marked() -> list[UUID]:
    return [one.member_id for one in await CardMark.all().order_by("member_id")]


async def read_what_cannot_be_prepared() -> None:
    with pytest.raises(OperationalError):
        await present().read("select nothing from nowhere", [])


async def cancel_before_it_is_sent() -> None:
    reading = asyncio.create_task(present().read("select 1, 'a new one'", []))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])


@pytest.mark.parametrize("try_in_vain", [read_what_cannot_be_prepared, cancel_before_it_is_sent])
async def test_what_follows_a_statement_that_was_not_sent_is_undone_with_the_transaction(
    try_in_vain: Callable[[], Awaitable[None]],
):
    @transaction
    async def fail() -> None:
        await try_in_vain()
        await mark(ADA)
        await present().read("select 1", [])
        raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert await marked() == []


async def test_a_pool_that_is_closed_while_an_answer_is_waited_for_is_a_lost_connection():
    client = present()

    @transaction
    async def wait() -> None:
        await present().read("select pg_sleep(60)", [])

    async def is_sleeping() -> bool:
        _, rows = await client.execute_query(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            " AND datname = current_database()"
        )
        return bool(rows)

    waiting = asyncio.create_task(wait())
    while not await is_sleeping():
        pass
    client._pool.terminate()

    with pytest.raises(DBConnectionError):
        await waiting


async def test_statements_dropped_while_others_are_prepared_are_prepared_again():
    await mark(ADA)
    prepare, drops = asyncpg.Connection._get_statement, [1, 2, 3]

    async def after_a_drop(raw: Any, text: str, *rest: Any, **more: Any) -> Any:
        if text.startswith("insert") and drops:
            drops.pop()
            raw._drop_local_statement_cache()
        return await prepare(raw, text, *rest, **more)

    with mock.patch.object(asyncpg.Connection, "_get_statement", after_a_drop):
        await mark(BOB)

    assert drops == []
    assert await marked() == [ADA, BOB]


async def test_after_a_statement_was_cancelled_the_next_one_says_that_all_is_undone():
    await mark(ADA)

    @transaction
    async def impatient() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await present().read("select pg_sleep(60)", [])
        await present().put_before(Statement("select 1 where false"))
        await present().read("select 1", [])

    with pytest.raises(TransactionManagementError):
        await impatient()
    await mark(BOB)

    assert await marked() == [ADA, BOB]
    assert present().pool_use()[:2] == (0, 1)


async def test_what_a_standby_refused_along_with_commit_is_written_by_another_connection():
    tries = []

    @transaction
    async def write() -> None:
        tries.append(1)
        if len(tries) == 1:
            await present().execute_query("SET TRANSACTION READ ONLY")
        await mark(ADA)

    await write()

    assert tries == [1, 1]
    assert await marked() == [ADA]


async def test_a_deadlock_of_what_went_along_with_commit_is_resolved():
    await mark(ADA, BOB)
    locked, tries = asyncio.Barrier(2), []
    locks = "select 1 from card_mark where member_id = $1 for update"

    @transaction
    async def cross(first: UUID, second: UUID) -> None:
        tries.append(first)
        await present().execute_query("SET LOCAL deadlock_timeout = '10ms'")
        await present().execute_query(locks, [first])
        if len(tries) <= 2:
            await locked.wait()
        await remark(second)

    await asyncio.gather(cross(ADA, BOB), cross(BOB, ADA))

    assert len(tries) == 3
    assert {one.marked_at for one in await CardMark.all()} == {LATER}


async def test_what_found_a_row_locked_along_with_commit_is_run_again():
    await mark(ADA)
    tries = []

    @transaction
    async def hold() -> None:
        await present().execute_query("select 1 from card_mark for update")
        held.set()
        await may_end.wait()

    @transaction
    async def write() -> None:
        tries.append(1)
        await present().execute_query("SET LOCAL lock_timeout = '10ms'")
        if len(tries) == 2:
            may_end.set()
            await holder
        await remark(ADA)

    held, may_end = asyncio.Event(), asyncio.Event()
    holder = asyncio.create_task(hold())
    await held.wait()
    await write()

    assert tries == [1, 1]
    assert [one.marked_at for one in await CardMark.all()] == [LATER]


async def test_a_connection_lost_before_commit_was_sent_is_replaced():
    tries = []

    @transaction
    async def write() -> None:
        tries.append(1)
        await present().execute_query("select 1")
        if len(tries) == 1:
            present()._connection._con._drop_local_statement_cache()
            await present().execute_query("select pg_terminate_backend(pg_backend_pid(), 0)")
        await mark(ADA)

    await write()

    assert await marked() == [ADA]


async def test_more_than_any_buffer_holds_goes_along_with_commit():
    members = [UUID(int=number) for number in range(30_000)]

    await mark(*members)

    assert await CardMark.all().count() == 30_000


async def test_what_the_server_says_in_between_does_not_matter():
    @transaction
    async def talk() -> None:
        await present().put_before(Statement("do $$ begin raise warning 'listen'; end $$"))
        await present().put_before(Statement("SET LOCAL timezone = 'Asia/Tokyo'"))
        await present().put_before(Statement("notify somebody"))
        await mark(ADA)
        await mark(BOB)

    await talk()

    assert await marked() == [ADA, BOB]


async def test_a_connection_that_cannot_be_closed_does_not_hide_that_all_was_kept():
    client = present()
    await mark(ADA)
    [holder] = [one for one in client._pool._holders if one._con is not None]
    holder._max_queries = 1

    with mock.patch.object(Protocol, "close", side_effect=TimeoutError):
        await mark(BOB)

    assert await marked() == [ADA, BOB]
    assert client.pool_use()[0] == 0


async def forget() -> None:
    """Let the server forget what was prepared, as a pooler may."""
    async with present().acquire_connection() as raw:
        await raw.execute("DISCARD ALL")


async def test_a_server_that_forgot_what_was_prepared_is_told_anew():
    await mark(ADA)
    await forget()

    await mark(BOB)

    assert await marked() == [ADA, BOB]


async def test_a_connection_whose_server_forgot_is_not_used_for_a_second_reading():
    await marked()
    await forget()

    with pytest.raises(DBConnectionError):
        await marked()

    assert await marked() == []
