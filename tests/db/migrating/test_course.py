import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tortoise import Model
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.db import opening
from loyalty_graph.db.ddl import SchemaGenerator, create_table, script
from loyalty_graph.db.migrating.changes import changes
from loyalty_graph.db.migrating.course import MIGRATIONS, contract, migrate, pending
from loyalty_graph.db.migrating.states import read_state, state_of
from loyalty_graph.db.migrating.steps import load
from loyalty_graph.db.migrating.watching import Watch
from loyalty_graph.db.schema import DIALECTS
from loyalty_graph.db.transactions import transaction
from loyalty_graph.errors import DatabaseError, DatabaseNewerError, DatabaseNotOursError
from tests.conftest import BACKEND
from tests.db.catalogue import catalogue
from tests.db.steps import first_step, second_step, third_step
from tests.db.support import empty_database, initialised, opened, tool

ADA, BOB, PROGRAM = (f"00000000-0000-7000-8000-00000000000{digit}" for digit in "abf")
ROWS = f"""
INSERT INTO member (id, program_id, email, level)
VALUES ('{ADA}', '{PROGRAM}', 'ada@example.com', 3), ('{BOB}', '{PROGRAM}', 'bob@example.com', 1);
INSERT INTO entry (id, program_id, member_id, sequence, points, note)
VALUES ('{ADA}', '{PROGRAM}', '{ADA}', 1, 10, NULL), ('{BOB}', '{PROGRAM}', '{ADA}', 2, 5, 'gift');
INSERT INTO visit (shop) VALUES ('north'), ('south'), ('west');
DELETE FROM visit WHERE shop = 'west';
"""  # noqa: S608 - rows of the test
make_migration = tool("make_migration")


