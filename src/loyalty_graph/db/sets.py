"""Set-based reads and writes for the hot paths: many rows, few statements, on both databases.

A package describes what it needs as values (`Lookup`, `Insert`, `Update`, `Upsert` over its own
models); `fetch` and `store` run them on the current connection. PostgreSQL takes columns as arrays:
one statement for each look-up, one statement for everything written. SQLite takes rows: one hop to
the writer's thread for all look-ups, one for all writes.

Every table's key begins with `program_id`, which is given once.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from tortoise.fields import (
    BinaryField,
    BooleanField,
    DateField,
    DatetimeField,
    Field,
    JSONField,
    UUIDField,
)
from tortoise.models import Model

from loyalty_graph.db.transactions import connection

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """For each key the rows of a table that have it, in the order asked for, at most `limit`.

    `lock` keeps the found rows from being changed by others until the transaction ends; keys must
    be given sorted, so that two transactions never wait for each other.
    """

    model: type[Model]
    by: tuple[str, ...]
    keys: Sequence[Row]
    columns: tuple[str, ...]
    where: str = ""
    order_by: str = ""
    limit: int | None = None
    lock: bool = False


@dataclass(frozen=True, slots=True)
class Insert:
    """New rows; `columns` leaves out `program_id`."""

    model: type[Model]
    columns: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Update:
    """New values for existing rows; each row holds the columns `by`, then those of `columns`."""

    model: type[Model]
    by: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Upsert:
    """Rows that are inserted, or merged into the row with the same key as `merge` says.

    `merge` holds (column, expression) pairs; an expression may name `excluded.column` and
    `table.column`.
    """

    model: type[Model]
    by: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Sequence[Row]
    merge: tuple[tuple[str, str], ...]


Write = Insert | Update | Upsert


async def fetch(program_id: UUID, *lookups: Lookup) -> list[list[list[Row]]]:
    """Return, for each look-up and each of its keys, the rows found as tuples of Python values."""
    current: Any = connection()
    if current.capabilities.dialect == "postgres":
        return [await _fetch_postgres(current, program_id, lookup) for lookup in lookups]
    found: list[list[list[Row]]] = await current.run(
        lambda raw: _fetch_sqlite(raw, program_id, lookups)
    )
    return found


async def store(program_id: UUID, writes: Iterable[Write]) -> None:
    """Write all rows in the current transaction; no row may be written twice in one call."""
    current: Any = connection()
    wanted = [write for write in writes if write.rows]
    if not wanted:
        return
    if current.capabilities.dialect == "postgres":
        await _store_postgres(current, program_id, wanted)
    else:
        await current.run(lambda raw: _store_sqlite(raw, program_id, wanted))


# --- what a model's columns need


def _field(model: type[Model], column: str) -> Field[Any]:
    return model._meta.fields_map[column]


def table_name(model: type[Model]) -> str:
    """Return the name of a model's table."""
    return model._meta.db_table


@lru_cache(maxsize=1024)
def _array_types(model: type[Model], columns: tuple[str, ...]) -> tuple[str, ...]:
    types = (_field(model, column).get_for_dialect("postgres", "SQL_TYPE") for column in columns)
    return tuple(f"{'text' if kind.startswith('VARCHAR') else kind.lower()}[]" for kind in types)


