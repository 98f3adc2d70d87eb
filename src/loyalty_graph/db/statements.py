"""Statements of whole tables, of all programmes together, written once for both databases.

They are written as PostgreSQL reads them: parameters are `$1`, `= any($1)` takes a list. SQLite
gets the same in its own words, without casts, and without row locks, since it has one writer.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from tortoise.models import Model

from loyalty_graph.db.columns import (
    Row,
    converted,
    converted_rows,
    postgres_types,
    readers,
    to_utc,
    writers,
)
from loyalty_graph.db.set_values import table_name
from loyalty_graph.db.transactions import assert_in_transaction, connection

_ROW_LOCK = re.compile(r"\sfor (no key )?update( of \w+)?( skip locked)?\b")
_CAST = re.compile(r"::\w+")
_ANY = re.compile(r"= any\(\$(\d+)\)")
_PARAMETER = re.compile(r"\$(\d+)")


async def select(
    model: type[Model], columns: tuple[str, ...], ending: str, *values: Any
) -> list[Row]:
    """Return columns of the rows that the rest of a statement (`where`, `order by`) finds."""
    current: Any = connection()
    dialect: str = current.capabilities.dialect
    chosen = ", ".join(f'"{column}"' for column in columns)
    statement = f'select {chosen} from "{table_name(model)}" {ending}'  # noqa: S608 - names of our own
    _, rows = await current.execute_query(*_said(dialect, statement, values))
    return converted_rows([tuple(row) for row in rows], readers(model, columns, dialect))


async def read(statement: str, *values: Any) -> list[Row]:
    """Run a statement whose columns are texts and numbers, which both databases return alike."""
    current: Any = connection()
    _, rows = await current.execute_query(*_said(current.capabilities.dialect, statement, values))
    return [tuple(row) for row in rows]


async def execute(statement: str, *values: Any) -> int:
    """Run a statement that writes; return how many rows it changed."""
    current: Any = connection()
    changed, _ = await current.execute_query(
        *_said(current.capabilities.dialect, statement, values)
    )
    return int(changed)


async def upsert(
    model: type[Model], columns: tuple[str, ...], rows: Sequence[Row], *, ending: str
) -> None:
    """Insert rows, in a transaction; `ending` (`on conflict ...`) merges with those there are."""
    assert_in_transaction()
    if not rows:
        return
    current: Any = connection()
    dialect: str = current.capabilities.dialect
    given = converted(rows, writers(model, columns, dialect))
    names = ", ".join(f'"{column}"' for column in columns)
    insert = f'insert into "{table_name(model)}" ({names})'
    if dialect == "postgres":
        types = postgres_types(model, columns)
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, 1))
        statement = f"{insert} select * from unnest({arrays}) {ending}"  # noqa: S608 - names of our own
        await current.execute_query(statement, given)
    else:
        marks = ", ".join("?" * len(columns))
        statement = f"{insert} values ({marks}) {ending}"
        await current.run(lambda raw: raw.executemany(statement, list(zip(*given, strict=True))))


def _said(dialect: str, statement: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    if dialect == "postgres":
        return statement, list(values)
    return _for_sqlite(statement), [_sqlite_value(value) for value in values]


@lru_cache(maxsize=256)
def _for_sqlite(statement: str) -> str:
    statement = _CAST.sub("", _ROW_LOCK.sub("", statement))
    statement = _ANY.sub(r"in (select value from json_each(?\1))", statement)
    return _PARAMETER.sub(r"?\1", statement)


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return to_utc(value)
    return orjson.dumps(value).decode() if isinstance(value, list) else value
