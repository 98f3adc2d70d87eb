"""What a database records of its migrations, and of the processes that run on it.

These tables come before all others and belong to no model: every version reads and writes them.
"""

from dataclasses import dataclass

import orjson

from loyalty_graph.db.errors import OlderProcessesError
from loyalty_graph.db.migrating.connections import MigrationConnection
from loyalty_graph.db.migrating.steps import Key, Migration
from loyalty_graph.db.migrating.watching import Watch
from loyalty_graph.db.sqlite_files import PROCESS_TABLE, RECORD_TABLE
from loyalty_graph.errors import DatabaseNewerError, DatabaseNotOursError

CREATE_RECORD_TABLES = f"""CREATE TABLE IF NOT EXISTS "{RECORD_TABLE}" (
    "name" VARCHAR(100) NOT NULL PRIMARY KEY,
    "applied_at" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "phase" VARCHAR(10) NOT NULL DEFAULT 'contract',
    "is_done" BOOLEAN NOT NULL DEFAULT TRUE,
    "done_up_to" TEXT,
    "filled" BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS "{PROCESS_TABLE}" (
    "id" VARCHAR(36) NOT NULL PRIMARY KEY,
    "name" VARCHAR(100) NOT NULL,
    "newest_step" VARCHAR(100) NOT NULL,
    "until_ms" BIGINT NOT NULL
);"""


@dataclass(frozen=True)
class Record:
    """How far a step has come; a backfill has `filled` rows, all of them up to a key."""

    name: str
    phase: str
    is_done: bool
    up_to: Key | None = None
    filled: int = 0


Records = dict[str, Record]


async def records(connection: MigrationConnection) -> Records:
    """Return the steps that a database records, by name; none when it has no tables.

    Raises:
        DatabaseNotOursError: it has tables, but no record of ours.
    """
    tables = await connection.tables()
    if RECORD_TABLE not in tables:
        if tables:
            raise DatabaseNotOursError(sorted(tables))
        return {}
    found = await connection.rows(
        f'SELECT "name", "phase", "is_done", "done_up_to", "filled" FROM "{RECORD_TABLE}"'
    )
    return {
        name: Record(name, phase, bool(done), tuple(orjson.loads(upto)) if upto else None, filled)
        for name, phase, done, upto, filled in found
    }


def refuse_unknown(found: Records, known: list[Migration]) -> None:
    """Refuse a database that newer code has taken something from.

    Raises:
        DatabaseNewerError: it records a step that contracts and is not known, or has begun it.
    """
    names = {step.name for step in known}
    unknown = sorted(
        one.name for one in found.values() if one.phase == "contract" and one.name not in names
    )
    if unknown:
        raise DatabaseNewerError(unknown)


def done(step: Migration) -> str:
    """Return the statement that records a step that is done; it may have begun before."""
    return (
        f'INSERT INTO "{RECORD_TABLE}" ("name", "phase") VALUES (\'{step.name}\', \'{step.phase}\')'
        ' ON CONFLICT ("name") DO UPDATE SET "is_done" = TRUE, "applied_at" = CURRENT_TIMESTAMP;'
    )


def filled(step: Migration, up_to: Key, count: int) -> str:
    """Return the statement that records a batch of a backfill."""
    key = orjson.dumps(up_to).decode().replace("'", "''")
    return (
        f'INSERT INTO "{RECORD_TABLE}" ("name", "phase", "is_done", "done_up_to", "filled")'
        f" VALUES ('{step.name}', 'backfill', FALSE, '{key}', {count})"
        f' ON CONFLICT ("name") DO UPDATE SET "done_up_to" = excluded."done_up_to",'
        f' "filled" = "{RECORD_TABLE}"."filled" + excluded."filled";'
    )


def begun(step: Migration, last_contract: str) -> str:
    """Return the statements that begin a contraction: older code is refused from now on.

    What older processes wrote behind a backfill's back is filled once more.
    """
    return (
        f'INSERT INTO "{RECORD_TABLE}" ("name", "phase", "is_done")'
        f" VALUES ('{step.name}', 'contract', FALSE);\n"
        f'UPDATE "{RECORD_TABLE}" SET "is_done" = FALSE, "done_up_to" = NULL'
        f" WHERE \"phase\" = 'backfill' AND \"name\" > '{last_contract}'"
        f" AND \"name\" < '{step.name}';"
    )


async def refuse_older(connection: MigrationConnection, step: Migration, watch: Watch) -> None:
    """Forget the processes that went silent, and refuse to contract while older ones run.

    Raises:
        OlderProcessesError: they know nothing of the step.
    """
    for process, mark in watch.silent().items():
        # One that renews its row at this moment stays.
        await connection.execute(
            f'DELETE FROM "{PROCESS_TABLE}" WHERE "id" = \'{process}\' AND "until_ms" = {mark};'
        )
    older = await connection.rows(
        f'SELECT "id", "name", "until_ms" FROM "{PROCESS_TABLE}"'
        f' WHERE "newest_step" < \'{step.name}\' ORDER BY "name"'
    )
    watch.see({process: mark for process, _, mark in older})
    if older:
        raise OlderProcessesError(step.name, [name for _, name, _ in older])
