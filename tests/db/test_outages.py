"""What a database that goes away, falls silent or comes back does to a transaction."""

import asyncio
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tortoise.exceptions import (
    DBConnectionError,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
)

from chaos.proxy import Proxy, Way, postgres_target, through
from loyalty_graph.db import (
    connection,
    open_database,
    postgres,
    silence,
    transaction,
    transactions,
)
from loyalty_graph.db.outages import (
    DatabaseTimeoutError,
    OutageLog,
    OutcomeUnknownError,
    in_one_line,
    is_lost,
    is_unavailable,
    log_failure,
)
from loyalty_graph.db.postgres import translated
from loyalty_graph.db.sets import store
from loyalty_graph.outbox import CardMark, mark_cards
from tests.databases import run_on
from tests.db.stage import add_row, amounts, opened, set_amount
from tests.outages import fresh_outage_log

only_postgres = pytest.mark.postgres


class RefusalError(Exception):
    def __init__(self, **codes: Any) -> None:
        super().__init__("refused")
        self.__dict__.update(codes)


@pytest.mark.parametrize(
    ("error", "may_pass", "was_lost"),
    [
        (DBConnectionError("refused"), True, True),
        (OutcomeUnknownError("COMMIT"), True, False),
        (DatabaseTimeoutError("silent"), True, False),
        (
            OperationalError(RefusalError(sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT)),
            True,
            False,
        ),
        (OperationalError(RefusalError(sqlite_errorcode=sqlite3.SQLITE_FULL)), False, False),
        (translated(asyncpg.DeadlockDetectedError("dead")), True, False),
        (translated(asyncpg.SerializationError("skew")), True, False),
        (translated(asyncpg.LockNotAvailableError("locked")), True, False),
        (translated(asyncpg.QueryCanceledError("statement timeout")), True, False),
        (translated(TimeoutError()), True, False),
        (translated(TimeoutError(110, "Connection timed out")), True, True),
        (translated(ConnectionResetError()), True, True),
        (translated(asyncpg.TooManyConnectionsError("sorry")), True, True),
        (translated(asyncpg.CannotConnectNowError("starting up")), True, True),
        (translated(asyncpg.AdminShutdownError("shutting down")), True, True),
        (translated(asyncpg.CrashShutdownError("another one crashed")), True, True),
        (translated(asyncpg.IdleInTransactionSessionTimeoutError("too idle")), True, True),
        (translated(asyncpg.ReadOnlySQLTransactionError("a standby")), True, True),
        (translated(asyncpg.InterfaceError("connection is closed")), True, True),
        (translated(asyncpg.UndefinedTableError("nothing")), False, False),
        (TransactionManagementError("ended"), False, False),
        (IntegrityError("twice"), False, False),
        (ValueError("ours"), False, False),
    ],
    ids=repr,
)
def test_which_failures_pass_and_which_lost_the_whole_transaction(
    error: Exception, *, may_pass: bool, was_lost: bool
):
    assert is_unavailable(error) is may_pass
    assert is_lost(error) is was_lost


def test_the_log_tells_of_an_outage_at_once_and_then_every_ten_seconds(
    caplog: pytest.LogCaptureFixture,
):
    now = [100.0]
    log = OutageLog(clock=lambda: now[0])

    for at in (100.0, 101.0, 109.9, 110.0, 119.9):
        now[0] = at
        log.note(DBConnectionError("refused\nDETAIL: more"))

    told = "The database is not available (callers told since the last such line: {}): refused"
    assert [record.getMessage() for record in caplog.records] == [told.format(1), told.format(3)]


def test_an_error_without_words_is_called_by_its_name():
    assert in_one_line(DatabaseTimeoutError()) == "DatabaseTimeoutError"


@asynccontextmanager
async def behind_a_proxy(url: str, **settings: Any) -> AsyncIterator[Proxy]:
    """Open the database through a proxy; the server is waited for only a moment."""
    waits = {"command_timeout_s": 0.2, "connect_timeout_s": 0.2, "pool_wait_s": 0.2, **settings}
    async with (
        Proxy(postgres_target(url)) as proxy,
        opened(through(url, proxy), "ours", **waits),
    ):
        yield proxy
        await proxy.heal()


