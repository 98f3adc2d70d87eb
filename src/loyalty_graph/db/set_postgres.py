"""Sets on PostgreSQL: columns as arrays, one statement for look-ups, one for all writes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.db.array_codecs import coders
from loyalty_graph.db.columns import (
    Positions,
    Row,
    converted,
    converted_rows,
    postgres_types,
    readers,
    writers,
)
from loyalty_graph.db.pipelining import Coder, Statement
from loyalty_graph.db.postgres import PostgresTransaction
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


def _given_rows(model: type[Model], columns: tuple[str, ...], first: int, *, single: bool) -> str:
    """Return a table of the rows handed in as parameters, from number `first` on.

    A single row comes as plain values: that costs both sides less than arrays of one.
    """
    marks = [f"${first + n}::{kind}" for n, kind in enumerate(postgres_types(model, columns))]
    if single:
        return f"(values ({', '.join(marks)}))"
    return f"unnest({', '.join(f'{mark}[]' for mark in marks)})"


def _parameters(rows: Sequence[Row], positions: Positions) -> list[Any]:
    columns = converted(rows, positions)
    return [column[0] for column in columns] if len(rows) == 1 else columns


@lru_cache(maxsize=1024)
def _lookup_sql(  # noqa: PLR0913, PLR0917 - what tells one statement from another
    model: type[Model],
    by: tuple[str, ...],
    below: str | None,
    columns: tuple[str, ...],
    ending: str,
    place: int,
    first: int,
    single: bool,  # noqa: FBT001 - lru_cache is quicker without keywords
) -> str:
    # LATERAL pins index look-ups: a plain join was planned as a scan while the table was still
    # empty, and asyncpg keeps that plan.
    matches = " and ".join(f't."{column}" = k."{column}"' for column in by)
    keyed = by
    if below is not None:
        matches, keyed = f'{matches} and t."{below}" < k."{below}"', (*by, below)
    chosen = ", ".join(f't."{column}"' for column in columns)
    keys = ", ".join(f'"{column}"' for column in keyed)
    rows = _given_rows(model, keyed, first, single=single)
    numbered = f"(select *, 1 from {rows} v)" if single else f"{rows} with ordinality"
    return (
        f"select {place}, k.n::int, r.found from {numbered} k({keys}, n) "
        f'cross join lateral (select row({chosen}) as found from "{table_name(model)}" t '
        f"where t.program_id = $1 and {matches}{ending}) r"
    )


def _tail(lookup: Lookup) -> str:
    # OFFSET 0 is a fence: without one the planner turns the LATERAL back into a plain join.
    fence = "" if lookup.limit else " offset 0"
    lock = " for no key update" if lookup.lock else ""
    return tail(lookup) + fence + lock


async def fetch(current: Any, program_id: UUID, lookups: Sequence[Lookup]) -> list[list[list[Row]]]:
    """Run look-ups on a connection; see `sets.fetch`."""
    if lookups and await _lock(current, program_id, lookups[0]):
        lookups = [replace(lookups[0], lock=False), *lookups[1:]]
    result: list[list[list[Row]]] = [[[] for _ in lookup.keys] for lookup in lookups]
    read = current.read if isinstance(current, PostgresTransaction) else current.execute_query
    for places in _statements(lookups):
        parts: list[str] = []
        values: list[Any] = [program_id]
        for place in places:
            lookup = lookups[place]
            parts.append(lookup_sql(lookup, place, len(values) + 1))
            values += _parameters(lookup.keys, writers(lookup.model, lookup.keyed, "postgres"))
        _, found = await read(" union all ".join(parts), values)
        for place, number, row in found:
            result[place][number - 1].append(row)
    for lookup, of_keys in zip(lookups, result, strict=True):
        if positions := readers(lookup.model, lookup.columns, "postgres"):
            of_keys[:] = [converted_rows(rows, positions) for rows in of_keys]
    return result


async def _lock(current: Any, program_id: UUID, lookup: Lookup) -> bool:
    """Let the rows of a first look-up that locks be locked before the next statement, if by ids.

    That takes no message of its own: they are read afterwards, together with everything else.
    """
    is_by_id = postgres_types(lookup.model, lookup.keyed) == ("uuid",)
    is_of_all = not (lookup.where or lookup.limit)
    if not (lookup.lock and lookup.keys and is_by_id and is_of_all):
        return False
    if not isinstance(current, PostgresTransaction):
        return False
    single = len(lookup.keys) == 1
    ids = [key for (key,) in lookup.keys]
    await current.put_before(
        Statement(
            lock_sql(lookup.model, *lookup.by, single=single),
            [program_id, ids[0] if single else ids],
            (*coders(("uuid",), single=True), *coders(("uuid",), single=single)),
        )
    )
    return True


@lru_cache
def lock_sql(model: type[Model], column: str, *, single: bool) -> str:
    """Return the statement that locks the rows with given ids, in the order of these.

    It returns none: a volatile condition is asked of each row, once it is locked.
    """
    # As in a look-up. Of one id out of many the server would make a plan each time.
    keys = "(values ($2::uuid))" if single else "unnest($2::uuid[])"
    return (
        f'select 1 from {keys} k("{column}") '
        f'cross join lateral (select 1 from "{table_name(model)}" t where t.program_id = $1::uuid '
        f'and t."{column}" = k."{column}" offset 0 for no key update) r '
        "where clock_timestamp() is null"
    )


async def fetch_unique(
    current: Any,
    model: type[Model],
    column: str,
    values: Sequence[UUID | str],
    columns: tuple[str, ...],
) -> list[Row | None]:
    """Find rows on a connection; see `sets.fetch_unique`."""
    result: list[Row | None] = [None] * len(values)
    _, found = await current.execute_query(uniques_sql(model, column, columns), [list(values)])
    rows = converted_rows([row[1:] for row in found], readers(model, columns, "postgres"))
    for (number, *_), row in zip(found, rows, strict=True):
        result[number - 1] = row
    return result


@lru_cache(maxsize=64)
def uniques_sql(model: type[Model], column: str, columns: tuple[str, ...]) -> str:
    """Return the statement that finds the rows of values that are unique in all programmes."""
    # As in a look-up.
    [kind] = postgres_types(model, (column,))
    chosen = ", ".join(f't."{one}"' for one in columns)
    return (
        f"select k.n::int, {chosen} from unnest($1::{kind}[]) with ordinality k(v, n) "
        f'cross join lateral (select * from "{table_name(model)}" t '
        f'where t."{column}" = k.v offset 0) t'
    )


def _statements(lookups: Sequence[Lookup]) -> list[list[int]]:
    """Return which look-ups go together: a locking one alone, so that the next ones see more."""
    together: list[list[int]] = []
    joins = False
    for place, lookup in enumerate(lookups):
        if not lookup.keys:
            continue
        if joins and not lookup.lock:
            together[-1].append(place)
        else:
            together.append([place])
        joins = not lookup.lock
    return together


def lookup_sql(lookup: Lookup, place: int, first: int) -> str:
    """Return the statement of a look-up; its rows tell `place`, its keys begin at `first`."""
    single = len(lookup.keys) == 1
    ending = _tail(lookup)
    return _lookup_sql(
        lookup.model, lookup.by, lookup.below, lookup.columns, ending, place, first, single
    )


@lru_cache(maxsize=1024)
def write_sql(
    kind: str,
    of: tuple[Any, ...],
    first: int,
    single: bool,  # noqa: FBT001 - lru_cache is quicker without keywords
) -> str:
    """Return a statement that takes its rows as parameters, from number `first` on."""
    model, by, columns, merge = of
    table = f'"{table_name(model)}"'
    names = ", ".join(f'"{column}"' for column in columns)
    if kind == "update":
        changes = ", ".join(f'"{column}" = u."{column}"' for column in columns)
        keys = " and ".join(f'o."{column}" = u."{column}"' for column in by)
        names = ", ".join(f'"{column}"' for column in (*by, *columns))
        # As in a look-up; joined plainly, every account of the programme was read for each batch.
        return (
            f"update {table} t set {changes} "
            f"from {_given_rows(model, (*by, *columns), first, single=single)} u({names}) "
            f"cross join lateral (select o.tableoid, o.ctid from {table} o "
            f"where o.program_id = $1 and {keys} offset 0) old"
            # A row's place is its own only within its table, which may be a part of another.
            " where t.ctid = old.ctid and t.tableoid = old.tableoid"
        )
    insert = (
        f"insert into {table} (program_id, {names}) "
        f"select $1::uuid, u.* from {_given_rows(model, columns, first, single=single)} u"
    )
    return insert + conflict(by, merge) if kind == "upsert" else insert


async def store(current: Any, program_id: UUID, writes: Sequence[Write]) -> None:
    """Write rows on a connection; see `sets.store`."""
    shapes = tuple([(verb(write), *shape(write), len(write.rows) == 1) for write in writes])
    text, kinds = _store_sql(shapes)
    values: list[Any] = [program_id]
    for write in writes:
        values += _parameters(write.rows, writers(write.model, given(write), "postgres"))
    if isinstance(current, PostgresTransaction):
        await current.put_off(Statement(text, values, kinds))
    else:
        await current.execute_query(text, values)


@lru_cache(maxsize=1024)
def _store_sql(shapes: tuple[Any, ...]) -> tuple[str, tuple[Coder, ...]]:
    """Return the statement that writes rows of these shapes, and how its parameters are sent."""
    parts: list[str] = []
    kinds = coders(("uuid",), single=True)
    for kind, model, by, columns, merge, single in shapes:
        parts.append(write_sql(kind, (model, by, columns, merge), len(kinds) + 1, single))
        rows = (*by, *columns) if kind == "update" else columns
        kinds += coders(postgres_types(model, rows), single=single)
    *before, last = parts
    named = ", ".join(f"w{place} as ({part})" for place, part in enumerate(before))
    return (f"with {named} {last}" if before else last), kinds
