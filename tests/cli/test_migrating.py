"""Bringing a database up to date by hand: what is shown, and what waits for older processes."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.db import contract, migrate, open_database, standing
from tests.cli.conftest import CommandLine
from tests.db.migrating.phases import NEWER, OLDER, sales, steps_in
from tests.db.support import empty_database

COMMANDS = {"migrate": migrate, "contract": contract, "standing": standing}


@pytest.fixture
def url(server: str, tmp_path: Path) -> Iterator[str]:
    """A database that has taken the older version's steps, and holds two sales."""

    async def begin(place: str) -> None:
        async with open_database(place) as client:
            await migrate(folder=steps_in(tmp_path / "older", OLDER))
            await client.execute_script(sales(1, 2))

    empty = empty_database(server, tmp_path)
    place = asyncio.run(empty.__aenter__())
    asyncio.run(begin(place))
    yield place
    asyncio.run(empty.__aexit__(None, None, None))


@pytest.fixture(autouse=True)
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands know the newer version's steps."""
    folder = steps_in(tmp_path / "newer", NEWER)
    for name, work in COMMANDS.items():
        monkeypatch.setattr(f"loyalty_graph.cli.migrating.{name}", partial(work, folder=folder))
    return folder


def test_what_older_versions_do_not_mind_is_taken(call: CommandLine, url: str):
    before = call("migrate", "--status", "--json", "--database", url)
    done = call("migrate", "--database", url)

    assert [step["state"] for step in before.json["steps"]] == ["APPLIED", *["PENDING"] * 3]
    assert (done.code, done.err) == (0, "  0002_net\n  0003_fill_net\n")
    assert done.out.splitlines()[1:] == [
        "  applied  0001_begin (contract)",
        "  applied  0002_net (expand)",
        "  applied  0003_fill_net (backfill, 2 rows filled)",
        "  pending  0004_drop_total (contract)",
    ]


def test_the_rest_is_taken_when_asked_for(call: CommandLine, url: str):
    done = call("migrate", "--contract", "--json", "--database", url)

    assert {step["state"] for step in done.json["steps"]} == {"APPLIED"}
    assert done.json["steps"][2] == {
        "name": "0003_fill_net",
        "phase": "backfill",
        "state": "APPLIED",
        "filled": 2,
    }


def announce(url: str, *, for_ms: int) -> None:
    """Let an older process have said that it runs."""

    async def write() -> None:
        until = int(utc_now().timestamp() * 1000) + for_ms
        async with open_database(url) as client:
            await client.execute_script(
                f"INSERT INTO running_process VALUES ('1', 'serve 1', '0001_begin', {until})"  # noqa: S608 - a number
            )

    asyncio.run(write())


def test_while_an_older_process_runs_nothing_is_taken_from_it(call: CommandLine, url: str):
    announce(url, for_ms=60_000)

    done = call("migrate", "--contract", "--database", url)

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == (
        "OLDER_PROCESSES 0004_drop_total waits until these have ended: serve 1. With --wait,"
        " one that was killed counts as ended after a minute of silence."
    )
    after = call("migrate", "--status", "--json", "--database", url)
    assert [step["state"] for step in after.json["steps"]] == [*["APPLIED"] * 3, "PENDING"]


def test_it_waits_for_an_older_process_when_told_so_but_not_for_one_that_was_killed(
    call: CommandLine, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.cli.migrating.ASKED_EVERY_S", 0.01)
    monkeypatch.setattr("loyalty_graph.db.migrating.watching.LIFE", timedelta(seconds=0.1))
    announce(url, for_ms=3_600_000)

    done = call("migrate", "--contract", "--wait", "--database", url)

    assert done.code == 0
    assert done.err.count("waits until these have ended: serve 1.") == 1
    assert done.out.splitlines()[-1] == "  applied  0004_drop_total (contract)"


def test_a_status_makes_no_database(call: CommandLine, tmp_path: Path):
    done = call("migrate", "--status", "--database", f"sqlite://{tmp_path / 'none.sqlite3'}")

    assert done.code == 1
    assert done.err.startswith("DATABASE There is no database ")
    assert not (tmp_path / "none.sqlite3").exists()