@pytest.fixture
async def proxy(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    monkeypatch.setattr(postgres, "SILENCE_GRACE_S", 0.0)
    async with behind_a_proxy(database_url) as proxy:
        yield proxy


@only_postgres
async def test_a_connection_lost_before_commit_is_taken_anew_and_nothing_is_done_twice(
    proxy: Proxy,
):
    tries = []

    @transaction
    async def add() -> None:
        tries.append(await amounts())
        await set_amount(1, 5)
        if len(tries) == 1:
            proxy.drop()
        await set_amount(2, 5)

    await add()

    assert tries == [[0, 0], [0, 0]]
    assert await amounts() == [5, 5]


@only_postgres
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_transaction_whose_commit_got_no_answer_is_not_run_again(
    proxy: Proxy, *, is_done: bool
):
    tries = []

    @transaction
    async def add() -> None:
        tries.append(1)
        await set_amount(1, 5)

    if is_done:
        proxy.cut_answer(b"COMMIT")
    else:
        proxy.cut_request(b"COMMIT")

    with pytest.raises(OutcomeUnknownError):
        await add()

    assert tries == [1]
    assert await amounts() == ([5, 0] if is_done else [0, 0])


@only_postgres
@pytest.mark.parametrize("is_done", [True, False])
async def test_what_was_sent_along_with_commit_is_not_sent_again_without_an_answer(
    database_url: str, *, is_done: bool
):
    tries = []

    @transaction
    async def mark(member: UUID) -> None:
        tries.append(member)
        await store(UUID(int=1), [mark_cards([member], now=datetime(2026, 3, 2, tzinfo=UTC))])

    ada, bob = UUID(int=2), UUID(int=3)
    async with (
        Proxy(postgres_target(database_url)) as proxy,
        open_database(through(database_url, proxy)),
    ):
        await mark(ada)
        if is_done:
            proxy.cut_answer(b"COMMIT")
        else:
            proxy.cut_request(b"COMMIT")
        with pytest.raises(OutcomeUnknownError):
            await mark(bob)
        marked = [one.member_id for one in await CardMark.all()]

    assert tries == [ada, bob]
    assert marked == ([ada, bob] if is_done else [ada])


@only_postgres
async def test_a_connection_seen_to_be_lost_is_not_asked_to_commit(proxy: Proxy):
    tries = []

    @transaction
    async def add() -> None:
        tries.append(1)
        await set_amount(1, 5)
        if len(tries) == 1:
            present: Any = connection()
            present._connection.add_termination_listener(lambda _: gone.set())
            proxy.drop()
            await gone.wait()

    gone = asyncio.Event()
    await add()

    assert tries == [1, 1]
    assert await amounts() == [5, 0]


@only_postgres
async def test_a_server_that_ends_all_connections_is_not_noticed_by_callers(proxy: Proxy):
    @transaction
    async def add(number: int) -> None:
        await add_row(number)

    await asyncio.gather(*(add(number) for number in range(10, 14)))
    await connection().execute_query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await asyncio.gather(*(add(number) for number in range(14, 24)))

    assert await amounts() == [0] * 16


@only_postgres
async def test_a_server_that_is_away_is_given_up_and_found_again(proxy: Proxy):
    tries = []

    @transaction
    async def add() -> None:
        tries.append(1)
        await set_amount(1, 5)

    proxy.refuse()
    proxy.drop()
    with pytest.raises(DBConnectionError) as refusal:
        await add()
    with pytest.raises(DBConnectionError):
        await amounts()
    await proxy.heal()
    await add()

    assert is_lost(refusal.value)
    assert tries == [1, 1]
    assert await amounts() == [5, 0]


@only_postgres
async def test_a_silent_server_is_waited_for_once_and_its_connection_never_used_again(
    proxy: Proxy,
):
    tries = []

    @transaction
    async def add() -> None:
        tries.append(1)
        await set_amount(1, 5)

    async def read() -> list[int]:
        return await amounts()

    await read()
    proxy.swallow()
    with pytest.raises(DatabaseTimeoutError):
        await add()
    with pytest.raises(DatabaseTimeoutError):
        await read()
    await proxy.heal()

    assert tries == [1]
    assert await amounts() == [0, 0]
    await add()
    assert await amounts() == [5, 0]


@only_postgres
async def test_silence_in_the_middle_of_a_transaction_ends_it(proxy: Proxy):
    tries = []

    @transaction
    async def add() -> None:
        tries.append(1)
        await set_amount(1, 5)
        proxy.swallow()
        await set_amount(2, 5)

    with pytest.raises(DatabaseTimeoutError):
        await add()
    await proxy.heal()

    assert tries == [1]
    assert await amounts() == [0, 0]


@only_postgres
async def test_silence_at_commit_leaves_the_outcome_open(proxy: Proxy):
    @transaction
    async def add() -> None:
        await set_amount(1, 5)
        proxy.swallow()

    with pytest.raises(OutcomeUnknownError):
        await add()
    await proxy.heal()


@only_postgres
async def test_a_slow_statement_is_ended_by_the_server_and_the_connection_stays(proxy: Proxy):
    with pytest.raises(OperationalError) as refusal:
        await transaction(connection().execute_query)("SELECT pg_sleep(10)")

    assert is_unavailable(refusal.value)
    assert await amounts() == [0, 0]


@only_postgres
@pytest.mark.parametrize("way", list(Way))
async def test_a_half_closed_connection_is_noticed_and_replaced(proxy: Proxy, way: Way):
    await amounts()
    proxy.half_close(way)

    @transaction
    async def add() -> None:
        await set_amount(1, 5)

    await add()

    assert await amounts() == [5, 0]


@only_postgres
async def test_who_finds_no_free_connection_is_told_so(database_url: str):
    async with behind_a_proxy(database_url, pool_size=1, pool_wait_s=0.05):

        @transaction
        async def hold() -> None:
            begun.set()
            await may_end.wait()

        begun, may_end = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold())
        await begun.wait()
        with pytest.raises(DatabaseTimeoutError):
            await amounts()
        may_end.set()
        await holder

        assert await amounts() == [0, 0]