def _to_json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _to_text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _to_utc(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(" ")


def _to_day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _from_json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _from_text(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


def _from_utc(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _from_day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


def _from_number(value: int | None) -> bool | None:
    return None if value is None else bool(value)


Converter = Callable[[Any], Any]


@lru_cache(maxsize=1024)
def _writers(
    model: type[Model], columns: tuple[str, ...], dialect: str
) -> tuple[tuple[int, Converter], ...]:
    """Return which columns must be converted before they are written, and how."""
    kinds: dict[type[Field[Any]], Converter] = {JSONField: _to_json}
    if dialect == "sqlite":
        kinds |= {UUIDField: _to_text, DatetimeField: _to_utc, DateField: _to_day}
    return _positions(model, columns, kinds)


@lru_cache(maxsize=1024)
def _readers(
    model: type[Model], columns: tuple[str, ...], dialect: str
) -> tuple[tuple[int, Converter], ...]:
    kinds: dict[type[Field[Any]], Converter] = {JSONField: _from_json}
    if dialect == "sqlite":
        kinds |= {UUIDField: _from_text, DatetimeField: _from_utc}
        kinds |= {DateField: _from_day, BooleanField: _from_number}
    else:
        kinds |= {BinaryField: lambda value: None if value is None else bytes(value)}
    return _positions(model, columns, kinds)


def _positions(
    model: type[Model], columns: tuple[str, ...], kinds: dict[type[Field[Any]], Converter]
) -> tuple[tuple[int, Converter], ...]:
    return tuple(
        (position, convert)
        for position, column in enumerate(columns)
        for kind, convert in kinds.items()
        if isinstance(_field(model, column), kind)
    )


def _converted(
    rows: Iterable[Row], positions: tuple[tuple[int, Converter], ...]
) -> list[list[Any]]:
    result = [list(row) for row in rows]
    for position, convert in positions:
        for row in result:
            row[position] = convert(row[position])
    return result


# --- PostgreSQL


def _unnest(model: type[Model], columns: tuple[str, ...], first: int) -> str:
    return ", ".join(f"${first + n}::{kind}" for n, kind in enumerate(_array_types(model, columns)))


@lru_cache(maxsize=1024)
def _lookup_postgres(
    model: type[Model], by: tuple[str, ...], columns: tuple[str, ...], tail: str
) -> str:
    # LATERAL pins index look-ups: a plain join was planned as a scan while the table was still
    # empty, and asyncpg keeps that plan.
    matches = " and ".join(f't."{column}" = k."{column}"' for column in by)
    chosen = ", ".join(f't."{column}"' for column in columns)
    keys = ", ".join(f'"{column}"' for column in by)
    return (
        f"select (k.n - 1)::int, r.* "
        f"from unnest({_unnest(model, by, 2)}) with ordinality k({keys}, n) "
        f'cross join lateral (select {chosen} from "{table_name(model)}" t '
        f"where t.program_id = $1 and {matches}{tail}) r order by k.n"
    )


def _tail(lookup: Lookup, *, postgres: bool) -> str:
    return "".join(
        (
            f" and {lookup.where}" if lookup.where else "",
            f" order by {lookup.order_by}" if lookup.order_by else "",
            f" limit {lookup.limit}" if lookup.limit is not None else "",
            " for no key update" if lookup.lock and postgres else "",
        )
    )


async def _fetch_postgres(current: Any, program_id: UUID, lookup: Lookup) -> list[list[Row]]:
    result: list[list[Row]] = [[] for _ in lookup.keys]
    if not lookup.keys:
        return result
    query = _lookup_postgres(lookup.model, lookup.by, lookup.columns, _tail(lookup, postgres=True))
    keys = _converted(lookup.keys, _writers(lookup.model, lookup.by, "postgres"))
    _, found = await current.execute_query(query, [program_id, *map(list, zip(*keys, strict=True))])
    positions = _readers(lookup.model, lookup.columns, "postgres")
    for record in found:
        values = list(record)
        row = values[1:]
        for position, convert in positions:
            row[position] = convert(row[position])
        result[values[0]].append(tuple(row))
    return result


@lru_cache(maxsize=1024)
def _write_postgres(verb: str, shape: tuple[Any, ...], first: int) -> str:
    """Return a statement that takes its rows as arrays, from parameter `first` on."""
    model, by, columns, merge = shape
    table = f'"{table_name(model)}"'
    names = ", ".join(f'"{column}"' for column in columns)
    if verb == "update":
        changes = ", ".join(f'"{column}" = u."{column}"' for column in columns)
        keys = " and ".join(f't."{column}" = u."{column}"' for column in by)
        given = ", ".join(f'"{column}"' for column in (*by, *columns))
        return (
            f"update {table} t set {changes} "
            f"from unnest({_unnest(model, (*by, *columns), first)}) u({given}) "
            f"where t.program_id = $1 and {keys}"
        )
    insert = (
        f"insert into {table} (program_id, {names}) "
        f"select $1::uuid, u.* from unnest({_unnest(model, columns, first)}) u"
    )
    return insert + _conflict(by, merge) if verb == "upsert" else insert


def _conflict(by: tuple[str, ...], merge: tuple[tuple[str, str], ...]) -> str:
    keys = ", ".join(f'"{column}"' for column in by)
    changes = ", ".join(f'"{column}" = {expression}' for column, expression in merge)
    return f" on conflict (program_id, {keys}) do update set {changes}"


def _verb(write: Write) -> str:
    return type(write).__name__.lower()


def _shape(write: Write) -> tuple[Any, ...]:
    by = () if isinstance(write, Insert) else write.by
    merge = write.merge if isinstance(write, Upsert) else ()
    return write.model, by, write.columns, merge


def _given(write: Write) -> tuple[str, ...]:
    return (*write.by, *write.columns) if isinstance(write, Update) else write.columns


async def _store_postgres(current: Any, program_id: UUID, writes: list[Write]) -> None:
    parts: list[str] = []
    values: list[Any] = [program_id]
    for write in writes:
        sql = _write_postgres(_verb(write), _shape(write), len(values) + 1)
        parts.append(f"w{len(parts)} as ({sql})")
        rows = _converted(write.rows, _writers(write.model, _given(write), "postgres"))
        values.extend(map(list, zip(*rows, strict=True)))
    await current.execute_query(f"with {', '.join(parts)} select 1", values)


# --- SQLite


def _fetch_sqlite(
    raw: sqlite3.Connection, program_id: UUID, lookups: Sequence[Lookup]
) -> list[list[list[Row]]]:
    program = str(program_id)
    return [
        [_one_key(raw, program, lookup, key) for key in _sqlite_keys(lookup)] for lookup in lookups
    ]


def _sqlite_keys(lookup: Lookup) -> list[list[Any]]:
    return _converted(lookup.keys, _writers(lookup.model, lookup.by, "sqlite"))


@lru_cache(maxsize=1024)
def _lookup_sqlite(
    model: type[Model], by: tuple[str, ...], columns: tuple[str, ...], tail: str
) -> str:
    chosen = ", ".join(f'"{column}"' for column in columns)
    matches = " and ".join(f'"{column}" = ?' for column in by)
    return f'select {chosen} from "{table_name(model)}" where program_id = ? and {matches}{tail}'


def _one_key(raw: sqlite3.Connection, program: str, lookup: Lookup, key: list[Any]) -> list[Row]:
    query = _lookup_sqlite(lookup.model, lookup.by, lookup.columns, _tail(lookup, postgres=False))
    found = raw.execute(query, (program, *key)).fetchall()
    if not found:
        return []
    return [
        tuple(row) for row in _converted(found, _readers(lookup.model, lookup.columns, "sqlite"))
    ]


@lru_cache(maxsize=1024)
def _write_sqlite(verb: str, shape: tuple[Any, ...]) -> str:
    model, by, columns, merge = shape
    table = f'"{table_name(model)}"'
    if verb == "update":
        changes = ", ".join(f'"{column}" = ?{len(by) + n}' for n, column in enumerate(columns, 2))
        keys = " and ".join(f'"{column}" = ?{n}' for n, column in enumerate(by, 2))
        return f"update {table} set {changes} where program_id = ?1 and {keys}"
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * (len(columns) + 1))
    insert = f"insert into {table} (program_id, {names}) values ({marks})"
    return insert + _conflict(by, merge) if verb == "upsert" else insert


def _store_sqlite(raw: sqlite3.Connection, program_id: UUID, writes: list[Write]) -> None:
    program = str(program_id)
    for write in writes:
        rows = _converted(write.rows, _writers(write.model, _given(write), "sqlite"))
        raw.executemany(
            _write_sqlite(_verb(write), _shape(write)), [(program, *row) for row in rows]
        )
