"""The demo: the same report every time, kept, and harmless to what is not its own."""

import asyncio
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from loyalty_graph.db import open_database
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.sandbox import demo as sandbox
from loyalty_graph.sandbox.baskets import Baskets
from tests.cli.conftest import CommandLine
from tests.conftest import BACKEND
from tests.shop import open_shop

GOLDEN = Path(__file__).with_name("demo_20_households.json")
SMALL = ("demo", "--once", "--json", "--households", 1, "--today", "2026-11-22")


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("seconds", "database")}


def in_database(url: str, work: Any) -> Any:
    async def opened() -> Any:
        async with open_database(url):
            return await work()

    return asyncio.run(opened())


def program_id(url: str) -> object:
    async def find() -> object:
        return await programs.find("corner-grocer")

    return in_database(url, find)


def test_its_report_is_the_same_on_every_run_and_database(call: CommandLine, database_url: str):
    words = ("--households", 20, "--today", "2026-11-22", "--seed", 1, "--database", database_url)

    done = call("demo", "--once", "--json", *words)

    assert done.code == 0
    assert comparable(done.json) == orjson.loads(GOLDEN.read_bytes())
    assert done.json["database"] == {"sqlite": "SQLite", "postgres": "PostgreSQL"}[BACKEND]
    assert set(done.json["seconds"]) == {*("migrate", "replay", "passes", "last days", "verify")}


def test_the_expected_report_adds_up():
    report = orjson.loads(GOLDEN.read_bytes())

    assert report["points_issued"] + report["points_migrated"] == (
        report["points_redeemed"]
        + report["points_expired"]
        + report["points_clawed_back"]
        + report["fees"]
        + report["points_outstanding"]
    )
    for happened in ("points_migrated", "points_transferred", "fees", "holds", "late_receipts"):
        assert report[happened] > 0
    assert report["merges"] > 0
    assert report["redemptions"] >= report["rewards_redeemed"] > 0
    assert report["subscriptions"] > 0
    assert report["vouchers_outstanding"] > 0
    assert sum(report["tiers"].values()) == report["members"] - report["merges"]
    assert report["points_expired"] > 0
    assert report["points_clawed_back"] > 0
    assert report["ledger"]["differences"] == 0
    assert report["stale_cards"] == 0
    assert 0 < report["passes_updated"]["apple"] == report["passes_updated"]["google"] <= 20
    assert report["ledger"]["accounts"] == report["members"] == 23
    assert report["passes_issued"] == report["members"] - report["merges"]


