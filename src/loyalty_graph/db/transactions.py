"""The only door to transactions: a decorator that shields, retries and joins."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError, OperationalError

from loyalty_graph import metrics, traces
from loyalty_graph.db.guarding import GuardedTransaction
from loyalty_graph.db.outages import is_conflict, is_lost, is_unavailable
from loyalty_graph.db.storage import Storage
from loyalty_graph.pauses import chance, full_jitter_s

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

CONNECTION_NAME = "default"
ATTEMPTS_MAX = 6
FIRST_PAUSE_MAX_S = 0.02
PAUSE_MAX_S = 1.0
# On SQLite each try may have waited seconds for another process; somebody waits for all of them.
RETRIED_FOR_S = 10.0

guards: list[Callable[[], Awaitable[None]]] = []
"""Asked before each transaction; one that raises keeps it from beginning."""

_logger = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()
_afterwards: ContextVar[list[Callable[[], None]]] = ContextVar("afterwards")


def transaction(
    work: Callable[Arguments, Awaitable[Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    """Make an async function run in one transaction, or in the caller's if there is one.

    Once begun it runs to its end, even if its caller is cancelled: it has a task of its own. When
    the database was busy, chose it as the victim of a deadlock, or the connection was lost before
    COMMIT was sent, it is undone and run again, so it must not leave anything outside the database
    half done. When an answer is not there in time, or the one to COMMIT got lost, it is not: its
    caller may try again, and an idempotency key decides. It starts no tasks that outlive it.
    """
    name = f"transaction {getattr(work, '__qualname__', '')}"

    @wraps(work)
    async def in_one_transaction(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if in_transaction_now():
            return await work(*args, **kwargs)
        task = asyncio.create_task(_traced(name, lambda: work(*args, **kwargs)))
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


async def assert_may_begin() -> None:
    """Ask the `guards`, which raise when this process must not write any more."""
    for may_begin in guards:
        await may_begin()


def connection() -> BaseDBAsyncClient:
    """Return the present transaction, or outside of one the client."""
    return get_connections().get(CONNECTION_NAME)


def storage() -> Storage:
    """Return what this process has seen of the storage under its database."""
    known: Storage = cast("Any", connection()).storage
    return known


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


def after_commit(call: Callable[[], None]) -> None:
    """Have this called when the present transaction was kept; never when it was undone.

    It is for what is only counted: nobody is told when it fails, and a crash may come before it.
    """
    assert_in_transaction()
    _afterwards.get().append(call)


async def running_transactions_end(timeout_s: float) -> None:
    """Wait for the transactions whose callers went away, at most `timeout_s` seconds."""
    if _running:
        await asyncio.wait(_running, timeout=timeout_s)


def _log_failure(task: asyncio.Task[Any]) -> None:
    """Keep the failure of a transaction whose caller has gone from passing unseen."""
    error = None if task.cancelled() else task.exception()
    if is_unavailable(error):
        _logger.warning("A transaction failed after its caller had gone: %s", error)
    elif error is not None:
        _logger.error("A transaction failed after its caller had gone.", exc_info=error)


async def _traced(name: str, work: Callable[[], Awaitable[Result]]) -> Result:
    with traces.span(name, begins=False):
        return await _with_retries(work)


async def _with_retries(work: Callable[[], Awaitable[Result]]) -> Result:
    loop = asyncio.get_running_loop()
    last_at = loop.time() + RETRIED_FOR_S
    for attempt in range(ATTEMPTS_MAX - 1):
        try:
            return await _once(work)
        except (OperationalError, DBConnectionError) as error:
            if not (is_conflict(error) or is_lost(error)) or loop.time() > last_at:
                raise
        metrics.transaction_retries.inc()
        pause_s = full_jitter_s(
            attempt, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
        )
        await asyncio.sleep(pause_s)
    return await _once(work)


async def _once(work: Callable[[], Awaitable[Result]]) -> Result:
    await assert_may_begin()
    calls: list[Callable[[], None]] = []
    _afterwards.set(calls)
    async with connection()._in_transaction():
        result = await work()
    for call in calls:
        call()
    return result
