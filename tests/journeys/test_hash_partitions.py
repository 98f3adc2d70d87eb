"""The tables of docs/scale.md, partitioned by the keys it names: everything works as before."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loyalty_graph.cli.stories import alone_in, staged
from loyalty_graph.clock import utc_now
from loyalty_graph.db import connection, migrate, open_database
from loyalty_graph.db.migrating.course import MIGRATIONS
from loyalty_graph.programs import service as programs
from loyalty_graph.sandbox.stories import read_story, story_of
from loyalty_graph.usecases import proof, purchases
from tests.databases import named, run_on
from tests.shop import open_shop, program

PLAN = Path(__file__).parents[2] / "docs" / "scale.md"
PARTS = 4
FOUND_BY_CHANCE = ("card_link_token", "pass_serial", "redemption_code")
DATABASE = "loyalty_partitioned"
TABLE = re.compile(r'CREATE TABLE "(\w+)" \((.*?)\n\)(?: WITH \((.*?)\))?;', re.DOTALL)


def plan() -> dict[str, str | None]:
    """Return the key of each table, as the document has it; None where it is not distributed."""
    keys = dict[str, str | None]()
    for row in re.findall(r"^\| (.+?) \| ((?:`\w+` ?)+) \|$", PLAN.read_text(), re.MULTILINE):
        key = row[0].strip("`") if row[0].startswith("`") else None
        keys |= dict.fromkeys(re.findall(r"`(\w+)`", row[1]), key)
    return keys


def partitioned(script: str, keys: dict[str, str | None]) -> str:
    """Return our schema with every table in parts by the hash of its key."""

    def table(found: re.Match[str]) -> str:
        name, body, stored = found.groups()
        if (key := keys[name]) is None:
            return found[0]
        storage = f" WITH ({stored})" if stored else ""
        parts = [
            f'CREATE TABLE "{name}_{part}" PARTITION OF "{name}"'
            f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part}){storage};"
            for part in range(PARTS)
        ]
        return f'CREATE TABLE "{name}" ({body}\n) PARTITION BY HASH ("{key}");\n' + "\n".join(parts)

    for index in FOUND_BY_CHANCE:
        script = script.replace(f'CREATE UNIQUE INDEX "{index}"', f'CREATE INDEX "{index}"')
    return TABLE.sub(table, script)


def schema() -> str:
    [path] = [one for one in MIGRATIONS.iterdir() if one.name.endswith(".postgres.sql")]
    return path.read_text()


def test_the_document_has_a_key_for_every_table():
    assert sorted(plan()) == sorted(name for name, _, _ in TABLE.findall(schema()))


@pytest.fixture
async def url(server: str, tmp_path: Path) -> AsyncIterator[str]:
    """A database whose tables are in parts."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for one in MIGRATIONS.iterdir():
        if one.name.endswith(".postgres.sql"):
            (folder / one.name).write_text(partitioned(one.read_text(), plan()))
    await run_on(server, f"CREATE DATABASE {DATABASE}")
    async with open_database(named(server, DATABASE)):
        await migrate(folder=folder)
    yield named(server, DATABASE)
    await run_on(server, f"DROP DATABASE {DATABASE} WITH (FORCE)")


async def rows(statement: str) -> list[list[int]]:
    _, found = await connection().execute_query(statement)
    return [list(row.values()) for row in found]


@pytest.mark.postgres
@pytest.mark.parametrize("preset", ["corner-grocer", "coffee-stars"])
async def test_a_story_is_played_on_tables_in_parts(url: str, tmp_path: Path, preset: str):
    told = read_story(story_of(preset))

    async with staged(preset, told.begins, alone_in(tmp_path, database_url=url)) as player:
        played = [step async for step in player.play(told)]
        audit = await proof.verify(await programs.only_program(), now=utc_now())
        [[transfers]] = await rows("SELECT count(*) FROM transfer")
        [[in_parts]] = await rows("SELECT count(*) FROM pg_partitioned_table")

    assert len(played) == len(told.steps)
    assert (audit.findings, audit.transfers) == ([], transfers)
    assert in_parts == len([key for key in plan().values() if key is not None])


@pytest.mark.postgres
async def test_members_of_one_batch_are_in_different_parts(url: str):
    async with open_database(url):
        shop = await open_shop(program(expiry_months=None))
        members = [await shop.enrol() for _ in range(8)]
        for _ in range(3):
            receipts = [shop.receipt(one) for one in members]
            await purchases.record(shop.program_id, receipts, now=shop.now)
        balances = [await shop.balance(one) for one in members]
        audit = await proof.verify(shop.program_id, now=shop.now)
        [[used]] = await rows("SELECT count(DISTINCT tableoid) FROM account")

    assert balances == [324] * len(members)
    assert (audit.findings, audit.accounts) == ([], len(members))
    assert used > 1
