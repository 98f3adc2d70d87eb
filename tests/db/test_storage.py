"""A SQLite file whose storage fails while it is used: refused, told once, well again by itself."""

import asyncio
import hashlib
import logging
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from loyalty_graph.alarms import AlarmRow, try_space
from loyalty_graph.db import (
    Gatherer,
    StorageError,
    Trouble,
    connection,
    migrate,
    open_database,
    storage,
    transaction,
)
from loyalty_graph.db.storage import SqliteStorage, Storage
from loyalty_graph.errors import DatabaseError
from tests.disks import SmallDisk, small_disk

pytestmark = pytest.mark.sqlite

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOME_BYTES = 40_000


@transaction
async def add_two(number: int) -> None:
    """Write two rows, which belong together, larger than the page cache leaves unnoticed."""
    for half in ("a", "b"):
        await AlarmRow.create(name=f"{number}{half}", message="x" * SOME_BYTES, since=NOON)


async def names() -> list[str]:
    found: list[str] = await AlarmRow.all().order_by("name").values_list("name", flat=True)  # type: ignore[assignment] # flat
    return found


async def add_until_it_fails() -> tuple[int, StorageError]:
    """Return how many pairs there was room for, and why there was no more."""
    for number in range(1_000):
        try:
            await add_two(number)
        except StorageError as error:
            return number, error
    raise AssertionError("it never failed")


def pairs(count: int) -> list[str]:
    return sorted(f"{number}{half}" for number in range(count) for half in "ab")


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite://").partition("?")[0])


def size_of(place: str) -> int:
    return Path(place).stat().st_size


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.name == "loyalty_graph.db.storage"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "small", megabytes=4) as mounted:
        yield mounted


