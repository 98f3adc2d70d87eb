"""Columns of values arrive at PostgreSQL as they were, and come back so."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import OperationalError

from loyalty_graph.db import connection
from loyalty_graph.db.array_codecs import ELEMENTS

pytestmark = pytest.mark.postgres

EAST = timezone(timedelta(hours=3))
VALUES: dict[str, list[Any]] = {
    "bool": [True, False],
    "bytea": [b"", b"\0\xff"],
    "int8": [-(2**63), 2**63 - 1, 0],
    "int2": [-(2**15), 2**15 - 1],
    "int4": [-(2**31), 2**31 - 1],
    "text": ["", "NULL", 'a "quoted" \\ word', "günstig", "مرحبا", "{1,2}"],
    "date": [date.min, date(1, 1, 2), date(1999, 12, 31), date(9999, 12, 30), date.max],
    "timestamptz": [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=EAST),
    ],
    "uuid": [UUID(int=0), UUID(int=2**128 - 1)],
    "json": ['{"b": 1, "a": [1, null, "ü"]}', "null", '""'],
    "jsonb": ['{"a": [1, null, "ü"]}', "null", '""'],
}


async def there_and_back(kind: str, values: list[Any]) -> list[Any]:
    [row] = await connection().execute_query_dict(f"SELECT $1::{kind}[] AS found", [values])
    found: list[Any] = row["found"]
    return found


def test_every_type_that_columns_have_is_tried():
    assert sorted(VALUES) == sorted(one.name for one in ELEMENTS)


@pytest.mark.parametrize("kind", VALUES)
async def test_an_array_comes_back_as_it_was_sent(database: BaseDBAsyncClient, kind: str):
    values = VALUES[kind]
    first, *_ = values

    for sent in (values, values[:1], [first] * 3, [], [None], [None, None], [None, *values, None]):
        assert await there_and_back(kind, sent) == sent


@pytest.mark.parametrize("kind", VALUES)
async def test_an_element_means_to_the_server_what_it_does_alone(
    database: BaseDBAsyncClient, kind: str
):
    values = VALUES[kind]
    # As texts, because PostgreSQL compares no json.
    sql = f"SELECT ($1::{kind}[])[$2]::text = $3::{kind}::text AS is_same"

    for place, value in enumerate(values, start=1):
        [row] = await connection().execute_query_dict(sql, [values, place, value])

        assert row["is_same"]


async def test_an_id_may_be_sent_as_its_text(database: BaseDBAsyncClient):
    one, other = UUID(int=1), UUID(int=2)

    assert await there_and_back("uuid", [one, str(other)]) == [one, other]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int4", 2**31), ("int8", "5"), ("text", 5), ("uuid", "no id"), ("date", "2026-01-01")],
)
async def test_what_does_not_fit_is_refused(database: BaseDBAsyncClient, kind: str, value: object):
    with pytest.raises(OperationalError, match=r"invalid input for query argument \$1"):
        await there_and_back(kind, [value, None])
