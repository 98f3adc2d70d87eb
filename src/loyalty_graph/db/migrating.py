"""Brings a database to the newest migration, one transaction a step, with other processes waiting.

A migration is SQL text, frozen when it was written: it does not change when models or our code do.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import asyncpg

from loyalty_graph.db.migration_connections import MigrationConnection, connected
from loyalty_graph.db.schema import Dialect
from loyalty_graph.db.sqlite import RECORD_TABLE
from loyalty_graph.errors import DatabaseError, DatabaseNewerError, DatabaseNotOursError

MIGRATIONS: Traversable = files("loyalty_graph.migrations")
CREATE_RECORD_TABLE = f"""CREATE TABLE IF NOT EXISTS "{RECORD_TABLE}" (
    "name" VARCHAR(100) NOT NULL PRIMARY KEY,
    "applied_at" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP
);"""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Migration:
    """One step, as it reads on one database."""

    name: str
    script: str


async def migrate(
    *, progress: Progress | None = None, folder: Traversable = MIGRATIONS
) -> list[str]:
    """Bring the open database to the newest migration and return the names of the steps taken.

    Each step and its record are committed together. Other processes that migrate the same database
    wait, and find the work done. `progress` is told the name of each step before it begins.

    Raises:
        DatabaseNotOursError: it has tables, but no record of ours; nothing is written.
        DatabaseNewerError: it records steps that `folder` has not; nothing is written.
        DatabaseError: a step failed; nothing of that step is kept, those before it are.
    """
    done: list[str] = []
    async with connected() as connection:
        known = load(folder, connection.dialect)
        while await _waiting(connection, known):
            async with connection.locked():
                # Another process may have taken the step while this one waited for the lock.
                for step in (await _waiting(connection, known))[:1]:
                    if progress:
                        progress(step.name)
                    await _apply(connection, step)
                    done.append(step.name)
    return done


async def pending(*, folder: Traversable = MIGRATIONS) -> list[str]:
    """Return the names of the steps that the open database has not taken yet; write nothing.

    Raises:
        DatabaseNotOursError: it has tables, but no record of ours.
        DatabaseNewerError: it records steps that `folder` has not.
    """
    async with connected() as connection:
        known = load(folder, connection.dialect)
        return [step.name for step in await _waiting(connection, known)]


def load(folder: Traversable, dialect: Dialect) -> list[Migration]:
    """Return the migrations of a folder for one database, in order."""
    ending = f".{dialect}.sql"
    found = sorted(
        (file for file in folder.iterdir() if file.name.endswith(ending)),
        key=lambda file: file.name,
    )
    numbers = [file.name[:4] for file in found]
    assert numbers == [f"{number:04d}" for number in range(1, len(found) + 1)], (
        f"migrations must be numbered 0001, 0002 and so on, each once; there are {numbers}"
    )
    return [
        Migration(file.name.removesuffix(ending), file.read_text(encoding="utf-8"))
        for file in found
    ]


async def _waiting(connection: MigrationConnection, known: list[Migration]) -> list[Migration]:
    applied = await _applied(connection)
    unknown = sorted(applied - {step.name for step in known})
    if unknown:
        raise DatabaseNewerError(unknown)
    return [step for step in known if step.name not in applied]


async def _applied(connection: MigrationConnection) -> set[str]:
    tables = await connection.tables()
    if RECORD_TABLE in tables:
        return set(await connection.names(f'SELECT "name" FROM "{RECORD_TABLE}"'))  # noqa: S608 - our own name
    if tables:
        raise DatabaseNotOursError(sorted(tables))
    return set()


async def _apply(connection: MigrationConnection, step: Migration) -> None:
    record = f"""INSERT INTO "{RECORD_TABLE}" ("name") VALUES ('{step.name}');"""  # noqa: S608 - ours
    try:
        await connection.execute(f"{CREATE_RECORD_TABLE}\n{step.script}\n{record}")
    except (sqlite3.Error, asyncpg.PostgresError) as error:
        raise DatabaseError(
            f"Migration {step.name} failed, and nothing of it was kept: {error}"
        ) from error
