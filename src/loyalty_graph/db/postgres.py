"""Tortoise's backend for PostgreSQL over asyncpg: cancellable, with every error translated.

Against Tortoise's own: a transaction cancelled at any point gives its connection back, a COMMIT
that the server turned into a ROLLBACK is an error, deadlocks and lost connections come as
Tortoise's exceptions (the driver's as their cause), and closing never hangs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from ssl import SSLCertVerificationError
from typing import Any, TypeVar

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient as StockClient
from tortoise.backends.asyncpg.client import TransactionWrapper as StockTransaction
from tortoise.backends.base.client import PoolConnectionWrapper, TransactionContext
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.exceptions import (
    BaseORMException,
    DBConnectionError,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
)

from loyalty_graph.db import array_codecs, pipelining
from loyalty_graph.db.ddl import SchemaGenerator
from loyalty_graph.db.errors import DatabaseAwayError
from loyalty_graph.db.guarding import GuardedContext, GuardedTransaction
from loyalty_graph.db.outages import DatabaseTimeoutError, OutcomeUnknownError
from loyalty_graph.db.pipelining import Statement
from loyalty_graph.db.silence import notice_silence
from loyalty_graph.db.storage import Storage
from loyalty_graph.errors import DatabaseError

Result = TypeVar("Result")

POOL_SIZE = 20
COMMAND_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
POOL_WAIT_S = 5.0
# The server ends what takes too long and stays usable; only one that is silent needs this too.
SILENCE_GRACE_S = 1.0
CLOSE_GRACE_S = 3.0
SERVER_SETTINGS = {
    "application_name": "loyalty-graph",
    # Our statements are short; compiling one takes longer than running it.
    "jit": "off",
    # A machine of ours that vanished must not keep rows locked.
    "idle_in_transaction_session_timeout": "60s",
}
# Look-ups inside a transaction are by key, but a connection keeps the plan it made while a table
# was empty or not yet analysed: a sequential scan, which later costs a factor of four to six.
# Sent with BEGIN in one message this costs no round trip, and it leaves the reads outside
# transactions (catalogue, reports) their sequential scans.
BEGINNING = (Statement("BEGIN"), Statement("SET LOCAL enable_seqscan = off"))
COMMIT = Statement("COMMIT", name="COMMIT")

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
    asyncpg.IdleInTransactionSessionTimeoutError,
    # The server became a standby: another one is the primary now, and a new connection finds it.
    asyncpg.ReadOnlySQLTransactionError,
    # A pooler in between made the server forget what the driver prepared; a new one knows nothing.
    asyncpg.InvalidSQLStatementNameError,
)
# With these the server has answered: it did not do what came along with COMMIT.
REFUSALS = (asyncpg.ReadOnlySQLTransactionError, asyncpg.InvalidSQLStatementNameError)
# The driver has no class of its own for a connection that is not there any more.
GONE = ("connection is closed", "released back to the pool", "pool is closing", "pool is closed")


class _Translating(StockClient):
    storage: Storage

    async def _translate_exceptions(
        self, func: Callable[..., Awaitable[Result]], *args: object, **kwargs: object
    ) -> Result:
        try:
            return await func(self, *args, **kwargs)
        except DRIVER_ERRORS as error:
            raise self.storage.told(error) or translated(error) from error


class PostgresClient(_Translating):
    """A pool of connections."""

    schema_generator = SchemaGenerator  # type: ignore[assignment] # ours serves both databases

    def __init__(
        self,
        *,
        pool_size: int = POOL_SIZE,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        pool_wait_s: float = POOL_WAIT_S,
        **place: Any,
    ) -> None:
        in_time = {"statement_timeout": f"{command_timeout_s * 1000:.0f}"}
        super().__init__(
            maxsize=pool_size,
            minsize=0,
            timeout=connect_timeout_s,
            command_timeout=command_timeout_s + SILENCE_GRACE_S,
            server_settings={**SERVER_SETTINGS, **in_time},
            # What has no name on the server cannot be sent ahead of anything; so all have one.
            max_cacheable_statement_size=0,
            init=_prepare,
            reset=_nothing_to_reset,
            **place,
        )
        self.pool_wait_s = pool_wait_s
        self.pool_size = pool_size
        self.waiting = 0
        self.storage = Storage()

    async def create_connection(self, with_db: bool) -> None:  # noqa: FBT001 - Tortoise's signature
        """Open the pool and make sure that the server answers.

        Raises:
            DatabaseAwayError: it cannot be reached now.
            DatabaseError: it refuses us.
        """
        try:
            await super().create_connection(with_db)
            await self.execute_query("SELECT 1")
        except (BaseORMException, *DRIVER_ERRORS) as error:
            await self.close()
            place = f"{self.database} at {self.host}:{self.port}"
            kind = DatabaseAwayError if _is_away(error) else DatabaseError
            why = str(error).rstrip(".")
            raise kind(f"The database {place} cannot be used: {why}.") from error

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

    def pool_use(self) -> tuple[int, int, int, int]:
        """Return how many connections are in use and idle, how many there may be, and who waits."""
        pool = self._pool
        size, idle = (0, 0) if pool is None else (pool.get_size(), pool.get_idle_size())
        return size - idle, idle, self.pool_size, self.waiting

    def acquire_connection(self) -> "PooledConnection":
        """Return what takes a connection out of the pool, and waits for a free one for a while."""
        return PooledConnection(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return GuardedContext(PostgresTransaction(self))


class PooledConnection(PoolConnectionWrapper[asyncpg.Connection]):
    """A connection out of the pool; one that is of no more use never goes back."""

    __slots__ = ("pool",)
    client: PostgresClient

    async def __aenter__(self) -> asyncpg.Connection:
        await self.ensure_connection()
        assert self.client._pool is not None, "create_connection opens it or raises"
        self.pool: asyncpg.Pool = self.client._pool
        self.client.waiting += 1
        try:
            self.connection = await self.pool.acquire(timeout=self.client.pool_wait_s)
        except TimeoutError as error:
            raise DatabaseTimeoutError("No connection to the database in time.") from error
        except DRIVER_ERRORS as error:  # Whatever the server has against a new connection.
            raise DBConnectionError(error) from error
        finally:
            self.client.waiting -= 1
        return self.connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self.connection is not None, "it is entered before it is left"
        if kind is not None and issubclass(kind, (TimeoutError, *REFUSALS)):
            self.connection.terminate()
        await self.pool.release(self.connection)


class PostgresTransaction(GuardedTransaction, _Translating, StockTransaction):
    """A transaction on a connection of its own.

    BEGIN, and what was written last, wait for the next statement and go along with it.
    """

    _parent: "PostgresClient | PostgresTransaction"
    begins_late = True
    _waiting: Sequence[Statement] = ()

    @property
    def storage(self) -> Storage:  # type: ignore[override] # a transaction has its parent's
        """What is known of the storage."""
        return self._parent.storage

    async def _translate_exceptions(
        self, func: Callable[..., Awaitable[Result]], *args: object, **kwargs: object
    ) -> Result:
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)
        except (DBConnectionError, DatabaseTimeoutError):
            self._drop()
            raise

    async def take(self) -> None:
        """Take a connection out of the pool.

        It begins with READ COMMITTED, our decisions lock the rows they rest on; and it begins when
        there is something else to send, which may go along with it.
        """
        assert isinstance(self._parent, PostgresClient), "a savepoint is on its parent's connection"
        pooled = self._parent.acquire_connection()
        self._connection = await pooled.__aenter__()
        self._waiting = BEGINNING

    async def give_back(self) -> None:
        """Give the connection back to its pool, which drops it if it is broken.

        The pool's own door does the same in a task, against cancellation; here nobody cancels. What
        goes wrong with it concerns the pool alone: the transaction has ended, perhaps kept.
        """
        if self._connection._con is not None:
            self._connection._con._on_release()
            with suppress(*DRIVER_ERRORS):
                await self._connection._holder.release(CLOSE_GRACE_S)

    async def open(self) -> None:
        """Send what waits, before a statement that does not go along with it."""
        if isinstance(self._parent, PostgresTransaction):
            await self._parent.open()
        elif self._waiting:
            await self._send(*self._waiting)

    async def put_before(self, statement: Statement) -> None:
        """Run a statement that returns no rows before the next one, and along with it."""
        async with self._lock:
            self.refuse_when_ended()
            self._waiting = (*self._waiting, statement)

    async def read(self, text: str, values: Sequence[Any]) -> tuple[int, list[asyncpg.Record]]:
        """Return how many rows a statement has, and these; what waits goes along with it."""
        async with self._lock:
            self.refuse_when_ended()
            rows, _ = await self._send(*self._waiting, Statement(text, values))
            return len(rows), rows

    async def put_off(self, statement: Statement) -> None:
        """Run a statement that returns no rows along with the next one, or with COMMIT.

        If it fails, that is told then.
        """
        async with self._lock:
            self.refuse_when_ended()
            if self._waiting is not BEGINNING:
                await self.open()
            if self._parts_open:  # Whoever can undo a part alone has to know whether it failed.
                await self._send(statement)
            else:
                self._waiting = (*self._waiting, statement)

    @translate_exceptions
    async def _send(self, *statements: Statement) -> tuple[list[asyncpg.Record], str]:
        """Send statements in one message, with all that waits; what fails earlier waits on."""
        raw = self._connection._con
        if raw is None:
            raise asyncpg.InterfaceError("The connection was released back to the pool.")
        *ahead, last = statements
        message = await pipelining.prepared(raw, ahead, last)
        self._waiting = ()
        return await pipelining.send(raw, message, last)

    async def commit(self) -> None:
        """Make it durable.

        Raises:
            OutcomeUnknownError: no answer came; perhaps it was kept, perhaps not.
            TransactionManagementError: a statement in it had failed, so the server undid it.
        """
        self.refuse_when_ended()
        self._closing = True
        async with self._lock:
            if self._waiting is BEGINNING:
                self._finalized = True
                return
            was_sent = self._is_open()
            try:
                tag = await self._send_commit()
            except (DBConnectionError, DatabaseTimeoutError) as error:
                is_refused = isinstance(error.__cause__, REFUSALS)
                if is_refused or self._waiting or not was_sent:
                    raise
                raise OutcomeUnknownError("COMMIT was sent, but not answered.") from error
            except Exception:
                await self._send_rollback()
                raise
        self._finalized = True
        if tag != "COMMIT":
            message = "Nothing was kept: a statement of this transaction had failed."
            raise TransactionManagementError(message)

    async def _send_commit(self) -> str:
        tag: str
        if self._waiting:
            _, tag = await self._send(*self._waiting, COMMIT)
        else:
            tag = await self.send(COMMIT.text)
        return tag

    async def rollback(self) -> None:
        """Undo it; a connection that cannot even do that is dropped, which undoes it too."""
        self._closing = True
        async with self._lock:
            await self._send_rollback()
        self._finalized = True

    async def _send_rollback(self) -> None:
        waiting, self._waiting = self._waiting, ()
        if waiting[: len(BEGINNING)] == BEGINNING:
            return
        try:
            await self.send("ROLLBACK")
        except BaseORMException:
            self._drop()

    def _is_open(self) -> bool:
        with suppress(asyncpg.InterfaceError):  # The pool has taken it back, because it was lost.
            return not self._connection.is_closed()
        return False

    def _drop(self) -> None:
        with suppress(asyncpg.InterfaceError):  # It was dropped before.
            self._connection.terminate()

    @translate_exceptions
    async def send(self, statement: str) -> str:
        """Run statements on the raw connection; return the tag of the last one."""
        tag: str = await self._connection.execute(statement)
        return tag

    def _nested(self) -> "PostgresTransaction":
        return PostgresTransaction(self)


async def _prepare(connection: asyncpg.Connection) -> None:
    array_codecs.use(connection)
    notice_silence(connection)


async def _nothing_to_reset(_connection: asyncpg.Connection) -> None:
    """Save the round trip of RESET ALL each time a connection goes back to the pool.

    The driver still undoes an open transaction. So nobody changes a session: settings are SET
    LOCAL, advisory locks end with their transaction.
    """


def _is_away(error: BaseException | None) -> bool:
    """Return whether no server answered, or one that is not ready; who refuses us is there."""
    while isinstance(error, BaseORMException):
        error = error.__cause__
    # Who cannot prove to be our server is one that we were told not to trust, now and later.
    return isinstance(error, CONNECTION_ERRORS) and not isinstance(error, SSLCertVerificationError)


def translated(error: Exception) -> BaseORMException:
    """Return Tortoise's exception for one of the driver's."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return IntegrityError(error)
    # The driver's own has no number; one of the system says that the connection is dead.
    if isinstance(error, TimeoutError) and error.errno is None:
        return DatabaseTimeoutError("The database did not answer in time.")
    if isinstance(error, CONNECTION_ERRORS) or any(text in str(error) for text in GONE):
        return DBConnectionError(error)
    if isinstance(error, asyncpg.InvalidTransactionStateError):
        return TransactionManagementError(error)
    return OperationalError(error)


client_class = PostgresClient