async def test_a_file_that_may_not_grow_refuses_whole_transactions(
    database_url: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    async with open_database(f"{database_url}&max_pages=300"):
        done, error = await add_until_it_fails()
        with pytest.raises(StorageError, match="the disk is full"):
            await add_two(done)

        assert error.trouble is Trouble.FULL
        assert await names() == pairs(done)
        assert storage().trouble is Trouble.FULL
        assert logged(caplog) == ["Storage: the disk is full (database or disk is full)."]


async def test_there_is_room_again_without_a_restart(
    database_url: str, caplog: pytest.LogCaptureFixture
):
    async with open_database(f"{database_url}&max_pages=300"):
        done, _ = await add_until_it_fails()
        with pytest.raises(StorageError):
            await try_space(NOON)

        caplog.set_level(logging.INFO)
        await connection().execute_query("PRAGMA max_page_count = 600")
        await add_two(done)
        await try_space(NOON)
        storage().works()

        assert storage().trouble is None
        assert await names() == pairs(done + 1)
        assert logged(caplog)[-1] == "Storage: it can be written again."


async def test_a_gatherer_on_a_full_disk_answers_everybody(database_url: str):
    batches = []

    @transaction
    async def write_all(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        for number in numbers:
            await AlarmRow.create(name=f"{number}", message="x" * 200_000, since=NOON)
        return numbers

    async with open_database(f"{database_url}&max_pages=300"), Gatherer(write_all) as gather:
        tasks = [asyncio.ensure_future(gather(number)) for number in range(20)]
        answers = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(one) for one in answers] == [StorageError] * 20
        assert batches == [list(range(20))]
        assert await names() == []


async def test_a_migration_on_a_full_disk_leaves_nothing(tmp_path: Path):
    url = f"sqlite://{tmp_path}/new.sqlite3?cache_mb=8&max_pages=20"

    async with open_database(url):
        with pytest.raises(DatabaseError, match=r"nothing of it was kept: .*the disk is full"):
            await migrate()

        assert await connection().execute_query_dict("SELECT name FROM sqlite_master") == []


async def test_a_full_disk_loses_nothing_that_was_acknowledged(disk: SmallDisk, database_url: str):
    path = shutil.copy(file_of(database_url), disk.folder / "loyalty.sqlite3")
    url = f"sqlite://{path}?cache_mb=8"
    async with open_database(url):
        done, error = await add_until_it_fails()
        disk.fill()
        with pytest.raises(StorageError):
            await add_two(done)
        with pytest.raises(StorageError):
            await try_space(NOON)

        assert error.trouble is Trouble.FULL
        assert await names() == pairs(done)
    # Closing could not bring the -wal file into the database, which has no room to grow.
    assert size_of(f"{path}-wal") > 1_000_000

    disk.free()
    async with open_database(url):
        assert await names() == pairs(done)


async def test_a_full_disk_that_has_space_again_is_written_to_by_itself(
    disk: SmallDisk, database_url: str
):
    path = shutil.copy(file_of(database_url), disk.folder / "loyalty.sqlite3")
    async with open_database(f"sqlite://{path}?cache_mb=8"):
        await add_two(0)
        disk.fill()
        with pytest.raises(StorageError, match="the disk is full"):
            await add_two(1)

        disk.free()
        await add_two(1)

        assert await names() == pairs(2)


async def test_what_cannot_be_written_is_said_to_be_read_only(database_url: str):
    async with open_database(database_url):
        await connection().execute_query("PRAGMA query_only = ON")
        with pytest.raises(StorageError, match="the database is read-only") as caught:
            await add_two(0)
        assert (caught.value.trouble, storage().trouble) == (Trouble.READ_ONLY,) * 2
        assert await names() == []

        await connection().execute_query("PRAGMA query_only = OFF")
        await add_two(0)

        assert await names() == pairs(1)


async def test_a_reader_that_is_asked_to_write_says_nothing_about_the_storage(database_url: str):
    async with open_database(database_url):
        await connection().execute_query("WITH a AS (SELECT 1) DELETE FROM alarm")

        assert storage().trouble is None


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
async def test_a_file_deleted_under_a_server_is_noticed_before_anything_more_is_written(
    ending: str, database_url: str, caplog: pytest.LogCaptureFixture
):
    path = file_of(database_url)
    gone = path.with_name(path.name + ending)
    async with open_database(database_url):
        await add_two(0)
        kept = gone.rename(path.with_name("kept"))
        for number in (1, 2):
            with pytest.raises(StorageError, match="was deleted, moved or replaced"):
                await add_two(number)
        with pytest.raises(StorageError):
            await AlarmRow.all().delete()

        assert storage().present() is Trouble.MOVED
        assert await names() == pairs(1)
        assert logged(caplog) == [
            f"Storage: the database file was deleted, moved or replaced ({gone})."
        ]

        kept.rename(gone)
        assert storage().present() is None
        await add_two(1)
        assert await names() == pairs(2)


async def test_a_file_replaced_while_a_transaction_runs_is_never_acknowledged(database_url: str):
    path = file_of(database_url)

    @transaction
    async def replaced() -> None:
        await AlarmRow.create(name="lost", message="", since=NOON)
        shutil.copy(path, path.with_name("copy"))
        path.with_name("copy").replace(path)

    async with open_database(database_url):
        with pytest.raises(StorageError, match="was deleted, moved or replaced"):
            await replaced()


async def test_a_file_taken_away_with_its_folder_is_noticed(database_url: str, tmp_path: Path):
    path = tmp_path / "folder" / "loyalty.sqlite3"
    path.parent.mkdir()
    shutil.copy(file_of(database_url), path)
    async with open_database(f"sqlite://{path}?cache_mb=8"):
        await add_two(0)
        shutil.rmtree(path.parent)

        with pytest.raises(StorageError, match="was deleted, moved or replaced"):
            await add_two(1)


async def damaged(url: str, *, cut: bool = False) -> None:
    """Write over all of a file but its first page, or cut all but that off."""
    path = file_of(url)
    await connection().execute_query("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.truncate(4096) if cut else (file.seek(4096), file.write(b"\xa5" * (size - 4096)))


@pytest.mark.parametrize("cut", [False, True], ids=["overwritten", "cut off"])
async def test_after_a_damage_was_seen_nothing_is_written(
    cut: bool,  # noqa: FBT001 - a parameter
    database_url: str,
    caplog: pytest.LogCaptureFixture,
):
    path = file_of(database_url)
    async with open_database(database_url):
        await damaged(database_url, cut=cut)
        before = digest(path)
        with pytest.raises(StorageError, match="the database is damaged"):
            await names()
        with pytest.raises(StorageError, match="the database is damaged"):
            await add_two(0)
        with pytest.raises(StorageError, match="the database is damaged"):
            await AlarmRow.create(name="alone", message="", since=NOON)
        storage().works()

        assert storage().trouble is Trouble.DAMAGED
        assert len(logged(caplog)) == 1

    assert digest(path) == before


async def test_a_damage_that_a_transaction_meets_undoes_it_and_stops_the_next(database_url: str):
    async with open_database(database_url):
        await damaged(database_url)

        for _ in range(2):
            with pytest.raises(StorageError, match="the database is damaged"):
                await add_two(0)


@pytest.mark.parametrize(
    ("case", "code", "trouble"),
    [
        ("full", sqlite3.SQLITE_FULL, Trouble.FULL),
        ("moved journal", sqlite3.SQLITE_READONLY_DBMOVED, Trouble.READ_ONLY),
        ("bad page", sqlite3.SQLITE_CORRUPT_INDEX, Trouble.DAMAGED),
        ("no write", sqlite3.SQLITE_IOERR_WRITE, Trouble.FAILING),
        ("busy", sqlite3.SQLITE_BUSY, None),
    ],
)
def test_codes_of_sqlite_say_what_is_wrong(
    case: str, code: int, trouble: Trouble | None, tmp_path: Path
):
    error = sqlite3.OperationalError(case)
    error.sqlite_errorcode = code

    assert SqliteStorage(tmp_path / "file").trouble_of(error) is trouble
    assert SqliteStorage(tmp_path / "file").trouble_of(sqlite3.ProgrammingError()) is None


def failing() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    return error


def test_a_disk_that_fails_is_asked_why(disk: SmallDisk, tmp_path: Path):
    known = SqliteStorage(disk.folder / "file")

    assert known.trouble_of(failing()) is Trouble.FAILING
    disk.fill()
    assert known.trouble_of(failing()) is Trouble.FULL
    subprocess.run(["mount", "-o", "remount,ro", disk.folder], check=True)
    assert known.trouble_of(failing()) is Trouble.READ_ONLY
    assert SqliteStorage(tmp_path / "gone" / "file").trouble_of(failing()) is Trouble.FAILING


def test_a_failing_file_that_is_not_there_any_more_was_moved(tmp_path: Path):
    path = tmp_path / "file"
    path.touch()
    known = SqliteStorage(path)
    known.check()
    path.unlink()

    assert known.trouble_of(failing()) is Trouble.MOVED


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("53100", Trouble.FULL),
        ("XX001", Trouble.DAMAGED),
        ("58030", Trouble.FAILING),
        ("23505", None),
    ],
)
def test_states_of_postgresql_say_what_is_wrong(state: str, trouble: Trouble | None):
    known = Storage()
    error = asyncpg.PostgresError("it failed")
    error.sqlstate = state

    told = known.told(error)

    assert (told and told.trouble, known.present()) == (trouble, trouble)
    # Of a damage PostgreSQL takes care itself: what is whole is served.
    assert known.in_the_way() is (None if trouble is Trouble.DAMAGED else trouble)
