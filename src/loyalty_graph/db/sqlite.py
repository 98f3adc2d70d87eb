"""Tortoise's backend for SQLite: one writer, a few readers, and no half-done transactions.

Against Tortoise's own: BEGIN IMMEDIATE instead of deferred (a transaction that reads before it
writes is never refused), reads beside an open transaction, `execute_script` inside one without
committing it, and no dead-lock when a task is cancelled.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from tortoise.backends.base.client import TransactionContext
from tortoise.backends.sqlite.client import SqliteClient as StockClient
from tortoise.backends.sqlite.client import SqliteTransactionWrapper as StockTransaction
from tortoise.backends.sqlite.client import translate_exceptions
from tortoise.exceptions import OperationalError

from loyalty_graph.db.ddl import SchemaGenerator
from loyalty_graph.db.guarding import (
    GuardedContext,
    GuardedTransaction,
    ReleasingConnection,
    finish,
)
from loyalty_graph.db.sqlite_connections import CheckedConnection, Connection, ReadingConnection
from loyalty_graph.db.sqlite_files import BUSY_TIMEOUT_S, make_usable
from loyalty_graph.db.storage import SqliteStorage

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

CACHE_MB = 256
READERS = 2
PRAGMAS: dict[str, str | int] = {
    "busy_timeout": int(BUSY_TIMEOUT_S * 1000),  # First: the pragmas after it may have to wait.
    "journal_mode": "WAL",
    # An acknowledged write survives power loss; grouping makes that cost a few per cent only.
    "synchronous": "FULL",
    "foreign_keys": "ON",
    # Without it INSERT OR REPLACE gets past the triggers of append-only tables.
    "recursive_triggers": "ON",
    # Checkpoints are rare, so that a page changed by many transactions is written back once.
    "wal_autocheckpoint": 40_000,
    "journal_size_limit": 64 << 20,
}
READ_WORDS = ("SELECT", "EXPLAIN", "VALUES")


class SqliteClient(StockClient):
    """One writer connection, and read-only ones for what is read outside transactions."""

    schema_generator = SchemaGenerator  # type: ignore[assignment] # ours serves both databases

    def __init__(
        self,
        file_path: str,
        *,
        connection_name: str,
        cache_mb: int = CACHE_MB,
        readers: int = READERS,
        max_pages: int | None = None,
    ) -> None:
        super().__init__(file_path, connection_name=connection_name)
        bound = {} if max_pages is None else {"max_page_count": max_pages}
        self.pragmas = {**PRAGMAS, "cache_size": -1024 * cache_mb, **bound}
        self.storage = SqliteStorage(Path(file_path))
        self._reader_uri = f"{Path(file_path).absolute().as_uri()}?mode=ro"
        self._reader_count = readers
        self._readers: list[aiosqlite.Connection] = []
        self._idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self.waiting = 0

    async def create_connection(self, with_db: bool) -> None:  # noqa: FBT001 - Tortoise's signature
        """Open the file, made when it is missing, and the readers.

        Raises:
            DatabaseError: the file cannot be opened and written.
            DatabaseDamagedError: it is damaged, or no SQLite database; it was not changed.
            DatabaseNotOursError: it holds the tables of something else; it was not changed.
        """
        del with_db
        if self._connection:
            return
        # Tried beforehand, because a connection of aiosqlite that fails leaves its thread behind.
        await asyncio.to_thread(make_usable, Path(self.filename))
        try:
            await self._open_writer()
            for _ in range(self._reader_count):
                await self._open_reader()
        except BaseException:
            await finish(self.close())
            raise

    async def _open_writer(self) -> None:
        self.storage.forget()
        self._connection = writer = await self.connection_of_its_own(BUSY_TIMEOUT_S)
        writer.row_factory = sqlite3.Row
        for pragma, value in self.pragmas.items():
            await writer.execute_fetchall(f"PRAGMA {pragma}={value}")
        self.storage.check()

    def connection_of_its_own(self, timeout_s: float) -> Connection:
        """Return another connection that writes, to be awaited and closed by the caller."""
        open_it = partial(sqlite3.connect, self.filename, timeout_s, isolation_level=None)
        return Connection(open_it, self.storage)

    async def _open_reader(self) -> None:
        open_it = partial(
            sqlite3.connect, self._reader_uri, BUSY_TIMEOUT_S, isolation_level=None, uri=True
        )
        reader = await ReadingConnection(open_it, self.storage)
        self._readers.append(reader)
        reader.row_factory = sqlite3.Row
        # It opens its files at its first read; later, other ones might have their names.
        await reader.execute_fetchall("SELECT 1 FROM sqlite_master LIMIT 1")
        self._idle.put_nowait(reader)

    async def close(self) -> None:
        """Close every connection; an open transaction is undone.

        The last one writes what is in the -wal file into the database, if it may write.
        """
        readers, self._readers, self._idle = self._readers, [], asyncio.LifoQueue()
        if self.storage.is_given_up:
            await super().close()
        for reader in readers:
            await reader.close()
        await super().close()

    def pool_use(self) -> tuple[int, int, int, int]:
        """Return how many connections are in use and idle, how many there may be, and who waits."""
        most = self._reader_count + 1
        in_use = len(self._readers) - self._idle.qsize() + self._lock.locked()
        return in_use, most - in_use, most, self.waiting

    def acquire_connection(self) -> ReleasingConnection:
        """Return what hands out the writer to one task at a time."""
        return CheckedConnection(self._lock, self, self.storage)

    def _in_transaction(self) -> TransactionContext:
        return GuardedContext(SqliteTransaction(self))

    @translate_exceptions
    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[Any]]:
        """Run one statement; what only reads does not wait for an open transaction."""
        rows = await self._rows_if_it_reads(query, values)
        if rows is None:
            answer: tuple[int, Sequence[Any]] = await super().execute_query(query, values)
            return answer
        return len(rows), rows

    @translate_exceptions
    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        """Do the same as `execute_query` and return the rows as dicts."""
        rows = await self._rows_if_it_reads(query, values)
        if rows is None:
            found: list[dict[str, Any]] = await super().execute_query_dict(query, values)
            return found
        return [dict(row) for row in rows]

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        """Run one statement for each of `values`: all of them or none."""
        async with self._in_transaction() as connection:
            await connection.execute_many(query, values)

    @translate_exceptions
    async def run(self, work: Work[Result]) -> Result:
        """Run a function of the raw connection in a reader's thread, on one snapshot.

        Raises:
            OperationalError: it tried to write; that needs a transaction.
        """
        return await self._read(_on_one_snapshot, work)

    async def _rows_if_it_reads(self, query: str, values: list[Any] | None) -> list[Any] | None:
        # As Tortoise does for the writer: SQLite ends a statement at a null character.
        query = query.replace("\x00", "'||CHAR(0)||'")
        word = query.lstrip(" \n\t(")[:8].upper()
        if word.startswith(READ_WORDS):
            return await self._read(_rows, query, values or ())
        if word.startswith("WITH"):
            try:
                return await self._read(_rows, query, values or ())
            except sqlite3.OperationalError as error:
                # It is refused before it has done anything.
                if error.sqlite_errorcode != sqlite3.SQLITE_READONLY:
                    raise
        return None

    async def _read(self, work: Callable[..., Result], *arguments: object) -> Result:
        if not self._connection:
            async with self.acquire_connection():
                pass  # It connects.
        idle = self._idle
        self.waiting += 1
        try:
            reader = await idle.get()
        finally:
            self.waiting -= 1
        try:
            # A cancelled read still runs in its thread; the reader's next user waits behind it.
            return await _in_thread(reader, work, *arguments)
        finally:
            idle.put_nowait(reader)


class SqliteTransaction(GuardedTransaction, StockTransaction):
    """A transaction on the writer, begun IMMEDIATE; every statement in it goes there."""

    _parent: "SqliteClient | SqliteTransaction"

    @property
    def storage(self) -> SqliteStorage:
        """What is known of the files it is written to."""
        return self._parent.storage

    async def take(self) -> None:
        """Wait until no other task of this process writes, and connect if need be."""
        assert isinstance(self._parent, SqliteClient), "a savepoint is on its parent's connection"
        self._parent.waiting += 1
        try:
            await self._parent._lock.acquire()
        finally:
            self._parent.waiting -= 1
        try:
            if not self._parent._connection:
                await self._parent.create_connection(with_db=True)
            self.storage.check()
        except BaseException:
            self._parent._lock.release()
            raise
        assert self._parent._connection, "create_connection opens it or raises"
        self._connection = self._parent._connection

    async def give_back(self) -> None:
        """Let the next one write."""
        self._parent._lock.release()

    async def begin(self) -> None:
        """Take SQLite's write lock, also against other processes."""
        await self.send("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        """Make it durable; when that fails (disk full), nothing of it stays.

        Raises:
            StorageError: nothing was kept, or it was written to a file that nobody will find.
        """
        self.refuse_when_ended()
        self._closing = True
        try:
            async with self._lock:
                await self.send("COMMIT")
        except OperationalError:
            await self.rollback()
            raise
        finally:
            self._finalized = True
        self.storage.check()

    async def rollback(self) -> None:
        """Undo it; some errors (disk full) have done so before."""
        self._closing = True
        async with self._lock:
            await _in_thread(self._connection, sqlite3.Connection.rollback)
        self._finalized = True

    @translate_exceptions
    async def send(self, statement: str) -> str:
        """Run one statement in the writer's thread; SQLite has no tags, so it is its own."""
        await _in_thread(self._connection, _rows, statement, ())
        return statement

    @translate_exceptions
    async def execute_script(self, query: str) -> None:
        """Run the statements of a script, inside this transaction.

        The driver's own way of running a script commits what is open first.
        """
        statements = split_script(query)
        async with self.acquire_connection() as connection:
            await _in_thread(connection, _run_each, statements)

    @translate_exceptions
    async def run(self, work: Work[Result]) -> Result:
        """Run a function of the raw connection in the writer's thread: one hop, many statements."""
        async with self.acquire_connection() as connection:
            return await _in_thread(connection, work)

    def _nested(self) -> "SqliteTransaction":
        return SqliteTransaction(self)


SqliteConnection = SqliteClient | SqliteTransaction
"""What `connection()` may return on SQLite; both have `run`."""


def split_script(script: str) -> list[str]:
    """Return the statements of `script`; semicolons in texts, comments and triggers do not part."""
    statements, rest = [], ""
    for part in script.split(";"):
        rest += part + ";"
        if sqlite3.complete_statement(rest):
            statements.append(rest)
            rest = ""
    return [*statements, rest]


async def _in_thread(
    connection: aiosqlite.Connection, work: Callable[..., Result], *arguments: object
) -> Result:
    execute: Callable[..., Awaitable[Result]] = connection._execute
    return await execute(work, connection._conn, *arguments)


def _rows(raw: sqlite3.Connection, query: str, values: Sequence[Any]) -> list[Any]:
    return raw.execute(query, values).fetchall()


def _run_each(raw: sqlite3.Connection, statements: list[str]) -> None:
    for statement in statements:
        raw.execute(statement)


def _on_one_snapshot(raw: sqlite3.Connection, work: Work[Result]) -> Result:
    raw.execute("BEGIN")
    try:
        return work(raw)
    finally:
        raw.execute("COMMIT")


client_class = SqliteClient
