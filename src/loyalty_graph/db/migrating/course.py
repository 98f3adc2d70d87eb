"""Brings a database to the newest migration, step by step, with other processes waiting.

A migration is SQL text, frozen when it was written: it does not change when models or our code do.
What a step's phase means is told in decision 9.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable

import asyncpg

from loyalty_graph.db.errors import ContractionWaitsError, DatabaseAwayError
from loyalty_graph.db.migrating.connections import (
    MigrationConnection,
    PostgresMigrationConnection,
    connected,
)
from loyalty_graph.db.migrating.records import (
    CREATE_RECORD_TABLES,
    Record,
    begun,
    done,
    filled,
    records,
    refuse_older,
    refuse_unknown,
)
from loyalty_graph.db.migrating.steps import Key, Migration, load
from loyalty_graph.db.migrating.watching import Watch
from loyalty_graph.db.postgres import CONNECTION_ERRORS
from loyalty_graph.db.storage import StorageError
from loyalty_graph.errors import DatabaseError
from loyalty_graph.pauses import chance, full_jitter_s

MIGRATIONS: Traversable = files("loyalty_graph.migrations")
BATCH_ROWS = 500
LOCK_ATTEMPTS_MAX = 40
FIRST_PAUSE_MAX_S = 0.5
PAUSE_MAX_S = 10.0
DRIVER_ERRORS = (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
LOST = (*CONNECTION_ERRORS, asyncpg.InterfaceError)
"""After these nobody knows whether what was sent last was done."""
BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Standing:
    """How far a step has come; `state` is APPLIED, RUNNING, PENDING or UNKNOWN (a newer one's)."""

    name: str
    phase: str
    state: str
    filled: int


async def migrate(
    *, progress: Progress | None = None, folder: Traversable = MIGRATIONS
) -> list[str]:
    """Bring the open database as far as older processes can follow; return the steps taken.

    A step that contracts is left to `contract`, unless the database is new. Each step and its
    record are committed together, a backfill batch by batch. Other processes that migrate the same
    database wait, and find the work done. `progress` is told each step's name before it begins.

    Raises:
        DatabaseNotOursError: it has tables, but no record of ours; nothing is written.
        DatabaseNewerError: a newer version has contracted it; nothing is written.
        ContractionWaitsError: a step that is needed comes after one that contracts.
        DatabaseAwayError: the connection was lost; the next run goes on.
        DatabaseError: a step failed; nothing of that step is kept, those before it are.
    """
    async with connected() as connection:
        course = _Course(connection, load(folder, connection.dialect), progress)
        await course.run(watch=None)
        if left := [step for step in await course.waiting() if step.phase != "contract"]:
            raise ContractionWaitsError((await course.waiting())[0].name)
        assert not left, "a start takes all but what contracts"
        return course.taken


async def contract(
    *, watch: Watch, progress: Progress | None = None, folder: Traversable = MIGRATIONS
) -> list[str]:
    """Take all steps, also those that older processes could not follow; return those taken.

    From the moment the first of them begins, older versions do not start any more. Then what they
    wrote behind a backfill's back is filled, and only then something is taken away. Who is refused
    and tries again with the same `watch` gets past processes that ended without a word.

    Raises:
        OlderProcessesError: older processes run, or may; what they can follow is done.
        DatabaseError: as `migrate` raises it.
    """
    async with connected() as connection:
        course = _Course(connection, load(folder, connection.dialect), progress)
        await course.run(watch=watch)
        return course.taken


async def pending(*, folder: Traversable = MIGRATIONS) -> list[str]:
    """Return the names of the steps that the open database has not taken yet; write nothing.

    Raises:
        DatabaseNotOursError: it has tables, but no record of ours.
        DatabaseNewerError: a newer version has contracted it.
    """
    async with connected() as connection:
        course = _Course(connection, load(folder, connection.dialect), None)
        return [step.name for step in await course.waiting()]


async def standing(*, folder: Traversable = MIGRATIONS) -> list[Standing]:
    """Return how far the open database has come, step by step; write nothing.

    Raises:
        DatabaseNotOursError: it has tables, but no record of ours.
    """
    async with connected() as connection:
        known = {step.name: step for step in load(folder, connection.dialect)}
        found = await records(connection)
        return [_standing(name, known.get(name), found.get(name)) for name in sorted(known | found)]


def _standing(name: str, step: Migration | None, record: Record | None) -> Standing:
    if record is None:
        assert step is not None, "a step is known, recorded, or both"
        return Standing(name, step.phase, "PENDING", 0)
    state = "UNKNOWN" if step is None else "APPLIED" if record.is_done else "RUNNING"
    return Standing(name, record.phase, state, record.filled)


class _Course:
    """The way of one database through the steps that are known."""

    def __init__(
        self, connection: MigrationConnection, known: list[Migration], progress: Progress | None
    ) -> None:
        self._connection, self._known = connection, known
        self._progress = progress
        self.taken: list[str] = []

    async def waiting(self) -> list[Migration]:
        found = await records(self._connection)
        refuse_unknown(found, self._known)
        finished = {one.name for one in found.values() if one.is_done}
        return [step for step in self._known if step.name not in finished]

    async def run(self, *, watch: Watch | None) -> None:
        """Take step after step, as far as it goes: without a watch, no step that contracts."""
        if not await records(self._connection):
            await self._patiently("The first step", self._begin)
        while waiting := await self.waiting():
            step = waiting[0]
            if step.phase == "contract":
                if watch is None:
                    return
                if await self._announce(step, watch):
                    continue  # Backfills may have come before it again.
            await self._patiently(step.name, partial(self._take, step))

    async def _patiently(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Try again, after pauses, while others hold the tables."""
        for attempt in range(LOCK_ATTEMPTS_MAX):
            try:
                await work()
            except BUSY:
                pause_s = full_jitter_s(
                    attempt, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
                )
                await asyncio.sleep(pause_s)
            except LOST as error:
                raise DatabaseAwayError(
                    f"Migration {name} was interrupted; the next run goes on where it was: {error}"
                ) from error
            except (*DRIVER_ERRORS, StorageError) as error:
                raise DatabaseError(
                    f"Migration {name} failed, and nothing of it was kept: {error}"
                ) from error
            else:
                return
        raise DatabaseError(f"Migration {name} gave up: others hold what it changes.")

    async def _begin(self) -> None:
        """Take all steps of a new database at once: nobody runs on it, and no table has rows."""
        async with self._connection.locked():
            if await records(self._connection):
                return  # Another process began while this one waited.
            await self._connection.execute(CREATE_RECORD_TABLES)
            for step in self._known:
                self._tell(step)
                script = "" if step.phase == "backfill" else step.script
                at_once = script.replace(" CONCURRENTLY", "")
                await self._connection.execute(f"{at_once}\n{done(step)}")
        self.taken += [step.name for step in self._known]

    async def _announce(self, step: Migration, watch: Watch) -> bool:
        """Keep older versions from starting; return False when that was done before."""
        async with self._connection.locked():
            found = await records(self._connection)
            if step.name in found:
                return False
            await refuse_older(self._connection, step, watch)
            before = [one.name for one in found.values() if one.phase == "contract"]
            await self._connection.execute(begun(step, max(before, default="")))
            return True

    async def _take(self, step: Migration) -> None:
        if step.phase == "backfill":
            await self._fill(step)
        elif isinstance(self._connection, PostgresMigrationConnection) and step.concurrent:
            if not await self._make_beside_writers(self._connection, step):
                return
        else:
            async with self._connection.locked():
                if not await self._is_mine(step):
                    return
                await self._connection.execute(f"{step.script}\n{done(step)}")
        self.taken.append(step.name)

    async def _make_beside_writers(
        self, connection: PostgresMigrationConnection, step: Migration
    ) -> bool:
        """Make or drop indexes one by one; a half-made one, of a process that died, goes first."""
        async with connection.alone():
            if not await self._is_mine(step):
                return False
            valid = await self._indexes(valid=True)
            for name, statement in step.concurrent:
                if name in await self._indexes(valid=False):
                    await self._connection.execute(f'DROP INDEX CONCURRENTLY "{name}"')
                if name not in valid or statement.upper().startswith("DROP"):
                    await self._connection.execute(statement)
            await self._connection.execute(done(step))
        return True

    async def _indexes(self, *, valid: bool) -> list[str]:
        return await self._connection.names(
            "SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            f" WHERE relnamespace = current_schema()::regnamespace AND indisvalid = {valid}"
        )

    async def _fill(self, step: Migration) -> None:
        """Fill batch after batch, and leave the others as much time as each took."""
        loop = asyncio.get_running_loop()
        self._tell(step)
        is_left = True
        while is_left:
            began = loop.time()
            async with self._connection.locked():
                is_left = await self._fill_batch(step)
            await asyncio.sleep(loop.time() - began if is_left else 0)

    async def _fill_batch(self, step: Migration) -> bool:
        """Fill the rows after those that were filled; return whether there may be more."""
        record = (await records(self._connection)).get(step.name)
        if record is not None and record.is_done:
            return False
        backfill, after = step.backfill, record.up_to if record else None
        found = await self._connection.rows(backfill.last_of_batch(after, BATCH_ROWS))
        last: Key | None = found[0] if found else None
        count = await self._connection.change(backfill.filling(after, last))
        await self._connection.execute(filled(step, last or after or (), count))
        if last is None:
            await self._connection.execute(done(step))
        return last is not None

    async def _is_mine(self, step: Migration) -> bool:
        """Say whether a step is the next to be taken, now that nobody else migrates."""
        if [step] != (await self.waiting())[:1]:
            return False
        self._tell(step)
        return True

    def _tell(self, step: Migration) -> None:
        if self._progress:
            self._progress(step.name)