@pytest.fixture
def short_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of two months: what is kept of a replay, and when, is the same for any baskets."""
    whole = sandbox.load_baskets

    def first_weeks(path: Path, *, households: int | None) -> Baskets:
        year = whole(path, households=households)
        return replace(year, last_date=year.first_date + timedelta(weeks=9))

    monkeypatch.setattr(sandbox, "load_baskets", first_weeks)


@pytest.mark.sqlite
@pytest.mark.usefixtures("uncounted")
def test_another_seed_returns_other_baskets_and_nothing_else(call: CommandLine, database_url: str):
    one, other = (call(*SMALL, "--seed", n, "--database", database_url).json for n in (1, 4))

    assert (one["refunds"], other["refunds"]) == (2, 0)
    for same in ("members", "purchases", "purchase_lines", "points_issued"):
        assert one[same] == other[same]


@pytest.mark.sqlite
@pytest.mark.usefixtures("uncounted")
def test_on_a_leap_day_the_last_basket_falls_on_the_sunday_before(
    call: CommandLine, database_url: str
):
    words = ("--households", 1, "--today", "2028-02-29", "--database", database_url)
    report = call("demo", "--once", "--json", *words).json

    async def newest() -> list[Purchase]:
        return await Purchase.all().order_by("-purchased_at").limit(1)

    [purchase] = in_database(database_url, newest)
    assert purchase.purchased_at.astimezone(ZoneInfo("America/New_York")).date() == date(
        2028, 2, 27
    )
    assert report["ledger"]["differences"] == 0


@pytest.mark.usefixtures("short_year")
def test_a_second_start_opens_the_replay_and_says_from_when(call: CommandLine, database_url: str):
    words = ("demo", "--once", "--households", 1, "--database", database_url)
    call(*words, "--today", "2026-11-22")
    made = program_id(database_url)

    again = call(*words)

    assert again.code == 0
    assert program_id(database_url) == made
    assert "up to 2026-11-22; opened" in again.out
    assert re.search(r"made on \d{4}-\d\d-\d\d at \d\d:\d\d UTC; --reset makes it again", again.out)
    assert again.err == ""


@pytest.mark.usefixtures("short_year")
@pytest.mark.parametrize(
    ("case", "more"),
    [
        ("reset", ["--reset"]),
        ("another seed", ["--seed", "7"]),
    ],
)
@pytest.mark.usefixtures("uncounted")
def test_another_choice_replays_again(
    call: CommandLine, database_url: str, case: str, more: list[str]
):
    call(*SMALL, "--database", database_url)
    made = program_id(database_url)

    assert call(*SMALL, "--database", database_url, *more).code == 0

    assert program_id(database_url) != made


@pytest.mark.usefixtures("short_year")
def test_a_kept_report_is_not_believed_when_the_database_was_replaced(
    call: CommandLine, database_url: str, data_dir: Path
):
    first = call(*SMALL, "--database", database_url)
    [record] = data_dir.glob("demo-*.json")
    kept = record.read_bytes()
    call(*SMALL, "--database", database_url, "--reset")
    made = program_id(database_url)
    record.write_bytes(kept)

    again = call(*SMALL, "--database", database_url)

    assert comparable(again.json) == comparable(first.json)
    assert program_id(database_url) != made


@pytest.mark.usefixtures("short_year")
def test_an_interrupted_replay_is_started_again(
    call: CommandLine, database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = sandbox.proof.verify
    before = call(*SMALL, "--database", database_url)

    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sandbox.proof, "verify", interrupted)
    stopped = call(*SMALL, "--database", database_url, "--reset")
    monkeypatch.setattr(sandbox.proof, "verify", whole)
    again = call(*SMALL, "--database", database_url)

    assert stopped.code == 130
    assert stopped.out == ""
    assert stopped.err.endswith("Stopped; the next start replays from the beginning.\n")
    assert comparable(again.json) == comparable(before.json)


@pytest.mark.usefixtures("uncounted")
def test_under_another_programme_the_same_households_do_the_same_shopping(
    call: CommandLine, data_dir: Path
):
    words = ("--households", 2, "--today", "2026-11-22")

    usual = call("demo", "--once", "--json", *words).json
    notes = call("demo", "--once", "--json", *words, "--preset", "notes-vouchers")
    again = call("demo", "--once", *words, "--preset", "notes-vouchers")

    for same in ("members", "purchases", "purchase_lines"):
        assert notes.json[same] == usual[same]
    assert notes.json["tiers"] == {}
    assert notes.json["points_issued"] > usual["points_issued"]
    assert notes.json["rewards_redeemed"] > 0
    assert (notes.json["stale_cards"], notes.json["ledger"]["differences"]) == (0, 0)
    assert "of 2 households under notes-vouchers, up to 2026-11-22; opened" in again.out
    assert sorted(one.name for one in data_dir.glob("demo*.sqlite3")) == [
        "demo-notes-vouchers.sqlite3",
        "demo.sqlite3",
    ]


@pytest.mark.sqlite
@pytest.mark.usefixtures("short_year")
@pytest.mark.usefixtures("uncounted")
def test_with_json_nothing_else_is_on_standard_output(call: CommandLine, database_url: str):
    done = call(*SMALL, "--database", database_url)

    assert isinstance(done.json, dict)
    assert "Loyalty Graph" in done.err
    assert "development CA; phones will not add these passes" in done.err


@pytest.mark.sqlite
@pytest.mark.usefixtures("short_year")
def test_elsewhere_than_on_a_terminal_there_are_no_colours_and_no_bars(
    call: CommandLine, database_url: str
):
    done = call("demo", "--once", "--households", 1, "--database", database_url)

    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert done.err == ""
    assert re.search(r"^  ledger +\d+  transfers, 0 differences$", done.out, re.MULTILINE)


def real_programme(url: str) -> None:
    in_database(url, open_shop)


def test_a_real_programme_is_not_emptied(call: CommandLine, database_url: str, data_dir: Path):
    real_programme(database_url)

    done = call(*SMALL, "--database", database_url)

    assert done.code == 1
    assert done.out == ""
    assert done.err.splitlines()[-1] == (
        "DATABASE This database holds the programme bean-club, which is not the demo's;"
        " name another database for the demo."
    )
    assert in_database(database_url, programs.only_program)
    assert not list(data_dir.glob("demo-*.json"))


@pytest.mark.parametrize(
    ("case", "words", "code", "message"),
    [
        ("no household", ["--households", "0"], 2, "--households"),
        ("no port", ["--port", "70000"], 2, "--port"),
        (
            "no preset",
            ["--preset", "x"],
            1,
            "NOT_FOUND There is no preset x in this version; there",
        ),
        ("no date", ["--today", "soon"], 2, "--today"),
        ("before our time", ["--today", "0001-01-01"], 1, "INVALID_INPUT A demo ends between"),
        ("beyond signatures", ["--today", "2050-01-01"], 1, "INVALID_INPUT A demo ends between"),
        ("no database we know", ["--database", "mysql://x"], 1, "DATABASE A database URL begins"),
        (
            "no server",
            ["--database", "postgres://a:hush@127.0.0.1:1/x"],
            1,
            "DATABASE_AWAY The datab",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    call: CommandLine, case: str, words: list[str], code: int, message: str
):
    done = call("demo", "--once", *words)

    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err
    assert "hush" not in done.err
    if code == 1:
        assert done.err.count("\n") == 1
