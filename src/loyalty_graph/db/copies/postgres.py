"""Copies of a PostgreSQL database: written by pg_dump, read by pg_restore into a new database.

A password is handed to them in their environment, never on a command line.
Source of the snapshot: the manual of pg_dump, option --snapshot.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg

from loyalty_graph.db.copies.contents import COUNTED, NEWEST_STEP, PROCESSES, Contents, Standing
from loyalty_graph.db.copies.contents import counting as counted
from loyalty_graph.db.errors import BackupError, DatabaseAwayError
from loyalty_graph.db.postgres import CONNECTION_ERRORS
from loyalty_graph.db.sqlite_files import RECORD_TABLE
from loyalty_graph.db.urls import connection_config, encryption_environment
from loyalty_graph.errors import DatabaseError, DatabaseNotOursError

RECIPE = 'docs/operations.md, "Backup and restore", says how to do it by hand'
OTHER_PROGRAMS = (
    "Install the client programs of PostgreSQL, of the server's version or a newer one, or name"
    " their folder with --programs"
)
CONNECT_TIMEOUT_S = 10
OTHER_DATABASES = ("postgres", "template1")
"""Where to stand while a database gets another name."""
NAME_BYTES_MAX = 63
TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
SETTINGS = {"application_name": "loyalty-graph backup", "idle_in_transaction_session_timeout": "0"}
SAME_LOCALE = (
    "SELECT format('TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',"
    " pg_encoding_to_char(encoding), datcollate, datctype)"
    " FROM pg_database WHERE datname = current_database()"
)


@dataclass(frozen=True)
class PostgresCopies:
    """A database on a server; `programs` is where pg_dump and pg_restore are, if not in PATH."""

    url: str
    programs: Path | None = None
    kind = "postgres"
    file_name = "database.dump"

    @property
    def folder(self) -> None:
        """A copy may be anywhere."""

    async def take(self, into: Path) -> Contents:
        """Write the database, as it is at one moment, into a new file; others may write meanwhile.

        Raises:
            DatabaseError: it cannot be reached, it is not ours, or pg_dump is missing or fails.
        """
        program = self._program("pg_dump")
        async with self._connected() as connection:
            await _refuse_strange(connection)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
                step = await connection.fetchval(NEWEST_STEP)
                counts = {one: await connection.fetchval(counted(one)) for one in COUNTED}
                await self._run(
                    *(program, "--format=custom", "--no-owner", "--no-privileges"),
                    *(f"--snapshot={snapshot}", f"--file={into}"),
                    database=self._place["database"],
                )
        return Contents(step, counts)

    async def standing(self) -> Standing:
        """Say what is there already.

        Raises:
            DatabaseNotOursError: the tables of something else.
            DatabaseError: it cannot be reached; a database has to be there, though empty.
        """
        async with self._connected() as connection:
            if not await _refuse_strange(connection, may_be_empty=True):
                return Standing()
            members = await connection.fetchval(counted("member"))
            rows = await connection.fetch(PROCESSES)
        running = {f"{name} ({one[:8]})": mark for name, one, mark in rows}
        return Standing(is_there=True, members=members, processes=running)

    @asynccontextmanager
    async def made(self, copy: Path) -> AsyncIterator["MadePostgres"]:
        """Yield a new database with what a copy holds; unless it gets its place, it is dropped.

        Raises:
            DatabaseError: the role may not make databases, or pg_restore is missing or fails.
        """
        program = self._program("pg_restore")
        name = _named(self._place["database"], f"restoring_{os.getpid()}")
        await self._execute(f"DROP DATABASE IF EXISTS {_quoted(name)}")
        async with self._connected() as connection:
            alike = await connection.fetchval(SAME_LOCALE)
        await self._execute(f"CREATE DATABASE {_quoted(name)} {alike}")
        made = MadePostgres(self, name)
        try:
            await self._run(
                *(program, "--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={name}"),
                str(copy),
                database=name,
            )
            yield made
        finally:
            if not made.placed:
                await self.drop(name)

    async def drop(self, name: str) -> None:
        """Remove a database that nobody has open."""
        await self._execute(f"DROP DATABASE {_quoted(name)}")

    async def swap(self, made: str, *, aside: str) -> None:
        """Give the database another name and its own name to another one, both or none."""
        name = self._place["database"]
        async with self._connected_beside() as connection, connection.transaction():
            await connection.execute(f"ALTER DATABASE {_quoted(name)} RENAME TO {_quoted(aside)}")
            await connection.execute(f"ALTER DATABASE {_quoted(made)} RENAME TO {_quoted(name)}")

    @property
    def name(self) -> str:
        """The database's name."""
        return str(self._place["database"])

    @property
    def _place(self) -> dict[str, Any]:
        known = connection_config(self.url)["credentials"]
        wanted = ("host", "port", "user", "password", "database", "ssl")
        return {one: known[one] for one in wanted if one in known}

    @asynccontextmanager
    async def _connected(self, **other: str) -> AsyncIterator[Any]:
        place = {**self._place, **other}
        where = f"{place['database']} at {place['host']}:{place['port']}"
        try:
            connection = await asyncpg.connect(
                **place, server_settings=SETTINGS, timeout=CONNECT_TIMEOUT_S
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            kind = DatabaseAwayError if isinstance(error, CONNECTION_ERRORS) else DatabaseError
            why = str(error) or f"no answer within {CONNECT_TIMEOUT_S} s"
            raise kind(f"The database {where} cannot be used: {why}.") from error
        try:
            yield connection
        except asyncpg.PostgresError as error:
            raise BackupError(f"The database {where} refused: {error}; {RECIPE}.") from error
        finally:
            await connection.close()

    @asynccontextmanager
    async def _connected_beside(self) -> AsyncIterator[Any]:
        first, second = OTHER_DATABASES
        other = second if self.name == first else first
        async with self._connected(database=other) as connection:
            yield connection

    async def _execute(self, statement: str) -> None:
        async with self._connected() as connection:
            await connection.execute(statement)

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=None if self.programs is None else str(self.programs))
        if found is None:
            where = "in PATH" if self.programs is None else f"in {self.programs}"
            raise BackupError(f"There is no {name} {where}. {OTHER_PROGRAMS}; {RECIPE}.")
        return found

    async def _run(self, *words: str, database: str) -> None:
        place = self._place
        told = {
            "PGHOST": place["host"],
            "PGPORT": str(place["port"]),
            "PGDATABASE": database,
            "PGUSER": place["user"],
            "PGPASSWORD": place["password"],
        }
        known = {name: value for name, value in told.items() if value is not None}
        process = await asyncio.create_subprocess_exec(
            *words,
            env={**os.environ, **encryption_environment(self.url), **known},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if process.returncode:
            lines = said.decode(errors="replace").split("\n")
            why = " ".join(line.strip() for line in lines if line.strip())
            advice = f". {OTHER_PROGRAMS}; {RECIPE}." if "version mismatch" in why else ""
            raise BackupError(f"{Path(words[0]).name} failed: {why}{advice}")


@dataclass
class MadePostgres:
    """A restored database that is to have another one's name."""

    copies: PostgresCopies
    name: str
    placed: bool = False

    @property
    def url(self) -> str:
        """Return where it can be opened meanwhile."""
        return urlsplit(self.copies.url)._replace(path=f"/{quote(self.name)}").geturl()

    async def put_in_place(self, *, mark: str, keep: bool) -> str | None:
        """Let it have its name; return what the one is called now that had it before, if `keep`.

        Raises:
            DatabaseError: somebody has it open, or the role does not own it; nothing was changed.
        """
        aside = _named(self.copies.name, f"before_{mark}")
        await self.copies.swap(self.name, aside=aside)
        self.placed = True
        if keep:
            return aside
        await self.copies.drop(aside)
        return None


async def _refuse_strange(connection: Any, *, may_be_empty: bool = False) -> bool:
    """Return whether a database has tables, which are ours.

    Raises:
        DatabaseNotOursError: they are something else's.
        DatabaseError: it has none.
    """
    tables = [row[0] for row in await connection.fetch(TABLES)]
    if tables and RECORD_TABLE not in tables:
        raise DatabaseNotOursError(sorted(tables))
    if not tables and not may_be_empty:
        raise DatabaseError("The database is empty; there is nothing to back up.")
    return bool(tables)


def _named(name: str, ending: str) -> str:
    return f"{name[: NAME_BYTES_MAX - len(ending) - 1]}_{ending}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
