"""What our SQLite backend does beside curing the hazards."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError, OperationalError

from loyalty_graph.db import connection, open_database, savepoint, transaction
from loyalty_graph.db.sqlite import SqliteClient, SqliteConnection, split_script
from loyalty_graph.errors import DatabaseError
from tests.db.stage import amounts, set_amount

pytestmark = pytest.mark.sqlite


def rows(raw: sqlite3.Connection) -> list[tuple[int, ...]]:
    return [tuple(row) for row in raw.execute("SELECT * FROM pair ORDER BY id")]


def here() -> SqliteConnection:
    present = connection()
    assert isinstance(present, SqliteConnection)
    return present


async def pragma(name: str) -> object:
    return (await connection().execute_query_dict(f"PRAGMA {name}"))[0][name]


@pytest.mark.usefixtures("database")
async def test_the_writer_is_durable_and_checks_foreign_keys():
    assert await pragma("journal_mode") == "wal"
    assert await pragma("synchronous") == 2
    assert await pragma("foreign_keys") == 1
    assert await pragma("wal_autocheckpoint") == 40_000
    assert await pragma("cache_size") == -8 * 1024


@pytest.mark.usefixtures("pair")
async def test_work_in_a_transaction_runs_on_the_writer_and_is_undone_with_it():
    def write(raw: sqlite3.Connection) -> list[tuple[int, ...]]:
        raw.execute("UPDATE pair SET amount = 5 WHERE id = 1")
        raw.execute("INSERT INTO pair VALUES (3, 3)")
        return rows(raw)

    @transaction
    async def undone(seen: list[object]) -> None:
        seen.append(await here().run(write))
        raise LookupError

    seen: list[object] = []
    with pytest.raises(LookupError):
        await undone(seen)

    assert seen == [[(1, 5), (2, 0), (3, 3)]]
    assert await here().run(rows) == [(1, 0), (2, 0)]


@pytest.mark.usefixtures("pair")
async def test_work_outside_a_transaction_only_reads():
    def write(raw: sqlite3.Connection) -> None:
        raw.execute("DELETE FROM pair")

    with pytest.raises(OperationalError, match="readonly"):
        await here().run(write)

    assert await here().run(rows) == [(1, 0), (2, 0)]


@pytest.mark.usefixtures("pair")
async def test_work_that_breaks_a_rule_is_told_in_tortoises_words():
    def write(raw: sqlite3.Connection) -> None:
        raw.execute("INSERT INTO pair VALUES (1, 1)")

    @transaction
    async def broken() -> None:
        async with savepoint():
            await here().run(write)

    with pytest.raises(IntegrityError, match="UNIQUE"):
        await broken()

    assert await amounts() == [0, 0]


@pytest.mark.usefixtures("pair")
async def test_a_with_statement_reads_beside_a_transaction_and_writes_outside_one():
    reading = "WITH big AS (SELECT * FROM pair) SELECT count(*) AS n FROM big"

    @transaction
    async def open_one() -> list[dict[str, int]]:
        await set_amount(1, 5)
        outside = SqliteClient.execute_query_dict
        return await outside(client, reading)

    client = here()
    assert isinstance(client, SqliteClient)
    assert await open_one() == [{"n": 2}]
    await client.execute_query("WITH big AS (SELECT 7 AS n) UPDATE pair SET amount = n FROM big")
    assert await amounts() == [7, 7]
    with pytest.raises(OperationalError, match="no such table"):
        await client.execute_query("WITH big AS (SELECT * FROM nowhere) SELECT * FROM big")


@pytest.mark.usefixtures("database")
async def test_a_null_character_in_a_text_is_read_as_it_is():
    rows_read = await connection().execute_query_dict("SELECT 'a\x00b' AS text")

    assert rows_read == [{"text": "a\x00b"}]


@pytest.mark.usefixtures("pair")
async def test_many_rows_are_written_all_or_none():
    statement = "INSERT INTO pair VALUES (?, ?)"

    with pytest.raises(IntegrityError):
        await connection().execute_many(statement, [[3, 3], [1, 1]])
    await connection().execute_many(statement, [[4, 4], [5, 5]])

    assert await amounts() == [0, 0, 4, 5]


@pytest.mark.usefixtures("pair")
async def test_a_commit_that_fails_leaves_nothing_and_blocks_nobody():
    await connection().execute_script(
        "CREATE TABLE child (id INT REFERENCES pair (id) DEFERRABLE INITIALLY DEFERRED);"
        "CREATE UNIQUE INDEX pair_id ON pair (id);"
    )

    @transaction
    async def orphan() -> None:
        await set_amount(1, 5)
        await connection().execute_query("INSERT INTO child VALUES (99)")

    with pytest.raises(OperationalError, match="FOREIGN KEY"):
        await orphan()
    await set_amount(2, 6)

    assert await amounts() == [0, 6]


@pytest.mark.usefixtures("pair")
async def test_a_file_that_is_busy_for_a_moment_is_waited_for(database_url: str):
    path = database_url.removeprefix("sqlite://").partition("?")[0]
    await connection().execute_query("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE pair SET amount = 5")

    task = asyncio.create_task(transaction(set_amount)(1, 7))
    await asyncio.sleep(0.01)
    other.execute("COMMIT")
    other.close()
    await task

    assert await amounts() == [7, 5]


async def begin(client: SqliteClient) -> None:
    async with client._in_transaction():
        pass


async def read(client: SqliteClient) -> None:
    await client.execute_query("SELECT 1")


@pytest.mark.parametrize("use", [begin, read])
async def test_a_cancelled_first_use_leaves_the_database_usable(
    use: Callable[[SqliteClient], Awaitable[None]], database: BaseDBAsyncClient
):
    assert isinstance(database, SqliteClient)
    client = SqliteClient(database.filename, connection_name="default")

    for turns in range(40):
        task = asyncio.create_task(use(client))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.wait([task])
        await client.close()

    await use(client)
    assert (await client.execute_query("SELECT 1"))[0] == 1
    await client.close()


async def test_a_transaction_on_a_file_that_cannot_be_opened_blocks_nobody(
    database: BaseDBAsyncClient, tmp_path: Path
):
    path = tmp_path / "later"
    path.mkdir()
    client = SqliteClient(str(path), connection_name="default")

    with pytest.raises(DatabaseError, match="unable to open"):
        await begin(client)
    path.rmdir()
    await begin(client)

    assert path.is_file()
    await client.close()


@pytest.mark.usefixtures("pair")
async def test_connecting_twice_keeps_the_connections():
    await here().create_connection(with_db=True)

    assert await amounts() == [0, 0]


@pytest.mark.parametrize(
    ("case", "content", "reason"),
    [
        ("not a database", b"Dear diary, " * 100, "file is not a database"),
        ("a folder", None, "unable to open database file"),
    ],
)
async def test_a_file_that_is_no_database_is_named(
    case: str, content: bytes | None, reason: str, tmp_path: Path
):
    path = tmp_path / "diary"
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.raises(DatabaseError, match=f"The database {path} cannot be used: {reason}"):
        async with open_database(f"sqlite://{path}"):
            raise LookupError

    assert content is None or path.read_bytes() == content


@pytest.mark.parametrize("read_only", ["loyalty.sqlite3", ""])
async def test_a_read_only_file_or_folder_is_named(
    read_only: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "loyalty.sqlite3"
    path.touch()
    # Permissions do not bind a superuser, who may run these tests.
    monkeypatch.setattr(os, "access", lambda place, _mode: place != tmp_path / read_only)

    with pytest.raises(DatabaseError, match="read-only"):
        async with open_database(f"sqlite://{path}"):
            raise LookupError

    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("case", "script", "statements"),
    [
        ("plain", "select 1; select 2;", ["select 1;", " select 2;", ""]),
        ("no last semicolon", "select 1; select 2", ["select 1;", " select 2;"]),
        ("text", "select ';'; select 2", ["select ';';", " select 2;"]),
        ("comment", "select 1 -- a; b\n;", ["select 1 -- a; b\n;", ";"]),
        (
            "trigger",
            "create trigger t after insert on a begin delete from a; select 1; end; select 2",
            [
                "create trigger t after insert on a begin delete from a; select 1; end;",
                " select 2;",
            ],
        ),
    ],
)
def test_a_script_is_split_into_its_statements(case: str, script: str, statements: list[str]):
    assert [part for part in split_script(script) if part.strip(" ;")] == [
        part for part in statements if part.strip(" ;")
    ]