@only_postgres
async def test_whatever_a_server_has_against_a_new_connection_it_is_not_there(
    proxy: Proxy, server: str
):
    [row] = await connection().execute_query_dict("SELECT current_database() AS name")
    await run_on(server, f"DROP DATABASE {row['name']} WITH (FORCE)")

    with pytest.raises(DBConnectionError) as refusal:
        await amounts()

    assert is_lost(refusal.value)


@only_postgres
async def test_connections_over_a_network_are_watched_for_silence(proxy: Proxy):
    async with connection().acquire_connection() as pooled:
        raw = pooled._con._transport.get_extra_info("socket")

        assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert {
            option: raw.getsockopt(socket.IPPROTO_TCP, option) for option in silence.SOCKET_OPTIONS
        } == silence.SOCKET_OPTIONS


async def test_an_outage_after_the_caller_has_gone_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, pair: object
):
    @transaction
    async def add() -> None:
        begun.set()
        await may_end.wait()
        raise DatabaseTimeoutError("The database did not answer in time.")

    begun, may_end = asyncio.Event(), asyncio.Event()
    caller = asyncio.create_task(add())
    await begun.wait()
    caller.cancel()
    await asyncio.wait([caller])
    may_end.set()
    await transactions.running_transactions_end(5)

    [record] = caplog.records
    assert record.exc_info is None
    assert record.getMessage() == (
        "A transaction failed after its caller had gone: The database did not answer in time."
    )


async def test_a_busy_database_is_not_tried_for_longer_than_somebody_waits(
    monkeypatch: pytest.MonkeyPatch, pair: object
):
    monkeypatch.setattr(transactions, "RETRIED_FOR_S", -1.0)
    tries = []

    @transaction
    async def hopeless() -> None:
        tries.append(1)
        raise OperationalError(RefusalError(sqlstate="40P01"))

    with pytest.raises(OperationalError):
        await hopeless()

    assert tries == [1]


def test_a_failure_is_a_line_for_all_or_a_traceback(caplog: pytest.LogCaptureFixture):
    logger = logging.getLogger("till")
    with fresh_outage_log():
        away = [log_failure(logger, DBConnectionError("refused"), "Till %s", 1) for _ in range(2)]
    ours = log_failure(logger, ValueError("ours"), "Till %s failed", 3)

    assert (away, ours) == ([True, True], False)
    assert [(one.name, one.getMessage(), bool(one.exc_info)) for one in caplog.records] == [
        (
            "loyalty_graph.db.outages",
            "The database is not available (callers told since the last such line: 1): refused",
            False,
        ),
        ("till", "Till 3 failed", True),
    ]
