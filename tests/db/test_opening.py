"""Opening and closing the database."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from tortoise.context import get_current_context
from tortoise.exceptions import DBConnectionError, OperationalError

from loyalty_graph.db import connection, open_database, opening, transaction, when_reachable
from loyalty_graph.db.errors import DatabaseAwayError
from loyalty_graph.errors import DatabaseError
from tests.db.models import Pair
from tests.db.stage import amounts, opened, set_amount


async def test_one_process_can_open_databases_one_after_the_other(database_url: str):
    for _ in range(2):
        async with open_database(database_url) as client:
            assert await client.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]
            assert connection() is client

    assert get_current_context() is None


async def test_two_at_once_are_refused(database_url: str):
    async with open_database(database_url):
        with pytest.raises(DatabaseError, match="cannot be opened"):
            async with open_database(database_url):
                raise LookupError

        assert (await connection().execute_query("SELECT 1"))[0] == 1


async def test_tasks_of_another_context_see_the_database(database_url: str):
    before = asyncio.Event()

    async def request() -> str:
        await before.wait()
        return connection().connection_name

    task = asyncio.create_task(request())
    async with open_database(database_url):
        before.set()
        assert await task == "default"


async def test_closing_waits_for_a_transaction_whose_caller_went_away(database_url: str):
    begun = asyncio.Event()

    @transaction
    async def both() -> None:
        await set_amount(1, 5)
        begun.set()
        for _ in range(10):
            await amounts()
        await set_amount(2, 5)

    async with opened(database_url, "ours"):
        pass
    async with open_database(database_url):
        caller = asyncio.create_task(both())
        await begun.wait()
        caller.cancel()

    assert caller.cancelled()
    async with opened(database_url, "ours", fresh=False):
        assert await amounts() == [5, 5]


@pytest.mark.usefixtures("pair")
async def test_the_orm_reads_and_writes_as_ever():
    await Pair.filter(id=1).update(amount=5)

    @transaction
    async def many() -> None:
        await Pair.create(id=10, amount=1)
        await Pair.bulk_create(
            [Pair(id=number, amount=2) for number in range(20, 25)], batch_size=2
        )
        await Pair.bulk_create(
            [Pair(id=20, amount=9)], on_conflict=["id"], update_fields=["amount"]
        )
        await Pair.get_or_create(id=30, defaults={"amount": 3})
        await Pair.update_or_create(id=10, defaults={"amount": 4})

    await many()
    await Pair.bulk_create([Pair(id=number, amount=7) for number in (40, 41)])

    assert await Pair.all().order_by("id").values_list("id", "amount") == [
        *((1, 5), (2, 0), (10, 4), (20, 9), (21, 2), (22, 2), (23, 2), (24, 2)),
        *((30, 3), (40, 7), (41, 7)),
    ]


@pytest.mark.usefixtures("pair")
async def test_t7_an_insert_that_returns_is_asked_for_as_dicts():
    rows = await connection().execute_query_dict("INSERT INTO pair VALUES (3, 4) RETURNING amount")

    assert rows == [{"amount": 4}]


@pytest.mark.sqlite
async def test_a_missing_file_and_its_folder_are_made(tmp_path: Path):
    path = tmp_path / "new" / "loyalty.sqlite3"

    async with open_database(f"sqlite://{path}"):
        assert path.exists()

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["loyalty.sqlite3"]


@pytest.mark.sqlite
async def test_a_missing_file_is_not_made_unasked(tmp_path: Path):
    path = tmp_path / "new" / "loyalty.sqlite3"

    with pytest.raises(DatabaseError, match=f"There is no database {path}"):
        async with open_database(f"sqlite://{path}", create=False):
            raise LookupError

    assert not path.parent.exists()


@pytest.mark.sqlite
async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "loyalty.sqlite3"

    with pytest.raises(DatabaseError, match=f"folder of the database {path} cannot be made"):
        async with open_database(f"sqlite://{path}"):
            raise LookupError

    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("case", "url", "reason"),
    [
        ("no such database", None, "absent"),
        ("no such server", "postgres://ada:hush@/loyalty?host=/absent", "loyalty at /absent:5432"),
    ],
)
async def test_a_server_that_cannot_be_used_is_named(
    case: str, url: str | None, reason: str, database_url: str
):
    with pytest.raises(DatabaseError, match=reason) as refusal:
        async with open_database(url or database_url.replace("/loyalty_test", "/absent")):
            raise LookupError

    assert "hush" not in refusal.value.message
    assert get_current_context() is None


@pytest.mark.postgres
@pytest.mark.parametrize(("named", "waited"), [("", "7s"), ("&command_timeout_s=3", "3s")])
async def test_a_door_says_how_long_is_waited_unless_the_url_does(
    database_url: str, named: str, waited: str
):
    async with open_database(database_url + named, patience_s=7) as client:
        rows = await client.execute_query_dict("SHOW statement_timeout")

    assert rows == [{"statement_timeout": waited}]


async def test_patience_changes_nothing_about_a_file(database_url: str):
    async with open_database(database_url, patience_s=7) as client:
        assert await client.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]


AWAY = DatabaseAwayError("The database is away.")


def trying(*failures: Exception) -> Callable[[], Coroutine[Any, Any, str]]:
    """Return what fails like this, one after the other, and then opens."""
    left = list(failures)

    async def enter() -> str:
        if left:
            raise left.pop(0)
        return "open"

    return enter


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited each time, were all chances the worst; nobody really waits."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(opening, "chance", lambda: 1.0)
    monkeypatch.setattr(opening.asyncio, "sleep", pause)
    return waited


async def test_a_database_that_is_away_is_asked_ever_more_rarely_and_told_of_once(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    other, times = DBConnectionError("lost\nDETAIL: more"), list[int]()

    async def away() -> None:
        times.append(len(pauses))

    found = await when_reachable(trying(*[AWAY] * 7, other, other), away=away)

    assert found == "open"
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]
    assert times == list(range(9))
    assert caplog.messages == [
        "The database is away. It is tried again until it answers.",
        "lost It is tried again until it answers.",
        "The database answers.",
    ]


@pytest.mark.parametrize("error", [DatabaseError("no password"), OperationalError("no column")])
async def test_what_is_wrong_with_a_database_is_raised_at_once(
    pauses: list[float], error: Exception
):
    with pytest.raises(type(error)) as raised:
        await when_reachable(trying(AWAY, error), away=AsyncMock())

    assert raised.value is error
    assert pauses == [0.5]


async def test_a_database_that_answers_is_not_spoken_of(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    assert await when_reachable(trying(), away=AsyncMock()) == "open"

    assert (pauses, caplog.messages) == ([], [])
