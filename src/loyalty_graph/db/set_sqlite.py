"""Sets on SQLite: rows, in one hop to the writer's thread for look-ups and one for writes."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.db.columns import Row, converted, converted_rows, readers, writers
from loyalty_graph.db.set_values import (
    Lookup,
    Write,
    conflict,
    given,
    shape,
    table_name,
    tail,
    verb,
)


def fetch(
    raw: sqlite3.Connection, program_id: UUID, lookups: Sequence[Lookup]
) -> list[list[list[Row]]]:
    """Run look-ups in the connection's thread; see `sets.fetch`."""
    program = str(program_id)
    return [_found(raw, program, lookup) for lookup in lookups]


def _found(raw: sqlite3.Connection, program: str, lookup: Lookup) -> list[list[Row]]:
    sql = lookup_sql(lookup)
    keys = converted_rows(lookup.keys, writers(lookup.model, lookup.keyed, "sqlite"))
    positions = readers(lookup.model, lookup.columns, "sqlite")
    found = (raw.execute(sql, (program, *key)).fetchall() for key in keys)
    return [converted_rows(rows, positions) for rows in found]


def fetch_unique(
    raw: sqlite3.Connection,
    model: type[Model],
    column: str,
    values: Sequence[UUID | str],
    columns: tuple[str, ...],
) -> list[Row | None]:
    """Find rows in the connection's thread; see `sets.fetch_unique`."""
    chosen = ", ".join(f'"{one}"' for one in columns)
    statement = f'select {chosen} from "{table_name(model)}" where "{column}" = ?'
    positions = readers(model, columns, "sqlite")
    found = (raw.execute(statement, (str(value),)).fetchall() for value in values)
    return [next(iter(converted_rows(rows, positions)), None) for rows in found]


def lookup_sql(lookup: Lookup) -> str:
    """Return the statement of a look-up, for one of its keys."""
    bound = "" if lookup.below is None else f' and "{lookup.below}" < ?'
    return _lookup_sql(lookup.model, lookup.by, lookup.columns, bound + tail(lookup))


@lru_cache(maxsize=1024)
def _lookup_sql(
    model: type[Model], by: tuple[str, ...], columns: tuple[str, ...], ending: str
) -> str:
    chosen = ", ".join(f'"{column}"' for column in columns)
    matches = " and ".join(f'"{column}" = ?' for column in by)
    return f'select {chosen} from "{table_name(model)}" where program_id = ? and {matches}{ending}'


@lru_cache(maxsize=1024)
def _write_sql(kind: str, of: tuple[Any, ...]) -> str:
    model, by, columns, merge = of
    table = f'"{table_name(model)}"'
    if kind == "update":
        changes = ", ".join(f'"{column}" = ?{len(by) + n}' for n, column in enumerate(columns, 2))
        keys = " and ".join(f'"{column}" = ?{n}' for n, column in enumerate(by, 2))
        return f"update {table} set {changes} where program_id = ?1 and {keys}"
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * (len(columns) + 1))
    insert = f"insert into {table} (program_id, {names}) values ({marks})"
    return insert + conflict(by, merge) if kind == "upsert" else insert


def store(raw: sqlite3.Connection, program_id: UUID, writes: Sequence[Write]) -> None:
    """Write rows in the connection's thread; see `sets.store`."""
    program = str(program_id)
    for write in writes:
        columns = converted(write.rows, writers(write.model, given(write), "sqlite"))
        rows = zip(repeat(program), *columns, strict=False)
        raw.executemany(_write_sql(verb(write), shape(write)), rows)
