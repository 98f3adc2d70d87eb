"""The only door to transactions: a decorator that shields, retries and joins."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError

from loyalty_graph.db.guarding import GuardedTransaction
from loyalty_graph.pauses import chance, full_jitter_s

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

CONNECTION_NAME = "default"
ATTEMPTS_MAX = 6
FIRST_PAUSE_MAX_S = 0.02
PAUSE_MAX_S = 1.0
# serialization_failure, deadlock_detected, lock_not_available
TRANSIENT_SQLSTATES = {"40001", "40P01", "55P03"}
TRANSIENT_SQLITE_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

guards: list[Callable[[], Awaitable[None]]] = []
"""Asked before each transaction; one that raises keeps it from beginning."""

_logger = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


def transaction(
    work: Callable[Arguments, Awaitable[Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    """Make an async function run in one transaction, or in the caller's if there is one.

    Once begun it runs to its end, even if its caller is cancelled: it has a task of its own. When
    the database was busy or chose it as the victim of a deadlock, it is undone and run again, so
    it must not leave anything outside the database half done. It starts no tasks that outlive it.
    """

    @wraps(work)
    async def in_one_transaction(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if in_transaction_now():
            return await work(*args, **kwargs)
        task = asyncio.create_task(_with_retries(lambda: work(*args, **kwargs)))
        _running.add(task)  # The loop itself holds tasks weakly.
        task.add_done_callback(_running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    return in_one_transaction


@asynccontextmanager
async def savepoint() -> AsyncIterator[None]:
    """Undo what the block wrote, and only that, when an exception leaves it."""
    assert_in_transaction()
    async with connection()._in_transaction():
        yield


def connection() -> BaseDBAsyncClient:
    """Return the present transaction, or outside of one the client."""
    return get_connections().get(CONNECTION_NAME)


def in_transaction_now() -> bool:
    """Return whether what is written now belongs to a transaction.

    Raises:
        TransactionManagementError: this task was started inside a transaction that has ended.
    """
    present = connection()
    if not isinstance(present, GuardedTransaction):
        return False
    present.refuse_when_ended()
    return True


def assert_in_transaction() -> None:
    """State that the caller must have opened a transaction."""
    assert in_transaction_now(), "this runs inside a transaction only; its use case opens it"


async def running_transactions_end(timeout_s: float) -> None:
    """Wait for the transactions whose callers went away, at most `timeout_s` seconds."""
    if _running:
        await asyncio.wait(_running, timeout=timeout_s)


def is_transient(error: BaseException) -> bool:
    """Return whether the same transaction may well succeed when it is run again."""
    cause = error.args[0] if error.args else None
    return (
        getattr(cause, "sqlstate", None) in TRANSIENT_SQLSTATES
        # The low byte is the primary code; the rest says which kind of busy.
        or getattr(cause, "sqlite_errorcode", -1) & 0xFF in TRANSIENT_SQLITE_CODES
    )


def _log_failure(task: asyncio.Task[Any]) -> None:
    """Keep the failure of a transaction whose caller has gone from passing unseen."""
    if not task.cancelled() and task.exception() is not None:
        _logger.error("A transaction failed after its caller had gone.", exc_info=task.exception())


async def _with_retries(work: Callable[[], Awaitable[Result]]) -> Result:
    for attempt in range(ATTEMPTS_MAX - 1):
        try:
            return await _once(work)
        except OperationalError as error:
            if not is_transient(error):
                raise
        pause_s = full_jitter_s(
            attempt, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
        )
        await asyncio.sleep(pause_s)
    return await _once(work)


async def _once(work: Callable[[], Awaitable[Result]]) -> Result:
    for may_begin in guards:
        await may_begin()
    async with connection()._in_transaction():
        return await work()