@pytest.fixture
async def url(server: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database."""
    async with empty_database(server, tmp_path) as place:
        yield place


@pytest.fixture
async def another(server: str, tmp_path: Path) -> AsyncIterator[str]:
    """Another empty database."""
    async with empty_database(server, tmp_path) as place:
        yield place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose migrations make the tables of the first step."""
    place = tmp_path / "migrations"
    place.mkdir()
    write_step(place, "begin", first_step())
    return place


def write_step(folder: Path, name: str, models: tuple[type[Model], ...]) -> None:
    written = make_migration.write_migration(folder, name, initialised(*models), allow_loss=True)

    assert len(written) == 2


def write_sql(folder: Path, name: str, sql: str, *, phase: str = "expand") -> None:
    for dialect in ("sqlite", "postgres"):
        (folder / f"{name}.{dialect}.sql").write_text(f"-- phase: {phase}\n{sql}")


async def rows(client: BaseDBAsyncClient, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await client.execute_query_dict(query)]


async def fresh_catalogue(url: str, models: tuple[type[Model], ...]) -> dict[str, dict[str, Any]]:
    async with opened(url, *models) as client:
        sql = SchemaGenerator(client).get_create_schema_sql()
        await SchemaGenerator(client).generate_from_string(sql)
        return await catalogue()


async def test_a_fresh_database_gets_every_table(url: str, another: str, folder: Path):
    async with opened(url) as client:
        waiting = await pending(folder=folder)
        told: list[str] = []

        done = await migrate(progress=told.append, folder=folder)

        assert waiting == done == told == ["0001_begin"]
        assert await rows(client, 'SELECT "name" FROM applied_migration') == [("0001_begin",)]
        made = await catalogue()
    assert made == await fresh_catalogue(another, first_step())
    assert set(made) == {"member", "entry", "visit"}


async def test_a_populated_database_migrated_once_equals_a_fresh_one(
    url: str, another: str, folder: Path
):
    async with opened(url) as client:
        await migrate(folder=folder)
        await client.execute_script(ROWS)
        write_step(folder, "widen", second_step())

        assert await contract(watch=Watch(), folder=folder) == ["0002_widen"]

        migrated = await catalogue()
        entries = await rows(client, "SELECT sequence, points, note FROM entry ORDER BY sequence")
        assert entries == [(1, 10, "it's empty"), (2, 5, "gift")]
    assert migrated == await fresh_catalogue(another, second_step())


async def test_a_populated_database_migrated_twice_equals_a_fresh_one(
    url: str, another: str, folder: Path
):
    async with opened(url) as client:
        await migrate(folder=folder)
        await client.execute_script(ROWS)
        write_step(folder, "widen", second_step())
        write_step(folder, "change", third_step())

        assert await contract(watch=Watch(), folder=folder) == ["0002_widen", "0003_change"]

        migrated = await catalogue()
        await client.execute_script("INSERT INTO visit (shop) VALUES ('east')")
        members = await rows(client, "SELECT email, level, status FROM member ORDER BY email")
        assert members == [("ada@example.com", 3, "ACTIVE"), ("bob@example.com", 1, "ACTIVE")]
        assert await rows(client, "SELECT count(*) FROM entry") == [(2,)]
        visits = await rows(client, "SELECT id, shop FROM visit ORDER BY id")
        assert visits == [(1, "north"), (2, "south"), (4, "east")]
        assert await pending(folder=folder) == []
        assert await migrate(folder=folder) == []
    assert migrated == await fresh_catalogue(another, third_step())


async def test_several_that_migrate_at_once_take_each_step_once(url: str, folder: Path):
    write_step(folder, "widen", second_step())
    async with opened(url) as client:
        done = await asyncio.gather(*(migrate(folder=folder) for _ in range(4)))

        assert sorted(name for names in done for name in names) == ["0001_begin", "0002_widen"]
        recorded = await rows(client, "SELECT name FROM applied_migration ORDER BY name")
        assert recorded == [("0001_begin",), ("0002_widen",)]


async def test_a_step_may_concern_one_of_the_databases_only(url: str, folder: Path):
    write_sql(folder, "0002_nothing", "-- 0002_nothing: it's for the other; not for this one.")
    async with opened(url):
        assert await migrate(folder=folder) == ["0001_begin", "0002_nothing"]


async def test_a_step_that_fails_leaves_nothing_and_those_before_it_stay(url: str, folder: Path):
    async with opened(url):
        await migrate(folder=folder)
        write_sql(
            folder, "0002_bad", "CREATE TABLE extra (id INT); INSERT INTO nowhere VALUES (1);"
        )
        with pytest.raises(DatabaseError, match=r"0002_bad failed.*nowhere"):
            await migrate(folder=folder)

        assert set(await catalogue()) == {"member", "entry", "visit"}
        assert await pending(folder=folder) == ["0002_bad"]


async def test_rows_that_break_a_new_check_stop_the_step(url: str, folder: Path):
    async with opened(url) as client:
        await migrate(folder=folder)
        await client.execute_script(ROWS.replace("example.com', 1)", "example.com', -1)"))
        before = await catalogue()
        write_step(folder, "widen", second_step())

        with pytest.raises(DatabaseError, match="member_level_not_negative"):
            await contract(watch=Watch(), folder=folder)

        assert await catalogue() == before
        assert await pending(folder=folder) == ["0002_widen"]


async def test_a_step_that_leaves_rows_referring_to_nothing_is_undone(url: str, folder: Path):
    async with opened(url) as client:
        await migrate(folder=folder)
        await client.execute_script(ROWS)
        write_sql(folder, "0002_forget", "DELETE FROM member WHERE level = 3;")

        with pytest.raises(DatabaseError):
            await migrate(folder=folder)

        assert await rows(client, "SELECT count(*) FROM member") == [(2,)]
        assert await rows(client, "SELECT count(*) FROM entry") == [(2,)]
        assert await pending(folder=folder) == ["0002_forget"]


async def test_a_database_of_something_else_is_refused_and_left_alone(url: str, folder: Path):
    async with opened(url) as client:
        await client.execute_script("CREATE TABLE invoice (id INT)")

        with pytest.raises(DatabaseNotOursError, match="it holds invoice"):
            await migrate(folder=folder)
        with pytest.raises(DatabaseNotOursError):
            await pending(folder=folder)

        assert set(await catalogue(without=())) == {"invoice"}


async def test_a_database_from_a_newer_version_is_refused_and_left_alone(url: str, folder: Path):
    async with opened(url) as client:
        await migrate(folder=folder)
        await client.execute_script("INSERT INTO applied_migration (name) VALUES ('0009_later')")
        write_step(folder, "widen", second_step())
        before = await catalogue()

        with pytest.raises(DatabaseNewerError, match="0009_later"):
            await migrate(folder=folder)
        with pytest.raises(DatabaseNewerError):
            await pending(folder=folder)

        assert await catalogue() == before


async def test_migrating_inside_a_transaction_is_noticed(url: str, folder: Path):
    async with opened(url):
        with pytest.raises(AssertionError, match="for ever"):
            await transaction(migrate)(folder=folder)


def test_two_migrations_of_one_number_are_noticed(folder: Path):
    write_sql(folder, "0001_other", "SELECT 1;")

    with pytest.raises(AssertionError, match="each once"):
        load(folder, "sqlite")


def test_no_migration_was_forgotten():
    ours = [name for name in opening.MODEL_MODULES if name.startswith("loyalty_graph.")]

    said, migrated = state_of(make_migration.models_in(ours)), read_state(MIGRATIONS)

    for dialect in DIALECTS:
        assert changes(migrated[dialect], said[dialect], dialect) == [], "run tools/make_migration"


async def test_our_migrations_lead_to_the_tables_of_the_models(url: str, another: str):
    ours = [name for name in opening.MODEL_MODULES if name.startswith("loyalty_graph.")]
    tables = state_of(make_migration.models_in(ours))[BACKEND]
    statements = [statement for table in tables for statement in create_table(table, BACKEND)]

    async with opened(url):
        await migrate()
        migrated = await catalogue()

    async with opened(another) as client:
        await client.execute_script(script([*statements, "SELECT 1"]))
        assert migrated == await catalogue()
