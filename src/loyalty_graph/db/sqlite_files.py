"""Looks at a SQLite file before it is used: a damaged one is found early, and not written to.

Source of the layout: sqlite.org/fileformat2.html, section 1.3.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from loyalty_graph.db.storage import DatabaseDamagedError
from loyalty_graph.errors import DatabaseError, DatabaseNotOursError

BUSY_TIMEOUT_S = 5.0
CHECKED_WHOLE_BYTES_MAX = 64 << 20
"""Up to here every page is looked at, some ms for 10 MB; beyond, the beginning of each table."""
MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
RECORD_TABLE = "applied_migration"
"""The table that says how far a database of ours has come."""
PROCESS_TABLE = "running_process"
"""The table that says which processes run on it."""
TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"
)
"""Finds the tables in a file, without SQLite's own."""
DAMAGES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def make_usable(path: Path) -> None:
    """Make sure that a file can be read and written; a missing one is made.

    Raises:
        DatabaseError: it cannot be opened and written.
        DatabaseDamagedError: it is damaged, or no SQLite database; it was not changed.
        DatabaseNotOursError: it holds the tables of something else; it was not changed.
    """
    # SQLite would open a read-only file without a word, and refuse the first write.
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            raise DatabaseError(f"The database {path} cannot be used: {place} is read-only.")
    look_at(path)
    with _faults_named(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")


def look_at(path: Path, *, whole: bool = False) -> None:
    """Look for damages in a file, if there is one, and write nothing.

    `whole` reads every page and index, whatever the size: some seconds for a gigabyte.

    Raises:
        DatabaseError: it cannot be read.
        DatabaseDamagedError: it is damaged, or no SQLite database.
        DatabaseNotOursError: it holds the tables of something else.
    """
    with _faults_named(path):
        if not path.is_file() or not path.stat().st_size:
            return
        wal = path.with_name(path.name + "-wal")
        has_wal = wal.exists() and wal.stat().st_size > 0
        if fault := _fault_of_header(path, has_wal=has_wal):
            raise DatabaseDamagedError(path, fault)
        # A connection that can write would bring what is in the -wal file into a damaged file. One
        # that takes the file as immutable makes no files beside it.
        uri = f"{path.absolute().as_uri()}?{'mode=ro' if has_wal else 'immutable=1'}"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as raw:
            tables = [row[0] for row in raw.execute(TABLES)]
            if tables and RECORD_TABLE not in tables:
                raise DatabaseNotOursError(sorted(tables))
            if fault := _fault_of_pages(raw, tables, path.stat().st_size, whole=whole):
                raise DatabaseDamagedError(path, fault)


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in DAMAGES:
            raise DatabaseDamagedError(path, error) from error
        raise DatabaseError(f"The database {path} cannot be used: {error}.") from error
    except OSError as error:
        raise DatabaseError(f"The database {path} cannot be used: {error.strerror}.") from error


def _fault_of_header(path: Path, *, has_wal: bool) -> str | None:
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    page_bytes = int.from_bytes(header[16:18])
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    is_header = header.startswith(MAGIC) and len(header) == HEADER_BYTES
    if not is_header or page_bytes.bit_count() != 1:
        return "file is not a database"
    pages, is_counted = int.from_bytes(header[28:32]), header[24:28] == header[92:96]
    # After a crash in the middle of a checkpoint, the -wal file has what is missing.
    if is_counted and not has_wal and path.stat().st_size < page_bytes * pages:
        return "file is shorter than it says"
    return None


def _fault_of_pages(
    raw: sqlite3.Connection, tables: list[str], size: int, *, whole: bool
) -> str | None:
    if whole or size <= CHECKED_WHOLE_BYTES_MAX:
        check = "integrity_check" if whole else "quick_check"  # Without comparing indexes to rows.
        (found,) = raw.execute(f"PRAGMA {check}(1)").fetchone()
        return None if found == "ok" else str(found).splitlines()[-1]
    for table in tables:
        raw.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchall()  # noqa: S608 - a name from the catalogue
    return None
