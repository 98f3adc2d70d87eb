"""Connections for changing tables, each used by one migration alone while others wait.

Source of the SQLite rules: sqlite.org/lang_altertable.html, section 7.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Protocol, cast

import aiosqlite

from loyalty_graph.db.schema import Dialect
from loyalty_graph.db.sqlite import split_script
from loyalty_graph.db.sqlite_files import TABLES
from loyalty_graph.db.transactions import connection, in_transaction_now
from loyalty_graph.errors import DatabaseError

STATEMENT_TIMEOUT_S = 3600.0
"""How long one statement, and the wait for another process that migrates, may take."""
ADVISORY_LOCK = 5_642_903_317
"""The number by which processes of ours, and only they, queue on PostgreSQL to migrate."""
TURN_PAUSE_S = 0.05
LOCK_TIMEOUT_S = 2
"""How long a step waits for a table: whoever comes after it waits behind it as long."""

NOTICE_DEATH = (
    "SELECT set_config(name, '1s', {local}) FROM pg_settings"
    " WHERE name = 'client_connection_check_interval'"
)
"""Lets the server end a long statement when its client was killed; before version 14 it cannot."""


class MigrationConnection(Protocol):
    """What a migration needs of either database."""

    dialect: ClassVar[Dialect]

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Begin a transaction that no other migration runs beside; commit it at the end."""

    async def execute(self, script: str) -> None:
        """Run the statements of a script."""

    async def change(self, statement: str) -> int:
        """Run one statement, and return how many rows it changed."""

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""

    async def names(self, query: str) -> list[str]:
        """Return the first column of what a query finds."""

    async def tables(self) -> list[str]:
        """Return the names of the tables there are."""


@asynccontextmanager
async def connected() -> AsyncGenerator[MigrationConnection]:
    """Yield a connection for migrating the database that is open."""
    assert not in_transaction_now(), "a migration would wait for this transaction for ever"
    client = cast("Any", connection())
    if client.capabilities.dialect == "sqlite":
        # Its own connection: with foreign keys on, DROP TABLE would empty the tables that refer to
        # it, and inside a transaction they cannot be turned off.
        async with client.connection_of_its_own(STATEMENT_TIMEOUT_S) as own:
            await own.execute("PRAGMA foreign_keys = OFF")
            if "max_page_count" in client.pragmas:
                await own.execute(f"PRAGMA max_page_count = {client.pragmas['max_page_count']}")
            yield SqliteMigrationConnection(own)
    else:
        async with client.acquire_connection() as pooled:
            await pooled.execute("SET statement_timeout = 0")
            yield PostgresMigrationConnection(pooled)
            # After a failure the connection is in an unknown state, and the process ends.
            await pooled.execute("RESET statement_timeout")


class SqliteMigrationConnection:
    """Changes tables with foreign keys off, and commits only what breaks none."""

    dialect: ClassVar[Dialect] = "sqlite"

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """Hold the write lock of the file; what fails is undone when the connection is closed."""
        await self.execute("BEGIN IMMEDIATE")
        yield
        if broken := await self.names("PRAGMA foreign_key_check"):
            raise DatabaseError(
                f"The migration leaves rows in {', '.join(sorted(set(broken)))} that refer to"
                " nothing; nothing of it was kept."
            )
        await self.execute("COMMIT")

    async def execute(self, script: str) -> None:
        """Run the statements of a script, one by one: Python's own way commits before the first."""
        for statement in split_script(script):
            await self._connection.execute(statement)

    async def change(self, statement: str) -> int:
        """Run one statement, and return how many rows it changed."""
        return (await self._connection.execute(statement)).rowcount

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return [tuple(row) for row in await self._connection.execute_fetchall(query)]

    async def names(self, query: str) -> list[str]:
        """Return the first column of what a query finds."""
        return [row[0] for row in await self.rows(query)]

    async def tables(self) -> list[str]:
        """Return the names of the tables in the file, without SQLite's own."""
        return await self.names(TABLES)


class PostgresMigrationConnection:
    """Changes tables in the first schema of the search path."""

    dialect: ClassVar[Dialect] = "postgres"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """Hold the advisory lock until the transaction ends.

        Who waited for it inside a transaction would hold up an index that is made CONCURRENTLY,
        which waits for all transactions there are.
        """
        while True:
            async with self._connection.transaction():
                if await self._has_turn("pg_try_advisory_xact_lock"):
                    await self.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
                    await self.rows(NOTICE_DEATH.format(local=True))
                    yield
                    return
            await asyncio.sleep(TURN_PAUSE_S)

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Hold the advisory lock without a transaction, at most until the connection is lost."""
        while not await self._has_turn("pg_try_advisory_lock"):  # noqa: ASYNC110 - others' turn
            await asyncio.sleep(TURN_PAUSE_S)
        try:
            await self.rows(NOTICE_DEATH.format(local=False))
            yield
        finally:
            if not self._connection.is_closed():
                await self.execute(f"RESET ALL; SELECT pg_advisory_unlock({ADVISORY_LOCK})")

    async def _has_turn(self, function: str) -> bool:
        [(taken,)] = await self.rows(f"SELECT {function}({ADVISORY_LOCK})")
        return bool(taken)

    async def execute(self, script: str) -> None:
        """Run the statements of a script."""
        await self._connection.execute(script, timeout=STATEMENT_TIMEOUT_S)

    async def change(self, statement: str) -> int:
        """Run one statement, and return how many rows it changed."""
        tag: str = await self._connection.execute(statement, timeout=STATEMENT_TIMEOUT_S)
        return int(tag.rpartition(" ")[2])

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        found = await self._connection.fetch(query, timeout=STATEMENT_TIMEOUT_S)
        return [tuple(row) for row in found]

    async def names(self, query: str) -> list[str]:
        """Return the first column of what a query finds."""
        return [row[0] for row in await self.rows(query)]

    async def tables(self) -> list[str]:
        """Return the names of the tables in the schema."""
        return await self.names(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
        )
