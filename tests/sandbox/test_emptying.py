"""The demo empties its own database and no other."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.db import connection, migrate, open_database
from loyalty_graph.db.migrating.course import pending
from loyalty_graph.errors import DatabaseError, DatabaseNewerError, DatabaseNotOursError
from loyalty_graph.programs import service as programs
from loyalty_graph.sandbox.emptying import empty
from tests.shop import PROGRAM, open_shop

SANDBOX: dict[str, Any] = {**PROGRAM, "program": {**PROGRAM["program"], "sandbox": True}}
SLUG = "bean-club"


async def run(url: str, *statements: str) -> None:
    async with open_database(url):
        for statement in statements:
            await connection().execute_script(statement)


async def test_a_demos_database_is_as_new_afterwards(database_url: str):
    async with open_database(database_url):
        shop = await open_shop(SANDBOX)
        await shop.buy(await shop.enrol())

    await empty(database_url, slug=SLUG)

    async with open_database(database_url):
        assert await pending()
        await migrate()
        again = await open_shop(SANDBOX)
        assert again.program_id != shop.program_id
        assert (await again.buy(await again.enrol())).balance_points == 108


@pytest.mark.parametrize(
    ("case", "data", "slug"),
    [("a real programme", PROGRAM, SLUG), ("another sandbox", SANDBOX, "corner-grocer")],
)
async def test_what_is_not_the_demos_stays(
    database_url: str, case: str, data: dict[str, Any], slug: str
):
    async with open_database(database_url):
        shop = await open_shop(data)

    with pytest.raises(DatabaseError, match="holds the programme bean-club"):
        await empty(database_url, slug=slug)

    async with open_database(database_url):
        assert await programs.find(SLUG) == shop.program_id


async def test_tables_of_something_else_beside_ours_stay(database_url: str):
    async with open_database(database_url):
        shop = await open_shop(SANDBOX)
    await run(database_url, "CREATE TABLE invoice (id INT)", "INSERT INTO invoice VALUES (7)")

    with pytest.raises(DatabaseNotOursError, match="it holds invoice"):
        await empty(database_url, slug=SLUG)

    async with open_database(database_url) as client:
        assert await client.execute_query_dict("SELECT id FROM invoice") == [{"id": 7}]
        assert await programs.find(SLUG) == shop.program_id


async def test_what_a_newer_version_wrote_stays(database_url: str):
    await run(database_url, "INSERT INTO applied_migration (name) VALUES ('9999_later')")

    with pytest.raises(DatabaseNewerError, match="9999_later"):
        await empty(database_url, slug=SLUG)

    async with open_database(database_url) as client:
        assert await client.execute_query_dict("SELECT count(*) AS n FROM program") == [{"n": 0}]


@pytest.mark.sqlite
def test_a_file_of_something_else_is_not_changed_by_a_byte(tmp_path: Path):
    path = tmp_path / "books.sqlite3"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("CREATE TABLE invoice (id INT); INSERT INTO invoice VALUES (7);")
    before = path.read_bytes()

    with pytest.raises(DatabaseNotOursError, match="it holds invoice"):
        asyncio.run(empty(f"sqlite://{path}", slug=SLUG))

    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["books.sqlite3"]


@pytest.mark.sqlite
@pytest.mark.parametrize("content", [None, b""])
def test_where_nothing_is_nothing_is_done(tmp_path: Path, content: bytes | None):
    path = tmp_path / "demo.sqlite3"
    if content is not None:
        path.write_bytes(content)

    asyncio.run(empty(f"sqlite://{path}", slug=SLUG))

    assert path.exists() == (content is not None)
