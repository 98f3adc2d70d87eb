"""What callers, probes and operators see while the storage under SQLite fails, and after."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph import alarms
from loyalty_graph.db import Trouble, connection, storage
from loyalty_graph.worker.storage import ALARM, StorageWatch
from tests.api import Api, open_api, receipt
from tests.cli.conftest import CommandLine, call
from tests.shop import NOON

__all__ = ["call"]
pytestmark = pytest.mark.sqlite

RECORD = """mutation ($input: RecordPurchaseInput!) {
    recordPurchase(input: $input) { replayed points userErrors { code } }
}"""
ROOM = 60


@pytest.fixture
def api(database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    # The test looks itself, when it wants to.
    monkeypatch.setattr("loyalty_graph.worker.storage.LOOK_EVERY_S", 3600.0)
    with open_api(database_url, data_dir, monkeypatch) as opened:
        yield opened


async def bound(pages: int) -> None:
    """Let the file grow by so many pages from now on; a negative number is no bound."""
    [row] = await connection().execute_query_dict("PRAGMA page_count")
    limit = row["page_count"] + pages if pages >= 0 else 1 << 30
    await connection().execute_query(f"PRAGMA max_page_count = {limit}")


def buy_until_full(api: Api) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Return how many purchases were recorded, the input of the next one, and its answer."""
    member = api.run(api.shop.enrol)
    api.run(bound, 2)
    for number in range(1_000):
        given = receipt(member)
        answer = api.ask(RECORD, {"input": given})
        if "errors" in answer:
            return number, given, answer
    raise AssertionError("it never was full")


def look(api: Api) -> None:
    api.run(StorageWatch(clock=lambda: NOON).step)


def test_a_purchase_on_a_full_disk_can_be_tried_again_with_its_key(
    api: Api, caplog: pytest.LogCaptureFixture
):
    api.token("admin")
    caplog.set_level(logging.INFO)
    done, given, answer = buy_until_full(api)
    before = api.everything()

    [error] = answer["errors"]
    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert api.ask(RECORD, {"input": given})["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert api.everything() == before
    assert [one.message for one in caplog.records if one.name.endswith("db.storage")] == [
        "Storage: the disk is full (database or disk is full)."
    ]

    api.run(bound, -1)
    first = api.data(RECORD, {"input": given})["recordPurchase"]
    again = api.data(RECORD, {"input": given})["recordPurchase"]
    assert done > 0
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["points"] == again["points"]


def test_readiness_says_that_the_disk_is_full_until_something_of_some_size_was_written(api: Api):
    buy_until_full(api)
    look(api)

    answer = api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "because": "the disk is full"}
    assert api.client.get("/healthz").status_code == 200
    assert "errors" not in api.ask("{ version }")

    api.run(bound, -1)
    look(api)
    look(api)
    assert api.client.get("/readyz").json() == {"status": "ready"}


async def _alarms() -> list[tuple[str, str]]:
    return [(one.name, one.message) for one in await alarms.present()]


def test_a_nearly_full_disk_keeps_its_alarm(api: Api):
    buy_until_full(api)
    api.run(bound, 0)
    # Room for an alarm, but not for more.
    look(api)

    assert api.run(_trouble) is Trouble.FULL

    api.run(bound, -1)
    watch = StorageWatch(clock=lambda: NOON)
    api.run(watch.step)
    assert api.run(_alarms) == [(ALARM, "Storage: the disk is full.")]
    api.run(watch.step)
    assert api.run(_alarms) == []


async def _trouble() -> Trouble | None:
    return storage().trouble


def test_a_file_taken_away_is_said_at_once(api: Api, database_url: str):
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0])
    kept = path.rename(path.with_name("kept"))

    assert api.client.get("/readyz").json() == {
        "status": "not ready",
        "because": "the database file was deleted, moved or replaced",
    }
    kept.rename(path)
    assert api.client.get("/readyz").json() == {"status": "ready"}


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


async def empty_the_wal() -> None:
    await connection().execute_query("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_damaged_file_is_unavailable_and_not_a_fault_of_ours(api: Api, database_url: str):
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0])
    member, token = api.run(api.shop.enrol), api.token("admin")
    api.run(empty_the_wal)
    damage(path)
    before = path.read_bytes()

    answers = [
        api.client.post(
            "/graphql",
            json={"query": RECORD, "variables": {"input": receipt(member)}},
            headers={"Authorization": f"Bearer {token}"},
        )
        for _ in range(3)
    ]

    assert {one.json()["errors"][0]["extensions"]["code"] for one in answers} == {"UNAVAILABLE"}
    assert api.client.get("/readyz").json()["because"] == "the database is damaged"
    look(api)
    assert api.client.get("/readyz").status_code == 503
    assert path.read_bytes() == before


def test_readiness_is_the_first_to_meet_a_damage(api: Api, database_url: str):
    api.run(empty_the_wal)
    damage(Path(database_url.removeprefix("sqlite://").partition("?")[0]))

    assert api.client.get("/readyz").json()["because"] == "the database is damaged"


def test_a_command_that_meets_a_full_disk_says_so_in_a_line(database_url: str, call: CommandLine):
    preset = Path(__file__).parents[1] / "presets" / "corner-grocer.toml"

    done = call("program", "apply", preset, "--database", f"{database_url}&max_pages=1")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("UNAVAILABLE This cannot be done now: the disk is full.")
    assert done.err.count("\n") == 1
