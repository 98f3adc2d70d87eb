"""Steps that expand, backfill and contract, and what two versions may do beside each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import DBConnectionError, OperationalError

from loyalty_graph.db.errors import ContractionWaitsError, OlderProcessesError
from loyalty_graph.db.migrating import course, processes
from loyalty_graph.db.migrating.connections import ADVISORY_LOCK
from loyalty_graph.db.migrating.course import Standing, contract, migrate, pending, standing
from loyalty_graph.db.migrating.processes import running_process
from loyalty_graph.db.migrating.steps import load
from loyalty_graph.db.migrating.watching import Watch
from loyalty_graph.db.transactions import connection, transaction
from loyalty_graph.errors import DatabaseError, DatabaseNewerError
from tests.db.migrating.phases import BACKFILL, CONTRACT, EXPAND, INDEX, NEWER, sales, steps_in
from tests.db.support import empty_database, opened

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SILENT = NOW + timedelta(seconds=61)


@pytest.fixture
async def client(server: str, tmp_path: Path) -> AsyncIterator[BaseDBAsyncClient]:
    """An empty database, opened."""
    async with empty_database(server, tmp_path) as url, opened(url) as client:
        yield client


async def rows(query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await connection().execute_query_dict(query)]


async def nets() -> list[tuple[Any, ...]]:
    return await rows("SELECT number, net FROM sale ORDER BY number")


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():  # noqa: ASYNC110 - the database is asked
        await asyncio.sleep(0.002)


@transaction
async def sell(number: int) -> None:
    await connection().execute_query(sales(number, number))


async def test_a_new_database_takes_all_steps_at_once(client: BaseDBAsyncClient, newer: Path):
    assert await migrate(folder=newer) == list(NEWER)

    assert await pending(folder=newer) == []
    assert [step.state for step in await standing(folder=newer)] == ["APPLIED"] * 4


async def test_a_new_database_whose_steps_fail_stays_empty(client: BaseDBAsyncClient, newer: Path):
    steps_in(newer, {"0005_bad": ("expand", "INSERT INTO nowhere VALUES (1);")})

    with pytest.raises(DatabaseError, match="first step failed"):
        await migrate(folder=newer)

    assert await pending(folder=newer) == [*NEWER, "0005_bad"]


async def test_several_that_begin_a_database_at_once_begin_it_once(
    client: BaseDBAsyncClient, newer: Path
):
    taken = await asyncio.gather(*(migrate(folder=newer) for _ in range(3)))

    assert sorted(name for names in taken for name in names) == list(NEWER)


async def test_a_start_takes_what_older_code_does_not_mind(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    await client.execute_script(sales(1, 2))

    taken = await migrate(folder=newer)

    assert taken == ["0002_net", "0003_fill_net"]
    assert await migrate(folder=newer) == []
    assert await pending(folder=newer) == ["0004_drop_total"]
    assert await nets() == [(1, 2), (2, 4)]
    assert await standing(folder=newer) == [
        Standing("0001_begin", "contract", "APPLIED", 0),
        Standing("0002_net", "expand", "APPLIED", 0),
        Standing("0003_fill_net", "backfill", "APPLIED", 2),
        Standing("0004_drop_total", "contract", "PENDING", 0),
    ]


async def test_older_code_starts_after_a_newer_one_has_expanded(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    await migrate(folder=newer)

    assert await migrate(folder=older) == []
    assert await pending(folder=older) == []
    assert [step.state for step in await standing(folder=older)] == ["APPLIED", *["UNKNOWN"] * 2]
    async with running_process("serve 1", clock=lambda: NOW, folder=older):
        await sell(1)
    assert await nets() == [(1, None)]


async def test_older_code_is_refused_after_a_newer_one_has_contracted(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    taken = await contract(watch=Watch(), folder=newer)
    assert taken == ["0002_net", "0003_fill_net", "0003_fill_net", "0004_drop_total"]

    with pytest.raises(DatabaseNewerError, match=r"has written this database \(0004_drop_total\)"):
        await migrate(folder=older)
    with pytest.raises(DatabaseNewerError):
        async with running_process("serve 1", clock=lambda: NOW, folder=older):
            pass

    assert await rows("SELECT name FROM running_process") == []


async def test_nothing_is_taken_from_an_older_process_that_runs(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    async with running_process("serve 1", clock=lambda: NOW, folder=older):
        with pytest.raises(OlderProcessesError, match=r"until these have ended: serve 1 on .+\d"):
            await contract(watch=Watch(), folder=newer)

        await sell(1)
        assert await nets() == [(1, None)]
        assert await pending(folder=newer) == ["0004_drop_total"]
        assert await migrate(folder=older) == [], "another older one may start still"

    async with running_process("serve 2", clock=lambda: NOW, folder=newer):
        taken = await contract(watch=Watch(), folder=newer)
    assert taken == ["0003_fill_net", "0004_drop_total"]
    assert await nets() == [(1, 2)], "what the older one sold meanwhile is filled"


async def test_a_contraction_that_another_process_begins_meanwhile_fills_first_all_the_same(
    client: BaseDBAsyncClient, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
):
    await migrate(folder=older)
    await migrate(folder=newer)
    await sell(1)
    announce = course._Course._announce

    async def second(course: Any, step: Any, watch: Watch) -> bool:
        await announce(course, step, watch)
        return await announce(course, step, watch)

    monkeypatch.setattr(course._Course, "_announce", second)
    taken = await contract(watch=Watch(), folder=newer)

    assert taken == ["0003_fill_net", "0004_drop_total"]
    assert await nets() == [(1, 2)]


async def test_what_was_contracted_before_stays_filled(
    client: BaseDBAsyncClient, newer: Path, tmp_path: Path
):
    await migrate(folder=newer)
    steps_in(newer, {"0005_note": ("contract", "ALTER TABLE sale ADD COLUMN note INT;")})

    assert await contract(watch=Watch(), folder=newer) == ["0005_note"]


async def test_a_contraction_that_was_begun_refuses_older_code_and_is_taken_up_again(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    (newer / "0004_drop_total.sqlite.sql").write_text("-- phase: contract\nDROP TABLE nothing;")
    (newer / "0004_drop_total.postgres.sql").write_text("-- phase: contract\nDROP TABLE nothing;")
    with pytest.raises(DatabaseError, match="0004_drop_total failed"):
        await contract(watch=Watch(), folder=newer)

    with pytest.raises(DatabaseNewerError):
        await migrate(folder=older)
    assert await migrate(folder=newer) == []
    assert (await standing(folder=newer))[3].state == "RUNNING"

    steps_in(newer, NEWER)
    assert await contract(watch=Watch(), folder=newer) == ["0004_drop_total"]


async def test_a_step_behind_one_that_contracts_is_not_reached_by_a_start(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    steps_in(newer, {"0005_note": ("expand", "ALTER TABLE sale ADD COLUMN note INT;")})

    with pytest.raises(ContractionWaitsError, match="not taken 0004_drop_total"):
        await migrate(folder=newer)

    assert await pending(folder=newer) == ["0004_drop_total", "0005_note"]
    taken = await contract(watch=Watch(), folder=newer)
    assert taken == ["0003_fill_net", "0004_drop_total", "0005_note"]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
async def test_a_backfill_fills_each_row_once_batch_by_batch(
    client: BaseDBAsyncClient, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch, count: int
):
    monkeypatch.setattr(course, "BATCH_ROWS", 2)
    await migrate(folder=older)
    if count:
        await client.execute_script(sales(1, count))

    await migrate(folder=newer)

    assert await nets() == [(number, number * 2) for number in range(1, count + 1)]
    assert (await standing(folder=newer))[2].filled == count


async def test_several_that_fill_at_once_fill_each_row_once(
    client: BaseDBAsyncClient, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(course, "BATCH_ROWS", 2)
    await migrate(folder=older)
    await client.execute_script(sales(1, 9))
    fill = BACKFILL.replace("total * 2 WHERE net IS NULL AND", "COALESCE(net, 0) + 1 WHERE")
    steps_in(newer, {"0003_fill_net": ("backfill", fill)})

    await asyncio.gather(*(migrate(folder=newer) for _ in range(3)))

    assert await nets() == [(number, 1) for number in range(1, 10)]
    assert (await standing(folder=newer))[2].filled == 9


@pytest.mark.postgres
async def test_a_step_that_waits_for_a_table_lets_others_through(
    client: BaseDBAsyncClient, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.db.migrating.connections.LOCK_TIMEOUT_S", 0.01)
    monkeypatch.setattr(course, "FIRST_PAUSE_MAX_S", 0.05)
    await migrate(folder=older)
    gave_up = asyncio.Event()

    def tell(name: str) -> None:
        told.append(name)
        if len(told) == 3:
            gave_up.set()

    told: list[str] = []
    async with client.acquire_connection() as holder:
        held = holder.transaction()
        await held.start()
        await holder.execute(sales(1, 1))
        migration = asyncio.create_task(migrate(folder=newer, progress=tell))
        await gave_up.wait()
        await sell(2)
        await held.commit()

    assert await migration == ["0002_net", "0003_fill_net"]
    assert told.count("0002_net") >= 3
    assert await nets() == [(1, 2), (2, 4)]


@pytest.mark.postgres
async def test_a_step_that_never_gets_its_table_gives_up(
    client: BaseDBAsyncClient, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.db.migrating.connections.LOCK_TIMEOUT_S", 0.01)
    monkeypatch.setattr(course, "LOCK_ATTEMPTS_MAX", 2)
    monkeypatch.setattr(course, "FIRST_PAUSE_MAX_S", 0.0)
    await migrate(folder=older)

    async with client.acquire_connection() as holder, holder.transaction():
        await holder.execute(sales(1, 1))
        with pytest.raises(DatabaseError, match="0002_net gave up"):
            await migrate(folder=newer)

    assert await pending(folder=newer) == list(NEWER)[1:]


@pytest.mark.postgres
async def test_a_half_made_index_is_made_again(client: BaseDBAsyncClient, older: Path, newer: Path):
    await migrate(folder=older)
    await migrate(folder=newer)
    await client.execute_script(sales(1, 2))
    await client.execute_script("UPDATE sale SET net = 1")
    steps_in(newer, {"0004_drop_total": ("expand", INDEX)})
    with pytest.raises(DatabaseError, match="0004_drop_total failed"):
        await migrate(folder=newer)
    indexes = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'sale_net'::regclass"
    assert await rows(indexes) == [(False,)]
    await client.execute_script("UPDATE sale SET net = number")

    assert await migrate(folder=newer) == ["0004_drop_total"]

    assert await rows(indexes) == [(True,)]


@pytest.mark.postgres
async def test_a_made_index_is_left_and_one_may_be_dropped(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    await migrate(folder=newer)
    await client.execute_script('CREATE UNIQUE INDEX "sale_net" ON sale (net)')
    [(before,)] = await rows("SELECT 'sale_net'::regclass::oid")
    steps_in(newer, {"0004_drop_total": ("expand", INDEX)})

    assert await migrate(folder=newer) == ["0004_drop_total"]
    assert await rows("SELECT 'sale_net'::regclass::oid") == [(before,)]

    drop = "DROP INDEX CONCURRENTLY IF EXISTS sale_net;"
    steps_in(newer, {"0005_drop_index": ("expand", drop)})
    both = await asyncio.gather(migrate(folder=newer), migrate(folder=newer))
    assert sorted(both) == [[], ["0005_drop_index"]]
    assert await rows("SELECT to_regclass('sale_net')::text") == [(None,)]


@pytest.mark.postgres
@pytest.mark.parametrize("sql", [INDEX, "ALTER TABLE sale ADD COLUMN note INT;"])
async def test_a_step_that_another_process_takes_meanwhile_is_left(
    client: BaseDBAsyncClient, older: Path, newer: Path, sql: str
):
    await migrate(folder=older)
    await migrate(folder=newer)
    steps_in(newer, {"0004_drop_total": ("expand", sql)})
    tries = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory%'"

    async def is_waiting() -> bool:
        return await rows(tries) != [(0,)]

    async with client.acquire_connection() as other:
        await other.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        migration = asyncio.create_task(migrate(folder=newer))
        await until(is_waiting)
        await other.execute(
            "INSERT INTO applied_migration (name, phase) VALUES ('0004_drop_total', 'expand')"
        )
        await other.execute(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})")

    assert await migration == []
    assert await rows("SELECT to_regclass('sale_net')::text AS name") == [(None,)]


@pytest.mark.postgres
async def test_a_connection_that_is_lost_while_an_index_is_made_is_told(
    client: BaseDBAsyncClient, older: Path, newer: Path
):
    await migrate(folder=older)
    await migrate(folder=newer)
    await client.execute_script(sales(1, 1))
    steps_in(newer, {"0004_drop_total": ("expand", INDEX)})
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
    making = cut.replace("%s", "'CREATE UNIQUE INDEX%' AND wait_event_type = 'Lock'")

    async def is_cut() -> bool:
        return await rows(making) != []

    async with client.acquire_connection() as seller, seller.transaction():
        await seller.execute("UPDATE sale SET total = total")
        migration = asyncio.create_task(migrate(folder=newer))
        await until(is_cut)
        with pytest.raises(DatabaseError, match="0004_drop_total was interrupted"):
            await migration

    assert await migrate(folder=newer) == ["0004_drop_total"]


whatever_its_clock_says = pytest.mark.parametrize(
    ("case", "ahead"),
    [("right", timedelta()), ("ahead", timedelta(hours=1)), ("behind", timedelta(hours=-1))],
)


@whatever_its_clock_says
async def test_a_process_that_went_silent_is_not_waited_for_and_writes_no_more(
    client: BaseDBAsyncClient, older: Path, newer: Path, case: str, ahead: timedelta
):
    now, elapsed_s = NOW + ahead, 0.0
    watch = Watch(clock=lambda: elapsed_s)
    await migrate(folder=older)
    async with running_process("serve 1", clock=lambda: now, folder=older):
        await sell(1)

        with pytest.raises(OlderProcessesError):
            await contract(watch=watch, folder=newer)
        elapsed_s = 59.0
        with pytest.raises(OlderProcessesError):
            await contract(watch=watch, folder=newer)
        elapsed_s = 60.0
        assert (await contract(watch=watch, folder=newer))[-1] == "0004_drop_total"
        now += timedelta(seconds=60)
        with pytest.raises(DBConnectionError, match="A newer Loyalty Graph has written"):
            await sell(2)

    assert await nets() == [(1, 2)]


@whatever_its_clock_says
async def test_a_process_that_wakes_up_in_time_goes_on_and_is_waited_for(
    client: BaseDBAsyncClient, older: Path, newer: Path, case: str, ahead: timedelta
):
    now, elapsed_s = NOW + ahead, 0.0
    watch = Watch(clock=lambda: elapsed_s)
    await migrate(folder=older)
    async with running_process("serve 1", clock=lambda: now, folder=older):
        with pytest.raises(OlderProcessesError):
            await contract(watch=watch, folder=newer)
        now += timedelta(seconds=50)
        await asyncio.gather(sell(1), sell(2))

        elapsed_s = 60.0
        with pytest.raises(OlderProcessesError):
            await contract(watch=watch, folder=newer)
        elapsed_s = 119.0
        with pytest.raises(OlderProcessesError):
            await contract(watch=watch, folder=newer)

    assert await rows("SELECT number FROM sale ORDER BY number") == [(1,), (2,)]


async def test_a_process_that_was_taken_for_dead_announces_itself_again(
    client: BaseDBAsyncClient, older: Path
):
    now = NOW
    await migrate(folder=older)
    async with running_process("serve 1", clock=lambda: now, folder=older):
        await client.execute_script("DELETE FROM running_process")
        now = SILENT
        await sell(1)

        assert len(await rows("SELECT name FROM running_process")) == 1

    assert await rows("SELECT name FROM running_process") == []


async def test_a_process_goes_on_saying_that_it_runs(
    client: BaseDBAsyncClient,
    older: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(processes, "RENEWED_EVERY_S", 0.002)
    caplog.set_level("INFO")
    now, tries, query = NOW, 0, "SELECT until_ms FROM running_process"
    await migrate(folder=older)

    def clock() -> datetime:
        nonlocal tries
        tries += 1
        return now

    async def is_known_until(moment: datetime) -> bool:
        return await rows(query) == [(int(moment.timestamp()) * 1000,)]

    async def is_told_four_times() -> bool:
        return caplog.text.count("could not say that it runs") == 4

    async def is_told_to_be_over() -> bool:
        return "The database answers again" in caplog.messages

    async with running_process("serve 1", clock=clock, folder=older):
        now = NOW + timedelta(seconds=1)
        await until(lambda: is_known_until(NOW + timedelta(seconds=61)))
        before = tries
        await client.execute_script("ALTER TABLE running_process RENAME TO away")
        await until(is_told_four_times)
        failed = tries - before
        now = NOW + timedelta(seconds=2)
        await client.execute_script("ALTER TABLE away RENAME TO running_process")
        await until(lambda: is_known_until(NOW + timedelta(seconds=62)))

        await until(is_told_to_be_over)

    assert failed >= 8  # The first, second, fourth and eighth are told.


async def test_a_process_that_cannot_announce_itself_serves_but_does_not_write(
    client: BaseDBAsyncClient, older: Path, caplog: pytest.LogCaptureFixture
):
    await migrate(folder=older)
    await client.execute_script("ALTER TABLE running_process RENAME TO away")

    async with running_process("serve 1", clock=lambda: NOW, folder=older):
        with pytest.raises(OperationalError, match="running_process"):
            await sell(1)
        assert await rows("SELECT number FROM sale") == []

    assert "could not be announced yet" in caplog.text
    assert "could not say that it ends" in caplog.text


@pytest.mark.parametrize(
    ("case", "phase", "sql", "message"),
    [
        ("no phase", "later", EXPAND, "'later' is no phase"),
        ("no rows", "backfill", EXPAND, "says `-- rows: table"),
        ("no batch", "backfill", BACKFILL.replace(":batch", "TRUE"), "rows of its :batch"),
        ("more than indexes", "expand", INDEX + CONTRACT, "only indexes go CONCURRENTLY"),
    ],
)
def test_a_step_that_does_not_say_what_it_is_is_noticed(
    older: Path, case: str, phase: str, sql: str, message: str
):
    steps_in(older, {"0002_odd": (phase, sql)})

    with pytest.raises(AssertionError, match=message):
        read(older)


def read(folder: Path) -> tuple[object, object]:
    step = load(folder, "postgres")[1]
    return step.concurrent, step.phase == "backfill" and step.backfill


def test_a_step_without_a_phase_is_noticed(older: Path):
    (older / "0002_odd.sqlite.sql").write_text(EXPAND)

    with pytest.raises(AssertionError, match="0002_odd: its head does not say"):
        load(older, "sqlite")
