"""Processes that are killed while they migrate, and the next one, which goes on."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.db import Watch, contract, migrate, pending, standing
from loyalty_graph.db.migrating import course
from loyalty_graph.db.transactions import connection
from loyalty_graph.errors import DatabaseError, DatabaseNewerError
from tests.db.migrating.phases import INDEX, NEWER, sales, steps_in
from tests.db.support import ROOT, empty_database, opened

pytestmark = pytest.mark.chaos

Process = subprocess.Popen[str]
Start = Callable[..., Process]
SOLD = 7


@pytest.fixture
async def url(server: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database."""
    async with empty_database(server, tmp_path) as place:
        yield place


@pytest.fixture
async def client(url: str, older: Path) -> AsyncIterator[BaseDBAsyncClient]:
    """A database that has taken the older version's step, and holds some sales."""
    async with opened(url) as client:
        await migrate(folder=older)
        await client.execute_script(sales(1, SOLD))
        yield client


@pytest.fixture
def start(url: str, newer: Path) -> Start:
    """Starts a process that migrates, to stand still after a script was run so many times."""

    def run(how: str, text: str = "nothing like it", times: int = 1) -> Process:
        words = ["-m", "tests.db.migrating.process", url, newer, how, text, times]
        return subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    return run


async def killed_when_still(process: Process) -> None:
    assert process.stdout is not None
    said = await asyncio.to_thread(process.stdout.readline)
    process.kill()
    _, err = process.communicate()
    assert said == "still\n", err


async def rows(query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await connection().execute_query_dict(query)]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - the database is asked
            await asyncio.sleep(0.01)


async def test_killed_while_it_expands_it_leaves_nothing_behind(
    client: BaseDBAsyncClient, newer: Path, start: Start
):
    await killed_when_still(start("migrate", "ADD COLUMN net"))

    assert await pending(folder=newer) == list(NEWER)[1:]
    [(before,)] = await rows("SELECT count(*) FROM sale")
    await client.execute_script("INSERT INTO sale VALUES ('shop', 100, 1)")
    assert await migrate(folder=newer) == ["0002_net", "0003_fill_net"]
    assert before == SOLD


async def test_killed_while_it_fills_it_goes_on_after_the_last_batch(
    client: BaseDBAsyncClient, newer: Path, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(course, "BATCH_ROWS", 2)
    fill = NEWER["0003_fill_net"][1].replace("total * 2 WHERE net IS NULL AND", "2 WHERE")
    counted = fill.replace("net = 2", "net = COALESCE(net, 0) + 1")
    steps_in(newer, {"0003_fill_net": ("backfill", counted)})

    await killed_when_still(start("migrate", "UPDATE sale", 3))
    filled = (await standing(folder=newer))[2]
    taken = await migrate(folder=newer)

    assert (filled.state, filled.filled) == ("RUNNING", 4)
    assert taken == ["0003_fill_net"]
    assert (await standing(folder=newer))[2].filled == SOLD
    assert await rows("SELECT net, count(*) FROM sale GROUP BY net") == [(1, SOLD)]


async def test_killed_while_it_contracts_it_has_taken_nothing_yet_and_keeps_older_code_out(
    client: BaseDBAsyncClient, older: Path, newer: Path, start: Start
):
    await killed_when_still(start("contract", "DROP COLUMN total"))

    assert await rows("SELECT sum(total) AS totals, sum(net) AS nets FROM sale") == [(28, 56)]
    assert await pending(folder=newer) == ["0004_drop_total"]
    with pytest.raises(DatabaseNewerError):
        await migrate(folder=older)
    assert await contract(watch=Watch(), folder=newer) == ["0004_drop_total"]
    assert await rows("SELECT * FROM sale WHERE number = 3") == [("shop", 3, 6)]


async def test_of_two_that_contract_at_once_one_takes_each_step(
    client: BaseDBAsyncClient, newer: Path, start: Start
):
    processes = [start("contract") for _ in range(2)]

    said = [await asyncio.to_thread(process.communicate) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    taken = [name for out, _ in said for name in out.split() if "fill" not in name]
    assert sorted(taken) == ["0002_net", "0004_drop_total"]
    assert await pending(folder=newer) == []
    assert await rows("SELECT count(*), sum(net) AS nets FROM sale") == [(SOLD, 56)]


@pytest.mark.postgres
async def test_killed_while_it_makes_an_index_it_leaves_a_half_made_one_which_is_made_again(
    client: BaseDBAsyncClient, newer: Path, start: Start
):
    await migrate(folder=newer)
    steps_in(newer, {"0004_drop_total": ("expand", INDEX)})
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('sale_net')"
    busy = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"

    async def is_half_made() -> bool:
        return await rows(valid) == [(False,)]

    async def is_over() -> bool:
        return await rows(busy) == []

    async with client.acquire_connection() as seller:
        selling = seller.transaction()
        await selling.start()
        await seller.execute("UPDATE sale SET total = total WHERE number = 1")
        process = start("migrate")
        await until(is_half_made)
        process.kill()
        process.communicate()
        await until(is_over)  # The server has seen that nobody waits for the index.
        await selling.commit()
    assert await is_half_made()

    assert await migrate(folder=newer) == ["0004_drop_total"]
    assert await rows(valid) == [(True,)]


@pytest.mark.postgres
async def test_a_connection_that_is_lost_is_told_and_the_next_run_goes_on(
    client: BaseDBAsyncClient, newer: Path
):
    slow = NEWER["0002_net"][1] + "SELECT pg_sleep(600);"
    steps_in(newer, {"0002_net": ("expand", slow)})
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

    async def is_cut() -> bool:
        return await rows(cut) != []

    migration = asyncio.create_task(migrate(folder=newer))
    await until(is_cut)
    with pytest.raises(DatabaseError, match="0002_net was interrupted"):
        await migration

    steps_in(newer, NEWER)
    assert await migrate(folder=newer) == ["0002_net", "0003_fill_net"]
