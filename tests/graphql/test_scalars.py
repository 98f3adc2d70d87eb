from datetime import UTC, datetime
from decimal import Decimal

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.graphql.scalars import (
    parse_decimal,
    parse_instant,
    parse_points,
    serialize_instant,
    serialize_points,
)
from tests.graphql.conftest import CUPBOARD, context_of


async def answer(query: str, **variables: object) -> dict[str, object] | None:
    result = await CUPBOARD.execute(query, variables, context_of())
    assert result.errors is None
    return result.data


async def refusal(query: str, **variables: object) -> str:
    result = await CUPBOARD.execute(query, variables, context_of())
    assert result.data is None
    (error,) = result.errors or []
    assert error.extensions == {"code": "BAD_REQUEST"}
    return error.message


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_points_come_back_as_they_went_out(points: int):
    assert parse_points(serialize_points(points)) == points
    assert parse_points(str(points)) == points


@pytest.mark.parametrize(
    ("points", "written"),
    [
        (0, 0),
        (2**53 - 1, 9007199254740991),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
    ],
)
def test_points_javascript_cannot_hold_are_written_as_text(points: int, written: object):
    assert serialize_points(points) == written


@pytest.mark.parametrize("value", [1.0, True, None, "", "1.0", "+1", " 1", "\u0661", "9" * 20, [1]])
def test_points_are_whole(value: object):
    with pytest.raises(GraphQLError, match="Points are a whole number"):
        parse_points(value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "9223372036854775808"])
def test_points_fit_into_64_bits(value: object):
    with pytest.raises(GraphQLError, match=r"^Points must fit into 64 bits\.$"):
        parse_points(value)


@pytest.mark.parametrize(("value", "read"), [("12.50", "12.50"), (12, "12"), ("-0.001", "-0.001")])
def test_decimals_are_exact(value: object, read: str):
    assert parse_decimal(value) == Decimal(read)


@pytest.mark.parametrize("value", [12.5, True, None, "NaN", "1e3", "Infinity", "", ".5", "1,5"])
def test_floats_and_other_text_are_no_decimals(value: object):
    with pytest.raises(GraphQLError, match="A decimal is text such as"):
        parse_decimal(value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00Z"),
        ("2026-11-22t09:30:00.5z", "2026-11-22T09:30:00.500000Z"),
        ("2026-11-22T10:30:00+01:00", "2026-11-22T09:30:00Z"),
    ],
)
def test_instants_are_answered_in_utc(text: str, written: str):
    assert serialize_instant(parse_instant(text)) == written


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_instants_come_back_as_they_went_out(instant: datetime):
    assert parse_instant(serialize_instant(instant)) == instant


@pytest.mark.parametrize(
    "value", ["2026-11-22", "2026-11-22T09:30:00", "2026-W47-7T09:30:00Z", "yesterday", "", 5, None]
)
def test_an_instant_needs_date_time_and_offset(value: object):
    with pytest.raises(GraphQLError, match="An instant has a date, a time and an offset"):
        parse_instant(value)


@pytest.mark.parametrize(
    "value", ["2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "0001-01-01T00:00:00+05:00"]
)
def test_an_instant_that_does_not_exist_is_refused(value: str):
    with pytest.raises(GraphQLError, match="There is no such instant"):
        parse_instant(value)


async def test_literals_and_variables_mean_the_same():
    literal = """{
      points(value: 9007199254740993) amount(value: "0.10") instant(value: "2026-11-22T09:30:00Z")
    }"""
    variables = """query ($p: Points!, $a: Decimal!, $i: DateTime!) {
      points(value: $p) amount(value: $a) instant(value: $i)
    }"""

    first = await answer(literal)
    second = await answer(variables, p="9007199254740993", a="0.10", i="2026-11-22T10:30:00+01:00")

    assert first == second
    assert first == {
        "points": "9007199254740993",
        "amount": "0.10",
        "instant": "2026-11-22T09:30:00Z",
    }


async def test_a_literal_points_number_may_be_text():
    assert await answer('{ points(value: "120") }') == {"points": 120}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ points(value: 1.5) }", "A literal here is a whole number or text."),
        (f"{{ points(value: {'9' * 5000}) }}", "Points are a whole number"),
        ("{ points(value: true) }", "A literal here is a whole number or text."),
        ("{ amount(value: 1.5) }", "A literal here is a whole number or text."),
        ('{ instant(value: "now") }', "An instant has a date, a time and an offset"),
    ],
)
async def test_a_literal_that_will_not_do_is_a_bad_request(query: str, message: str):
    assert message in await refusal(query)


async def test_a_variable_that_will_not_do_is_named():
    message = await refusal("query ($p: Points!) { points(value: $p) }", p=1.5)

    assert "Variable '$p'" in message
    assert "Points are a whole number" in message
