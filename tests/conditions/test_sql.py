"""Conditions as SQL: what is compared with is a parameter, and NULL is false."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.conditions.reading import read
from loyalty_graph.conditions.sql import Dialect, SqlWriter
from loyalty_graph.conditions.vocabulary import DaysAgo, Joined, Term, Type, Vocabulary, by_name

TODAY = date(2026, 3, 30)
BERLIN = ZoneInfo("Europe/Berlin")
ROOMS = Vocabulary(
    by_name(
        Term("room.name", Type.TEXT, "", "", "room.name"),
        Term("room.floor", Type.NUMBER, "", "", "room.floor", nullable=True),
        Term("room.built", Type.DATE, "", "", "room.built"),
        Term("room.is_warm", Type.FLAG, "", "", {"sqlite": "room.warm = 1", "postgres": "warm"}),
        Term("room.slept", Type.NUMBER, "", "", DaysAgo("room.slept_at"), nullable=True),
        Term("room.guests", Type.NUMBER, "", "", Joined("stay.guests", "stay.room_id", 0)),
        Term("room.season", Type.TEXT, "", "", "{season}"),
        Term(
            "room.guide",
            Type.TEXT,
            "",
            "",
            Joined("stay.guide", "stay.room_id", "guide"),
            nullable=True,
        ),
    )
)


def said(
    data: dict[str, Any], dialect: Dialect = "postgres", **params: Any
) -> tuple[str, list[Any]]:
    writer = SqlWriter(dialect, params, today=TODAY, zone=BERLIN)
    text = writer.where(read(data, ROOMS))
    return text, writer.values


def test_what_is_compared_with_is_never_in_the_text():
    evil = "'; drop table room; --"

    text, values = said({"room": {"name": {"in": [evil], "is_not": evil}}})

    assert text == "((room.name = any($1::text[])) and (room.name <> $2::text))"
    assert values == [[evil], evil]


@pytest.mark.parametrize(
    ("dialect", "text", "values"),
    [
        (
            "postgres",
            "((room.built between $1::date and $2::date) and (room.built <> all($3::date[])))",
            [date(2000, 1, 1), date(2001, 1, 1), [date(2000, 6, 1)]],
        ),
        (
            "sqlite",
            (
                "((room.built between $1 and $2)"
                " and (room.built not in (select value from json_each($3))))"
            ),
            ["2000-01-01", "2001-01-01", [date(2000, 6, 1)]],
        ),
    ],
)
def test_days_are_said_as_the_database_keeps_them(dialect: Dialect, text: str, values: list[Any]):
    built = {"between": ["2000-01-01", "2001-01-01"], "not_in": ["2000-06-01"]}

    assert said({"room": {"built": built}}, dialect) == (text, values)


def test_each_database_has_its_own_words():
    assert said({"room": {"is_warm": True}}, "postgres")[0] == "(warm)"
    assert said({"room": {"is_warm": {"is_not": True}}}, "sqlite")[0] == "(not (room.warm = 1))"


def test_not_of_a_comparison_with_null_is_true():
    plain, _ = said({"room": {"floor": {"at_least": 3}}})
    turned, _ = said({"not": {"room": {"floor": {"at_least": 3}}}})

    assert plain == "(room.floor >= $1::bigint)"
    assert turned == "(not coalesce((room.floor >= $1::bigint), false))"


@pytest.mark.parametrize(
    ("compared", "text", "days"),
    [
        ({"at_least": 2}, "(room.slept_at < $1::timestamptz)", [29]),
        ({"more_than": 1}, "(room.slept_at < $1::timestamptz)", [29]),
        ({"at_most": 1}, "(room.slept_at >= $1::timestamptz)", [29]),
        ({"less_than": 2}, "(room.slept_at >= $1::timestamptz)", [29]),
        (
            {"between": [0, 1]},
            "(room.slept_at < $1::timestamptz and room.slept_at >= $2::timestamptz)",
            [31, 29],
        ),
        (
            [1],
            "((room.slept_at < $1::timestamptz and room.slept_at >= $2::timestamptz))",
            [30, 29],
        ),
        (
            {"is_not": 1},
            "(not (room.slept_at < $1::timestamptz and room.slept_at >= $2::timestamptz))",
            [30, 29],
        ),
        ({"is_set": True}, "(room.slept_at is not null)", []),
    ],
    ids=str,
)
def test_days_ago_are_compared_by_the_instants_at_which_days_begin(
    compared: Any, text: str, days: list[int]
):
    """In Berlin the 29th is 23 hours long: it begins at 23:00 UTC, the next day at 22:00."""
    begin = {
        29: datetime(2026, 3, 28, 23, tzinfo=UTC),
        30: datetime(2026, 3, 29, 22, tzinfo=UTC),
        31: datetime(2026, 3, 30, 22, tzinfo=UTC),
    }

    assert said({"room": {"slept": compared}}) == (text, [begin[day] for day in days])


@pytest.mark.parametrize("days", [10**15, -(10**15)])
def test_days_beyond_the_calendar_are_its_ends(days: int):
    _, [instant] = said({"room": {"slept": {"at_least": days}}})

    assert instant.astimezone(BERLIN).year == (1000 if days > 0 else 9000)


def test_a_joined_row_is_asked_for_where_nothing_without_one_is_meant():
    some, _ = said({"room": {"guests": {"at_least": 1}}})
    few, _ = said({"room": {"guests": {"at_most": 1}}})
    turned, _ = said({"not": {"room": {"guests": {"at_least": 1}}}})

    without = "(case when stay.room_id is null then 0 else stay.guests end)"
    assert some == "(stay.room_id is not null and (stay.guests >= $1::bigint))"
    assert few == f"({without} <= $1::bigint)"
    assert turned == f"(not ({without} >= $1::bigint))"


@pytest.mark.parametrize(
    ("guide", "asked", "needs_row"),
    [
        ("Ada", "Ada", False),
        ("Ada", "Bob", True),
        ("Ada", {"not_in": ["Bob"]}, False),
        (None, "Ada", True),
        (None, {"not_in": ["Bob"]}, True),
        (None, {"is_set": False}, False),
        ("Ada", {"is_set": False}, True),
    ],
    ids=str,
)
def test_what_holds_without_a_row_may_be_handed_in(
    guide: str | None, asked: Any, *, needs_row: bool
):
    text, values = said({"room": {"guide": asked}}, guide=guide)

    assert text.startswith("(stay.room_id is not null and ") is needs_row
    assert (guide in values) is (not needs_row or asked == guide)


def test_what_is_handed_in_is_a_parameter_once():
    text, values = said({"room": {"season": ["WINTER"], "name": "A"}}, season="SUMMER")

    assert text == "(($1 = any($2::text[])) and (room.name = $3::text))"
    assert values == ["SUMMER", ["WINTER"], "A"]
    both = {"any": [{"room": {"season": "WINTER"}}, {"room": {"season": "SPRING"}}]}
    assert said(both, season="SUMMER")[1] == ["SUMMER", "WINTER", "SPRING"]
