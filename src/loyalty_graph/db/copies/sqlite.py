"""Copies of a SQLite database: one file, taken in one read transaction.

Source: sqlite.org/lang_vacuum.html, section 3, "VACUUM with an INTO clause". Python's own online
backup begins anew whenever another process writes.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from loyalty_graph.db.copies.contents import COUNTED, NEWEST_STEP, PROCESSES, Contents, Standing
from loyalty_graph.db.copies.contents import counting as counted
from loyalty_graph.db.errors import BackupError
from loyalty_graph.db.sqlite_files import BUSY_TIMEOUT_S, look_at
from loyalty_graph.db.storage import DatabaseDamagedError
from loyalty_graph.errors import DatabaseError

BESIDE = ("-wal", "-shm")


@dataclass(frozen=True)
class SqliteCopies:
    """The file of a SQLite database."""

    path: Path
    kind = "sqlite"
    file_name = "database.sqlite3"

    @property
    def folder(self) -> Path:
        """Where a copy has to be that is to have the database's place at once."""
        return self.path.absolute().parent

    async def take(self, into: Path) -> Contents:
        """Write the database, as it is at one moment, into a new file; others may write meanwhile.

        Raises:
            DatabaseError: there is none, it is damaged or not ours, or there is no room.
        """
        if not self.path.is_file():
            raise DatabaseError(f"There is no database {self.path}.")
        return await asyncio.to_thread(self._take, into)

    def _take(self, into: Path) -> Contents:
        look_at(self.path)
        try:
            with closing(self._connected("mode=rw")) as raw:
                raw.execute("VACUUM INTO ?", (str(into),))
        except sqlite3.Error as error:
            raise BackupError(f"The database {self.path} cannot be copied: {error}.") from error
        with closing(sqlite3.connect(into)) as raw:
            (step,) = raw.execute(NEWEST_STEP).fetchone()
            return Contents(step, {one: raw.execute(counted(one)).fetchone()[0] for one in COUNTED})

    async def standing(self) -> Standing:
        """Say what is there already.

        Raises:
            DatabaseNotOursError: the tables of something else.
        """
        return await asyncio.to_thread(self._standing)

    def _standing(self) -> Standing:
        if not self.path.is_file() or not self.path.stat().st_size:
            return Standing()
        try:
            look_at(self.path)
        except DatabaseDamagedError:
            return Standing(is_there=True, members=None)
        # Who opens a file for reading alone leaves the files behind that others made beside it.
        is_open = Path(f"{self.path}-shm").exists()
        with closing(self._connected("mode=ro" if is_open else "immutable=1")) as raw:
            if not raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
                return Standing(is_there=True)
            [(members,)] = raw.execute(counted("member")).fetchall()
            rows = raw.execute(PROCESSES).fetchall()
        running = {f"{name} ({one[:8]})": mark for name, one, mark in rows}
        return Standing(is_there=True, members=members, processes=running)

    @asynccontextmanager
    async def made(self, copy: Path) -> AsyncIterator["MadeSqlite"]:
        """Yield the database that a copy is, which no one knows yet.

        Raises:
            DatabaseError: the copy is damaged or not ours.
        """
        await asyncio.to_thread(look_at, copy, whole=True)
        yield MadeSqlite(copy, self.path)

    def _connected(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?{mode}"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


@dataclass(frozen=True)
class MadeSqlite:
    """A restored file that is to have another one's place."""

    path: Path
    place: Path

    @property
    def url(self) -> str:
        """Return where it can be opened meanwhile."""
        return f"sqlite://{self.path.absolute()}"

    async def put_in_place(self, *, mark: str, keep: bool) -> str | None:
        """Let it have its place at once; return where the file is that had it before, if `keep`.

        Nobody may have either open. The -wal and -shm files of the one before never stay: SQLite
        knows no bond between a database and them.
        """
        aside = self.place.with_name(f"{self.place.name}.before-{mark}")
        await asyncio.to_thread(self._put_in_place, aside, keep)
        return str(aside) if keep else None

    def _put_in_place(self, aside: Path, keep: bool) -> None:  # noqa: FBT001 - handed on as it is
        for ending in BESIDE:
            assert not Path(f"{self.path}{ending}").exists(), "whoever closes it last takes it away"
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        if keep:
            aside.hardlink_to(self.place)
        for ending in BESIDE:
            beside = Path(f"{self.place}{ending}")
            if beside.exists():
                beside.rename(f"{aside}{ending}")
        self.path.chmod(0o600)
        self.path.replace(self.place)
        sync_folder(self.place.parent)


def sync_folder(folder: Path) -> None:
    """See that the names in a folder survive a power loss."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
