"""A damaged file is found before it is used, named, and left as it is."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loyalty_graph.alarms import AlarmRow
from loyalty_graph.db import StorageError, connection, open_database, sqlite_files
from loyalty_graph.db.storage import DatabaseDamagedError
from loyalty_graph.errors import DatabaseError
from tests.cli.conftest import CommandLine, call

__all__ = ["call"]
pytestmark = pytest.mark.sqlite

PAGE = 4096
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite://").partition("?")[0])


def digests(path: Path) -> dict[str, str]:
    found = sorted(path.parent.glob(f"{path.name}*"))
    return {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in found
        if one.stat().st_size
    }


def overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def garbage_in_the_header(path: Path) -> None:
    overwrite(path, 0, b"\xa5" * 100)


def a_broken_header_with_its_first_words(path: Path) -> None:
    overwrite(path, 16, b"\xa5" * 84)


def only_half_a_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(50)


def a_page_in_the_middle(path: Path) -> None:
    overwrite(path, path.stat().st_size // PAGE // 2 * PAGE, b"\xa5" * PAGE)


def cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE)


DAMAGES = [
    (garbage_in_the_header, "file is not a database"),
    (a_broken_header_with_its_first_words, "file is not a database"),
    (only_half_a_header, "file is not a database"),
    (a_page_in_the_middle, "Page "),
    (cut_off, "file is shorter than it says"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
async def test_a_damaged_file_is_named_and_not_written_to(
    damage: Callable[[Path], None], reason: str, database_url: str
):
    path = file_of(database_url)
    damage(path)
    before = digests(path)

    with pytest.raises(DatabaseDamagedError, match=reason) as caught:
        async with open_database(database_url):
            raise LookupError

    assert str(caught.value).startswith(f"The database {path} cannot be used: ")
    assert "restore a backup" in str(caught.value)
    assert digests(path) == before
    assert sorted(path.parent.glob("*.sqlite3*")) == [path]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_an_audit_of_a_damaged_file_says_so_in_a_line(
    damage: Callable[[Path], None], reason: str, database_url: str, call: CommandLine
):
    path = file_of(database_url)
    damage(path)
    before = digests(path)

    done = call("ledger", "verify", "--database", database_url)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"DATABASE_DAMAGED The database {path} cannot be used: ")
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert digests(path) == before


async def after_a_crash(url: str, rows: int, *, copied: Path) -> None:
    """Write rows, and copy the files as a crash of the machine would leave them."""
    path = file_of(url)
    async with open_database(url):
        for number in range(rows):
            await AlarmRow.create(name=f"{number:03}", message="x" * 100, since=NOON)
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", f"{copied}{ending}")


async def rows_in(path: Path) -> int:
    async with open_database(f"sqlite://{path}?cache_mb=8"):
        return await AlarmRow.all().count()


async def test_what_a_crash_leaves_beside_the_file_is_brought_in(database_url: str, tmp_path: Path):
    await after_a_crash(database_url, 50, copied=tmp_path / "crashed")

    assert await rows_in(tmp_path / "crashed") == 50


async def test_a_wal_file_that_was_cut_off_ends_at_its_last_whole_transaction(
    database_url: str, tmp_path: Path
):
    crashed = tmp_path / "crashed"
    await after_a_crash(database_url, 50, copied=crashed)
    wal = crashed.with_name("crashed-wal")
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - 10 * PAGE)

    assert 0 < await rows_in(crashed) < 50


async def test_the_wal_file_of_another_database_is_noticed_where_pages_do_not_fit(
    database_url: str, tmp_path: Path
):
    crashed = tmp_path / "crashed"
    await after_a_crash(database_url, 1, copied=crashed)
    async with open_database(database_url):
        for number in range(1, 60):
            await AlarmRow.create(name=f"{number:03}", message="x" * 2_000, since=NOON)
    file_of(database_url).replace(crashed)
    before = digests(crashed)

    with pytest.raises(DatabaseDamagedError, match="cannot be used"):
        await rows_in(crashed)

    assert {name: digests(crashed)[name] for name in before} == before


async def test_of_a_large_file_the_beginnings_of_tables_are_looked_at(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_files, "CHECKED_WHOLE_BYTES_MAX", 0)
    path = file_of(database_url)
    assert await rows_in(path) == 0
    with sqlite3.connect(path) as raw:
        [root] = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'alarm'").fetchone()
    raw.close()
    overwrite(path, (root - 1) * PAGE, b"\xa5" * PAGE)

    with pytest.raises(DatabaseDamagedError, match="malformed"):
        await rows_in(path)


def test_a_damage_inside_a_large_file_is_found_by_the_audit(
    database_url: str, call: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_files, "CHECKED_WHOLE_BYTES_MAX", 0)
    path = file_of(database_url)
    with sqlite3.connect(path) as raw:
        [root] = raw.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'transfer'"
        ).fetchmany(1)[0]
    raw.close()
    overwrite(path, (root - 1) * PAGE, b"\xa5" * PAGE)
    before = digests(path)

    done = call("ledger", "verify", "--database", database_url)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"DATABASE_DAMAGED The database {path} cannot be used: ")
    assert digests(path) == before


async def test_a_file_that_cannot_even_be_looked_at_is_named(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    def fails(_path: Path, **_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sqlite_files, "_fault_of_header", fails)

    with pytest.raises(DatabaseError, match="cannot be used: Input/output error"):
        async with open_database(database_url):
            raise LookupError


async def test_a_damage_that_opening_could_not_see_is_told_by_whoever_meets_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_files, "CHECKED_WHOLE_BYTES_MAX", 0)
    async with open_database(database_url):
        for number in range(200):
            await AlarmRow.create(name=f"{number:03}", message="x" * 1_000, since=NOON)
    path = file_of(database_url)
    overwrite(path, path.stat().st_size - 20 * PAGE, b"\xa5" * 20 * PAGE)

    async with open_database(database_url):
        with pytest.raises(StorageError, match="the database is damaged"):
            await connection().execute_query("SELECT sum(length(message)) FROM alarm")
