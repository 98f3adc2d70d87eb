"""Tortoise's backend for PostgreSQL over asyncpg: cancellable, with every error translated.

Against Tortoise's own: a transaction cancelled at any point gives its connection back, a COMMIT
that the server turned into a ROLLBACK is an error, deadlocks and lost connections come as
Tortoise's exceptions (the driver's as their cause), and closing never hangs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient as StockClient
from tortoise.backends.asyncpg.client import TransactionWrapper as StockTransaction
from tortoise.backends.base.client import TransactionContext
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.exceptions import (
    BaseORMException,
    DBConnectionError,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
)

from loyalty_graph.db.ddl import SchemaGenerator
from loyalty_graph.db.guarding import GuardedContext, GuardedTransaction
from loyalty_graph.errors import DatabaseError

Result = TypeVar("Result")

POOL_SIZE = 20
COMMAND_TIMEOUT_S = 60.0
CLOSE_GRACE_S = 3.0
SERVER_SETTINGS = {
    "application_name": "loyalty-graph",
    # Our statements are short; compiling one takes longer than running it.
    "jit": "off",
}
# Look-ups inside a transaction are by key, but a connection keeps the plan it made while a table
# was empty or not yet analysed: a sequential scan, which later costs a factor of four to six.
# Sent with BEGIN in one message this costs no round trip, and it leaves the reads outside
# transactions (catalogue, reports) their sequential scans.
BEGIN = "BEGIN; SET LOCAL enable_seqscan = off"

DRIVER_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
CONNECTION_ERRORS = (
    OSError,
    # The server has said goodbye, and the connection is used before it is seen to be closed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
# The driver has no class of its own for a connection that is not there any more.
GONE = ("connection is closed", "released back to the pool", "pool is closing", "pool is closed")


class _Translating(StockClient):
    async def _translate_exceptions(
        self, func: Callable[..., Awaitable[Result]], *args: object, **kwargs: object
    ) -> Result:
        try:
            return await func(self, *args, **kwargs)
        except DRIVER_ERRORS as error:
            raise translated(error) from error


class PostgresClient(_Translating):
    """A pool of connections."""

    schema_generator = SchemaGenerator  # type: ignore[assignment] # ours serves both databases

    def __init__(
        self,
        *,
        pool_size: int = POOL_SIZE,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        **place: Any,
    ) -> None:
        super().__init__(
            maxsize=pool_size,
            minsize=0,
            command_timeout=command_timeout_s,
            server_settings=SERVER_SETTINGS,
            reset=_nothing_to_reset,
            **place,
        )

    async def create_connection(self, with_db: bool) -> None:  # noqa: FBT001 - Tortoise's signature
        """Open the pool and make sure that the server answers.

        Raises:
            DatabaseError: it cannot be reached, or refuses us.
        """
        try:
            await super().create_connection(with_db)
            await self.execute_query("SELECT 1")
        except (BaseORMException, *DRIVER_ERRORS) as error:
            await self.close()
            place = f"{self.database} at {self.host}:{self.port}"
            raise DatabaseError(f"The database {place} cannot be used: {error}.") from error

    async def _close(self) -> None:
        if self._pool is None:
            return
        pool = self._pool
        try:
            # What is still on its way to its end may arrive; what hangs is cut off.
            await asyncio.wait_for(pool.close(), CLOSE_GRACE_S)
        except TimeoutError:
            pool.terminate()
        self._pool = None

    def _in_transaction(self) -> TransactionContext:
        return GuardedContext(PostgresTransaction(self))


class PostgresTransaction(GuardedTransaction, _Translating, StockTransaction):
    """A transaction on a connection of its own."""

    _parent: "PostgresClient | PostgresTransaction"
    _taken_from: asyncpg.Pool

    @translate_exceptions
    async def take(self) -> None:
        """Take a connection out of the pool."""
        pooled = self._parent.acquire_connection()
        self._connection = await pooled.__aenter__()
        self._taken_from = self._parent._pool

    async def give_back(self) -> None:
        """Give the connection back to its pool, which drops it if it is broken."""
        await self._taken_from.release(self._connection)

    async def begin(self) -> None:
        """Begin with READ COMMITTED; our decisions lock the rows they rest on."""
        await self.send(BEGIN)

    async def commit(self) -> None:
        """Make it durable.

        Raises:
            TransactionManagementError: a statement in it had failed, so the server undid it.
        """
        self.refuse_when_ended()
        self._closing = True
        async with self._lock:
            tag = await self.send("COMMIT")
        self._finalized = True
        if tag != "COMMIT":
            message = "Nothing was kept: a statement of this transaction had failed."
            raise TransactionManagementError(message)

    async def rollback(self) -> None:
        """Undo it; a connection that cannot even do that is dropped, which undoes it too."""
        self._closing = True
        async with self._lock:
            try:
                await self.send("ROLLBACK")
            except BaseORMException:
                with suppress(asyncpg.InterfaceError):  # Closing has dropped it already.
                    self._connection.terminate()
        self._finalized = True

    @translate_exceptions
    async def send(self, statement: str) -> str:
        """Run statements on the raw connection; return the tag of the last one."""
        tag: str = await self._connection.execute(statement)
        return tag

    def _nested(self) -> "PostgresTransaction":
        return PostgresTransaction(self)


async def _nothing_to_reset(_connection: asyncpg.Connection) -> None:
    """Save the round trip of RESET ALL each time a connection goes back to the pool.

    The driver still undoes an open transaction. So nobody changes a session: settings are SET
    LOCAL, advisory locks end with their transaction.
    """


def translated(error: Exception) -> BaseORMException:
    """Return Tortoise's exception for one of the driver's."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return IntegrityError(error)
    if isinstance(error, asyncpg.InvalidTransactionStateError):
        return TransactionManagementError(error)
    if isinstance(error, TimeoutError):
        return OperationalError("The database did not answer in time.")
    if isinstance(error, CONNECTION_ERRORS) or any(text in str(error) for text in GONE):
        return DBConnectionError(error)
    return OperationalError(error)


client_class = PostgresClient
