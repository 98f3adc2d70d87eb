"""The runner of the measurements; nothing is measured here."""

import json

import pytest

from bench.__main__ import discover, main
from bench.rows import Measured, alternate, row


def suite(*, ratio: float, bar: float | None):
    measured = Measured(1000.0 * ratio, "passes/s")
    return lambda: [row("mine", "fast", measured, against="them", against_value=1000.0, bar=bar)]


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    found: dict[str, object] = {}
    listed = {"SUITES": found, "LONG_SUITES": {}}
    monkeypatch.setattr("bench.__main__.discover", lambda attribute: listed[attribute])
    return found


def test_the_suites_are_found():
    assert {"api", "ledger", "live", "passes", "push"} <= discover().keys()


def test_what_takes_minutes_stands_apart():
    assert "replay" in discover("LONG_SUITES")
    assert "replay" not in discover()


def test_each_row_is_a_line_of_json(suites: dict[str, object], capsys: pytest.CaptureFixture[str]):
    suites["mine"] = suite(ratio=0.9, bar=0.8)

    status = main(["--suite", "mine", "--json"])

    assert status == 0
    assert json.loads(capsys.readouterr().out) == {
        "suite": "mine",
        "name": "fast",
        "value": 900.0,
        "unit": "passes/s",
        "against": "them",
        "against_value": 1000.0,
        "ratio": 0.9,
        "bar": 0.8,
        "holds": True,
    }


@pytest.mark.parametrize(
    ("ratio", "bar", "status", "shown"),
    [(0.8, 0.8, 0, "yes"), (0.79, 0.8, 1, "NO"), (0.1, None, 0, "-")],
    ids=["holds", "does not hold", "only reported"],
)
def test_a_bar_that_does_not_hold_is_the_exit_status(
    suites: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    ratio: float,
    bar: float | None,
    status: int,
    shown: str,
):
    suites["mine"] = suite(ratio=ratio, bar=bar)

    assert main([]) == status

    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[0] == "name"
    assert line.split()[0] == "mine.fast"
    assert line.split()[-1] == shown


def test_an_unknown_suite_is_refused(suites: dict[str, object]):
    with pytest.raises(SystemExit):
        main(["--suite", "nothing"])


def test_the_round_of_the_median_ratio_counts():
    ones = iter([10.0, 20.0, 30.0, 40.0, 50.0])
    others = iter([10.0, 10.0, 10.0, 10.0, 10.0])

    assert alternate(lambda: next(ones), lambda: next(others)) == (30.0, 10.0)
