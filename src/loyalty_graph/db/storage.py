"""What is wrong with the storage under the database: how it is recognised, told and remembered."""

import logging
import os
import sqlite3
from contextlib import suppress
from enum import Enum
from pathlib import Path

from tortoise.exceptions import OperationalError

from loyalty_graph.errors import DatabaseError

logger = logging.getLogger(__name__)


class Trouble(Enum):
    """What can be wrong, as a sentence tells it."""

    FULL = "the disk is full"
    READ_ONLY = "the database is read-only"
    DAMAGED = "the database is damaged"
    MOVED = "the database file was deleted, moved or replaced"
    FAILING = "the disk cannot be read or written"


class StorageError(OperationalError):
    """The storage refused; what was to be written was not, unless the same key finds it."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(
            f"This cannot be done now: {trouble.value}. Try again later, with the same"
            " idempotency key."
        )
        self.trouble = trouble


class DatabaseDamagedError(DatabaseError):
    """The database file is damaged, or something else; nothing was written to it."""

    code = "DATABASE_DAMAGED"

    def __init__(self, path: object, reason: object) -> None:
        super().__init__(
            f"The database {path} cannot be used: {reason}. Nothing was written to it. If it was a"
            " database of ours, it is damaged: move it away with its -wal and -shm files, and"
            " restore a backup."
        )


# The low byte of a code is its class; the rest says what SQLite was doing.
BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_IOERR: Trouble.FAILING,
    sqlite3.SQLITE_CANTOPEN: Trouble.FAILING,
}
# Source: PostgreSQL's manual, appendix A, "PostgreSQL Error Codes".
BY_SQLSTATE = {
    "53100": Trouble.FULL,  # disk_full
    "XX001": Trouble.DAMAGED,  # data_corrupted
    "XX002": Trouble.DAMAGED,  # index_corrupted
    "58P01": Trouble.DAMAGED,  # undefined_file
    "58030": Trouble.FAILING,  # io_error
}


class Storage:
    """What this process has seen of the storage; the log is told when it changes, and only then.

    Attributes:
        trouble: What is wrong, or None.
    """

    def __init__(self) -> None:
        self.trouble: Trouble | None = None

    def told(self, error: Exception) -> StorageError | None:
        """Return what an error of a driver says about the storage, and remember it."""
        trouble = self.trouble_of(error)
        return None if trouble is None else self.failed(trouble, str(error))

    def trouble_of(self, error: Exception) -> Trouble | None:
        """Return what an error of the driver for PostgreSQL means."""
        return BY_SQLSTATE.get(getattr(error, "sqlstate", None) or "")

    def failed(self, trouble: Trouble, because: str) -> StorageError:
        """Remember what is wrong; return what to raise."""
        if self.trouble is not trouble and self.trouble is not Trouble.DAMAGED:
            self.trouble = trouble
            logger.error("Storage: %s (%s).", trouble.value, because)
        return StorageError(trouble)

    def present(self) -> Trouble | None:
        """Look once more, and return what is wrong."""
        return self.trouble

    def in_the_way(self) -> Trouble | None:
        """Return what keeps requests from being served; PostgreSQL serves beside a damage."""
        return None if self.trouble is Trouble.DAMAGED else self.trouble

    def works(self) -> None:
        """Remember that it can be written again; a damage is not mended by that."""
        if self.trouble not in (None, Trouble.DAMAGED):
            self.trouble = None
            logger.info("Storage: it can be written again.")


class SqliteStorage(Storage):
    """The files of a SQLite database: where they were when it was opened, and what is wrong."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._places = [f"{path}{ending}" for ending in ("", "-wal", "-shm")]
        self._known: dict[str, tuple[int, int]] = {}

    @property
    def is_given_up(self) -> bool:
        """Whether nothing more may be written, also not what a closing connection would."""
        return self.trouble in (Trouble.DAMAGED, Trouble.MOVED)

    def present(self) -> Trouble | None:
        """Look where the files are, and return what is wrong."""
        with suppress(StorageError):
            self.check()
        return self.trouble

    def in_the_way(self) -> Trouble | None:
        """Return what keeps requests from being served; after a damage nothing is written."""
        return self.present()

    def trouble_of(self, error: Exception) -> Trouble | None:
        """Return what an error of SQLite means; a failure of the disk is looked into."""
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return None
        trouble = BY_SQLITE_CODE.get(code & 0xFF)
        return self._because() if trouble is Trouble.FAILING else trouble

    def check(self) -> None:
        """See that what is written goes into the files that have these names.

        SQLite would go on writing into a file that has no name any more, and all of it would be
        lost with the process. Looking costs some microseconds.

        Raises:
            StorageError: a file was deleted or replaced since it was opened, or is damaged.
        """
        if self.trouble is Trouble.DAMAGED:
            raise StorageError(self.trouble)
        if gone := self._gone():
            raise self.failed(Trouble.MOVED, ", ".join(gone))
        if self.trouble is Trouble.MOVED:
            self.works()

    def forget(self) -> None:
        """Take the files as they are from now on: they are about to be opened."""
        self._known = {}

    def _gone(self) -> list[str]:
        return [place for place in self._places if not self._is_here(place)]

    def _is_here(self, place: str) -> bool:
        try:
            found = os.stat(place)  # noqa: PTH116 - a Path costs more than the call
        except OSError:
            return place not in self._known
        identity = found.st_dev, found.st_ino
        return self._known.setdefault(place, identity) == identity

    def _because(self) -> Trouble:
        """Return what the file system says about itself, when SQLite only says that it failed."""
        if self._gone():
            return Trouble.MOVED
        try:
            system = os.statvfs(self._path.parent)
        except OSError:
            return Trouble.FAILING
        if system.f_flag & os.ST_RDONLY:
            return Trouble.READ_ONLY
        return Trouble.FAILING if system.f_bavail else Trouble.FULL
