"""Copies of a database: what stands where one is to be restored, and what fails on the way."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loyalty_graph.db.copies import of
from loyalty_graph.db.copies.contents import Standing
from loyalty_graph.db.errors import BackupError


@pytest.mark.sqlite
async def test_a_copy_is_never_written_into_a_file_that_is_there(database_url: str, tmp_path: Path):
    taken = tmp_path / "copy.sqlite3"
    taken.write_text("something else")

    with pytest.raises(BackupError, match=r"loyalty\.sqlite3 cannot be copied: "):
        await of(database_url).take(taken)

    assert taken.read_text() == "something else"


@pytest.mark.sqlite
async def test_a_database_without_tables_holds_nothing(tmp_path: Path):
    path = tmp_path / "empty.sqlite3"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE x (y)")
        raw.execute("DROP TABLE x")

    assert await of(f"sqlite://{path}").standing() == Standing(is_there=True)
    assert await of(f"sqlite://{path}.none").standing() == Standing()


@pytest.mark.postgres
async def test_who_stops_a_backup_stops_its_program(database_url: str, tmp_path: Path):
    program, begun = tmp_path / "pg_dump", tmp_path / "begun"
    # A megabyte passes only to who reads it: once it has, the backup waits for its program.
    program.write_text(
        f"#!/bin/sh\nhead -c 1000000 /dev/zero >&2\necho $$ > {begun}\nexec sleep 600\n"
    )
    program.chmod(0o755)
    taking = asyncio.create_task(of(database_url, programs=tmp_path).take(tmp_path / "copy"))
    while not _said(begun).endswith("\n"):  # noqa: ASYNC110 - another process says it
        await asyncio.sleep(0.01)

    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking

    with pytest.raises(ProcessLookupError):
        os.kill(int(_said(begun)), 0)


def _said(file: Path) -> str:
    return file.read_text() if file.exists() else ""
