"""What is kept of a finished replay."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest

from loyalty_graph.db import open_database
from loyalty_graph.sandbox.records import Choice, Finished, Record, Report
from tests.shop import open_shop

CHOICE = Choice(date(2026, 11, 22), seed=1, households=500)
REPORT = Report(
    **dict.fromkeys(
        (
            *("members", "purchases", "purchase_lines", "points_issued", "points_migrated"),
            *("points_redeemed", "points_expired", "points_clawed_back", "fees"),
            *("points_outstanding", "points_transferred", "shortfall", "late_receipts"),
            *("refunds", "redemptions", "rewards_redeemed", "holds", "merges"),
            "vouchers_outstanding",
            *("subscriptions", "passes_issued", "stale_cards"),
        ),
        7,
    ),
    passes_updated={"apple": 7, "google": 7},
    tiers={"GREEN": 7},
    ledger={"accounts": 7, "transfers": 7, "differences": 0},
    seconds={"replay": 1.5},
    database="SQLite",
)
MADE_AT = datetime(2026, 11, 22, 6, 11, tzinfo=UTC)
FINISHED = Finished(CHOICE, REPORT, UUID(int=5), MADE_AT)


def test_what_was_kept_is_read_again(tmp_path: Path):
    record = Record.of("sqlite:///demo.sqlite3", tmp_path)

    record.write(FINISHED)

    assert record.read() == FINISHED
    assert list(tmp_path.iterdir()) == [record.path]


def test_each_database_has_its_own_record(tmp_path: Path):
    Record.of("sqlite:///demo.sqlite3", tmp_path).write(FINISHED)

    assert Record.of("postgres://host/demo", tmp_path).read() is None


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"choice": {"today": "soon"}}', "\xff"])
def test_a_damaged_record_counts_as_none(tmp_path: Path, damage: str):
    record = Record(tmp_path / "demo.json")
    record.path.write_text(damage, encoding="latin-1")

    assert record.read() is None


def test_a_record_of_another_version_counts_as_none(tmp_path: Path):
    record = Record(tmp_path / "demo.json")
    record.write(FINISHED)
    text = record.path.read_text()
    record.path.write_text(text.replace('"shortfall"', '"forgiven"'))

    assert record.read() is None


def test_what_came_in_is_gone_or_still_there():
    report = replace(
        REPORT,
        points_issued=1000,
        points_migrated=200,
        points_redeemed=300,
        points_expired=40,
        points_clawed_back=5,
        fees=10,
        points_outstanding=845,
    )

    assert report.points_unaccounted == 0
    assert replace(report, fees=11).points_unaccounted == -1


@pytest.mark.parametrize(
    ("case", "wanted", "fixed", "expected"),
    [
        ("the same", CHOICE, True, True),
        ("a later day, not asked for", replace(CHOICE, today=date(2026, 12, 1)), False, True),
        ("a later day, asked for", replace(CHOICE, today=date(2026, 12, 1)), True, False),
        ("another seed", replace(CHOICE, seed=2), False, False),
        ("all households", replace(CHOICE, households=None), False, False),
        ("another programme", replace(CHOICE, preset="stamp-card"), False, False),
    ],
)
def test_a_kept_replay_answers_the_same_wish(
    case: str, wanted: Choice, *, fixed: bool, expected: bool
):
    assert CHOICE.will_do(wanted, fixed=fixed) is expected


async def test_it_is_in_the_database_that_holds_its_programme(database_url: str):
    async with open_database(database_url):
        shop = await open_shop()
    ours = replace(FINISHED, program_id=shop.program_id)

    assert await ours.is_in(database_url, slug="bean-club")
    assert not await ours.is_in(database_url, slug="corner-grocer")
    assert not await FINISHED.is_in(database_url, slug="bean-club")


@pytest.mark.sqlite
async def test_it_is_in_no_file_that_is_not_there(tmp_path: Path):
    path = tmp_path / "demo.sqlite3"

    assert not await FINISHED.is_in(f"sqlite://{path}", slug="corner-grocer")

    assert not path.exists()
