"""The points flow as a table and as JSON."""

import pytest

from loyalty_graph.cli.output import console
from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine

MARCH = ("--from", "2026-03-01", "--to", "2026-03-04")


def test_the_points_flow_is_a_table(call: CommandLine, ada: Member):
    done = call("report", "points-flow", *MARCH, "--by", "day")
    by_kind = call("report", "points-flow", *MARCH, "--by", "kind")

    assert done.code == 0
    heading, *table = done.out.splitlines()
    assert heading == "Points from 2026-03-01 to 2026-03-04, by when they were recorded:"
    assert [line.split() for line in table] == [
        ["day", "opening", "issued", "closing"],
        ["2026-03-01", "0", "0", "0"],
        ["2026-03-02", "0", "216", "216"],
        ["2026-03-03", "216", "0", "216"],
        ["2026-03-04", "216", "0", "216"],
        ["all", "0", "216", "216"],
    ]
    assert [line.split() for line in by_kind.out.splitlines()[2:]] == [
        ["EARN", "216"],
        ["all", "0", "216", "216"],
    ]


def test_no_figure_of_the_points_flow_is_cut(
    call: CommandLine, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(console, "width", 20)

    done = call("report", "points-flow", *MARCH, "--by", "day")

    assert [line.split() for line in done.out.splitlines()[1:4]] == [
        ["day", "opening", "issued", "closing"],
        ["2026-03-01", "0", "0", "0"],
        ["2026-03-02", "0", "216", "216"],
    ]


def test_the_points_flow_is_json(call: CommandLine, ada: Member):
    months = call("report", "points-flow", *MARCH, "--json").json
    rules = call("report", "points-flow", *MARCH, "--by", "rule", "--json").json

    nothing = dict.fromkeys(
        (
            *("reversed", "forgiven", "redeemed", "returned", "expired", "reinstated"),
            *("adjusted", "migrated", "transferred", "fees"),
        ),
        0,
    )
    figures = {"opening": 0, "issued": 216, **nothing, "closing": 216}
    assert months == {
        "from": "2026-03-01",
        "to": "2026-03-04",
        "by": "MONTH",
        **figures,
        "parts": [{"part": "2026-03", **figures}],
    }
    assert rules["parts"] == [{"part": "LINES", "issued": 216, **nothing, "change": 216}]


def test_without_days_it_is_this_month(call: CommandLine, ada: Member):
    done = call("report", "points-flow", "--json")

    assert done.json["from"].endswith("-01")
    assert (done.json["opening"], done.json["closing"]) == (216, 216)


def test_a_period_that_is_none_is_refused(call: CommandLine, ada: Member):
    done = call("report", "points-flow", "--from", "2026-03-04", "--to", "2026-03-01")

    assert (done.code, done.out) == (1, "")
    assert done.err == "INVALID_INPUT 2026-03-01 is before 2026-03-04, the first day.\n"
