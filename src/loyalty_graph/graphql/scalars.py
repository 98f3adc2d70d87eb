"""Scalars that keep what they carry: 64-bit points, exact decimals, aware instants."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NewType

import strawberry
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

Points = NewType("Points", int)
Count = NewType("Count", int)
EventNumber = NewType("EventNumber", int)

POINTS_MAX = 2**63 - 1
POINTS_MIN = -(2**63)
JSON_SAFE_MAX = 2**53 - 1
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
SHOWN_MAX = 40
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# RFC 3339, section 5.6, with an offset that must be there.
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_points(value: object) -> int:
    """Read a whole number given as a number or as text.

    Raises:
        GraphQLError: not whole, or beyond signed 64 bits.
    """
    if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if type(value) is not int:
        raise GraphQLError(f'Points are a whole number such as 120 or "120", not {_shown(value)}.')
    if not POINTS_MIN <= value <= POINTS_MAX:
        raise GraphQLError("Points must fit into 64 bits.")
    return value


def parse_event_number(value: object) -> int:
    """Read the number of an event.

    Raises:
        GraphQLError: not a whole number from 0 on.
    """
    if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 0 <= value <= POINTS_MAX:
        raise GraphQLError(f"An event's number is 0 or more, such as 120, not {_shown(value)}.")
    return value


def serialize_points(value: int) -> int | str:
    """Write a number while JavaScript can hold it exactly, text beyond that (IEEE 754: 2^53)."""
    return value if -JSON_SAFE_MAX <= value <= JSON_SAFE_MAX else str(value)


def parse_decimal(value: object) -> Decimal:
    """Read an exact decimal given as text or as a whole number; a JSON float is not exact.

    Raises:
        GraphQLError: anything else.
    """
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and DECIMAL.fullmatch(text):
        return Decimal(text)
    raise GraphQLError(f'A decimal is text such as "12.50", not {_shown(value)}.')


def parse_instant(value: object) -> datetime:
    """Read an RFC 3339 instant with its offset, as aware UTC.

    Raises:
        GraphQLError: no offset, no such date, or another form.
    """
    if isinstance(value, str) and INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise GraphQLError(f"There is no such instant: {value}.") from error
    raise GraphQLError(
        f"An instant has a date, a time and an offset, such as 2026-11-22T09:30:00Z, "
        f"not {_shown(value)}."
    )


def parse_day(value: object) -> date:
    """Read a calendar day.

    Raises:
        GraphQLError: no such day, or another form.
    """
    if isinstance(value, str) and DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise GraphQLError(f"There is no such day: {value}.") from error
    raise GraphQLError(f"A day is written as 2026-11-22, not {_shown(value)}.")


def serialize_instant(value: datetime) -> str:
    """Write an instant in UTC with Z."""
    assert value.tzinfo is not None, "instants are aware"
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


def _literal(node: ValueNode, _variables: object = None) -> object:
    """Return what a literal in the document says, without reading numbers through a float."""
    if isinstance(node, IntValueNode | StringValueNode):
        return node.value
    raise GraphQLError("A literal here is a whole number or text.", node)


def _points_literal(node: ValueNode, variables: object = None) -> int:
    return parse_points(_literal(node, variables))


def _event_number_literal(node: ValueNode, variables: object = None) -> int:
    return parse_event_number(_literal(node, variables))


def _decimal_literal(node: ValueNode, variables: object = None) -> Decimal:
    return parse_decimal(_literal(node, variables))


SCALARS: dict[object, ScalarDefinition] = {
    Points: strawberry.scalar(
        name="Points",
        description=(
            "A whole number of points, signed 64 bits. Accepted as a number or as text; "
            "answered as a number, and as text beyond 2^53 where JSON numbers stop being exact."
        ),
        serialize=serialize_points,
        parse_value=parse_points,
        parse_literal=_points_literal,
    ),
    Count: strawberry.scalar(
        name="Count",
        description="How many there are of something that may outgrow 32 bits; written as Points.",
        serialize=serialize_points,
    ),
    EventNumber: strawberry.scalar(
        name="EventNumber",
        description=(
            "The number of an event in its programme: each is one higher than the one before. "
            "Written as Points."
        ),
        serialize=serialize_points,
        parse_value=parse_event_number,
        parse_literal=_event_number_literal,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal as text, such as "12.50".',
        serialize=str,
        parse_value=parse_decimal,
        parse_literal=_decimal_literal,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day, such as 2026-11-22.",
        serialize=date.isoformat,
        parse_value=parse_day,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "An instant as RFC 3339 text. Given with any offset, answered in UTC with Z, "
            "such as 2026-11-22T09:30:00Z."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_instant,
        parse_value=parse_instant,
    ),
}
