"""Trying a programme file on the past, at the command line."""

from pathlib import Path

import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine

FILE = """
[program]
name = "Bean Club"
slug = "bean-club"
currency = "EUR"
time_zone = "Europe/Berlin"
points = { unit_one = "bean", unit_other = "beans" }

[earning]
excluded_product_types = ["GIFT_CARD"]

[earning.default_rate]
points = 1
per_amount_minor = 100

[[earning.rates]]
product_types = ["COFFEE"]
points = 2
per_amount_minor = 100

[[earning.rules]]
code = "MUGS"
name = "A mug"
points = 15
when = { any_line = { product_type = "MUG" } }
budget = { points = 20 }

[[earning.rules]]
code = "VISIT"
name = "A visit"
points = 5
when = { time = { month = 7 } }

[[earning.offers]]
code = "CLIP"
name = "A clip"
points = 5

[[rewards]]
code = "NOTE"
name = "A note"
kind = "STORED_VALUE"
value_minor = 1000
cost_points = 500
"""
SAID = """\
Bean Club, from the beginning to now: nothing was written.

Rule                 Purchases  Points  Left out  Cost (EUR)
Points of the lines          2      96                  1.92
A mug                        2      20        10        0.40
A visit                      0       0                  0.00

Month    Before  After  Change
2026-03     216    116    -100

  purchases   2, refunds 0
  points      216 → 116 (-100), -2.00 EUR
  taken back  0 → 0 (+0), 0.00 EUR
  liability   216 → 116 (-100), -2.00 EUR
  members     0 gain, 1 lose, 0 stay the same
  1,000 points cost 20.00 EUR (as in the reward A note, the dearest for its points).

Most changed  Before  After  Change  By
{number}     216    116    -100  Points of the lines -120, A mug +20
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "club.toml"
    path.write_text(FILE)
    return path


def test_it_says_what_rules_cost_and_whom_they_change(
    call: CommandLine, ada: Member, file: Path, tmp_path: Path
):
    chart = tmp_path / "months.svg"

    told = call("program", "backtest", file, "--chart", chart)

    lines = [line.rstrip() for line in told.out.splitlines()]
    assert lines == SAID.format(number=ada.number).splitlines()
    assert (told.code, told.err.strip()) == (0, f"The chart is in {chart}.")
    assert chart.read_text().startswith("<svg")
    assert len(call("program", "history", "--json").json) == 1


def test_the_same_in_json(call: CommandLine, ada: Member, file: Path):
    report = call("program", "backtest", file, "--json").json

    assert (report["from"], report["to"]) == (None, None)
    assert (report["points"]["before"], report["points"]["after"]) == (216, 116)
    assert [one["code"] for one in report["rules"]] == ["LINES", "MUGS", "VISIT"]
    assert report["rules"][1]["by_month"] == {"2026-03": 20}
    assert report["most_changed"][0]["reasons"] == {"LINES": -120, "MUGS": 20}


def test_days_outside_are_left_out(call: CommandLine, ada: Member, file: Path):
    report = call("program", "backtest", file, "--from", "2026-03-03", "--json").json

    assert (report["purchases"], report["months"]) == (0, [])


def test_a_time_without_purchases_says_so(
    call: CommandLine, ada: Member, file: Path, tmp_path: Path
):
    chart = tmp_path / "months.svg"

    told = call("program", "backtest", file, "--from", "2026-03-03", "--chart", chart)

    assert told.out.splitlines()[2:] == ["  No purchases in this time."]
    assert "No purchases in this time." in chart.read_text()


def test_a_chart_that_cannot_be_written_is_told_in_words(
    call: CommandLine, ada: Member, file: Path, tmp_path: Path
):
    told = call("program", "backtest", file, "--chart", tmp_path / "nowhere" / "months.svg")

    assert (told.code, told.out) == (1, "")
    assert told.err.endswith("months.svg cannot be written: No such file or directory.\n")


def test_the_days_told_are_those_of_the_programme(call: CommandLine, ada: Member, file: Path):
    told = call("program", "backtest", file, "--from", "2026-03-01", "--to", "2026-03-02")

    assert told.out.startswith("Bean Club, from 2026-03-01 to 2026-03-02: nothing was written.")


def test_an_empty_time_is_refused(call: CommandLine, ada: Member, file: Path):
    told = call("program", "backtest", file, "--from", "2026-03-02", "--to", "2026-03-01")

    assert (told.code, told.out) == (1, "")
    assert "it ends before it begins" in told.err


def test_a_file_of_no_programme_here_is_refused(call: CommandLine, ada: Member, file: Path):
    file.write_text(FILE.replace("bean-club", "tea-club"))

    told = call("program", "backtest", file)

    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("NOT_FOUND There is no programme tea-club")
