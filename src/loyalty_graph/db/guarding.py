"""What both backends share: transactions that survive cancellation and end for good."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable
from itertools import count
from typing import Any, TypeVar

from tortoise.backends.base.client import (
    BaseDBAsyncClient,
    ConnectionWrapper,
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

Result = TypeVar("Result")
_savepoint_numbers = count(1)


async def finish(work: Awaitable[Result]) -> Result:
    """Wait until `work` is done, however often the caller is cancelled; then pass that on."""
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # Read, so that asyncio does not report it as forgotten.
    raise cancellation


class GuardedTransaction(TransactionalDBClient):
    """The part of a transaction that does not depend on the database."""

    _parent: BaseDBAsyncClient
    _lock: asyncio.Lock
    begins_late = False
    """Whether it begins with its first statement, and not when its connection is taken."""
    _parts_open = 0
    _closing = False
    _savepoint_name = ""

    @property
    def ended(self) -> bool:
        """Whether it has been committed or rolled back, or is just about to be."""
        return self._closing or self._finalized or bool(getattr(self._parent, "ended", False))

    def refuse_when_ended(self) -> None:
        """Stop a task that was started inside the transaction and outlived it.

        Raises:
            TransactionManagementError: the transaction has ended.
        """
        if self.ended:
            message = "This transaction has ended; was a task started inside it?"
            raise TransactionManagementError(message)

    @abstractmethod
    async def take(self) -> None:
        """Wait for a connection nobody else writes through; a cancelled wait takes nothing."""

    async def open(self) -> None:
        """Begin what was put off until there is something to say."""

    @abstractmethod
    async def give_back(self) -> None:
        """Let others have the connection."""

    @abstractmethod
    async def send(self, statement: str) -> str:
        """Run one statement on the raw connection, with translated errors; return its tag."""

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        """Return what hands out the connection to one task at a time while it is open."""
        return GuardedConnection(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        self.refuse_when_ended()
        nested = self._nested()
        nested._lock = self._lock  # One connection, so one lock.
        return NestedTransactionContext(nested)

    @abstractmethod
    def _nested(self) -> "GuardedTransaction":
        """Return a transaction on the same connection, for a savepoint."""

    async def savepoint(self) -> None:
        """Begin a part that can be undone alone."""
        self._savepoint_name = f"part_{next(_savepoint_numbers)}"
        await self._in_turn(f"SAVEPOINT {self._savepoint_name}")
        self._around._parts_open += 1

    async def release_savepoint(self) -> None:
        """Keep the part."""
        self._around._parts_open -= 1
        await self._in_turn(f"RELEASE SAVEPOINT {self._savepoint_name}")
        self._finalized = True

    async def savepoint_rollback(self) -> None:
        """Undo the part."""
        await self._in_turn(f"ROLLBACK TO SAVEPOINT {self._savepoint_name}")
        await self.release_savepoint()

    @property
    def _around(self) -> "GuardedTransaction":
        assert isinstance(self._parent, GuardedTransaction), "a part is one of a transaction"
        return self._parent

    async def _in_turn(self, statement: str) -> None:
        async with self.acquire_connection():
            await self.send(statement)


class ReleasingConnection(ConnectionWrapper[Any]):
    """Does not keep the lock when connecting fails or is cancelled."""

    __slots__ = ()

    async def __aenter__(self) -> Any:
        await self._lock.acquire()
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class GuardedConnection(ReleasingConnection):
    """Hands out the connection only while the transaction is open."""

    __slots__ = ()
    client: GuardedTransaction

    async def ensure_connection(self) -> None:
        """Refuse a transaction that has ended; an open one has its connection."""
        self.client.refuse_when_ended()
        await self.client.open()


class GuardedContext(TransactionContext):
    """Opens and ends a transaction; a cancellation at any point leaves it whole or undone."""

    def __init__(self, transaction: GuardedTransaction) -> None:
        self._transaction = transaction
        self.connection_name = transaction.connection_name

    async def __aenter__(self) -> GuardedTransaction:
        await self._transaction.take()
        if not self._transaction.begins_late:
            await self._begin()
        self._connections = get_connections()
        self._token = self._connections.set(self.connection_name, self._transaction)
        return self._transaction

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connections.reset(self._token)
        await finish(self._undo() if kind else self._keep())

    async def _begin(self) -> None:
        try:
            await finish(self._transaction.begin())
        except BaseException:
            await finish(self._undo())
            raise

    async def _keep(self) -> None:
        try:
            if not self._transaction.ended:
                await self._transaction.commit()
        finally:
            await self._transaction.give_back()

    async def _undo(self) -> None:
        try:
            await self._transaction.rollback()
        finally:
            await self._transaction.give_back()
