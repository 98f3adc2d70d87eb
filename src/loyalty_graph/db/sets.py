"""Set-based reads and writes for the hot paths: many rows, few statements, on both databases.

A package describes what it needs as values (`Lookup`, `Insert`, `Update`, `Upsert` over its own
models); `fetch` and `store` run them on the current connection. PostgreSQL takes columns as arrays:
one statement for look-ups, one statement for everything written. SQLite takes rows: one hop to
the writer's thread for all look-ups, one for all writes.

Every table's key begins with `program_id`, which is given once.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.db import set_postgres, set_sqlite
from loyalty_graph.db.columns import Row
from loyalty_graph.db.set_values import (
    Insert,
    Lookup,
    Update,
    Upsert,
    Write,
    keys_below,
    table_name,
    together,
)
from loyalty_graph.db.transactions import connection

__all__ = [
    "Insert",
    "Lookup",
    "Row",
    "Update",
    "Upsert",
    "Write",
    "fetch",
    "fetch_unique",
    "keys_below",
    "store",
    "table_name",
    "together",
]


async def fetch(program_id: UUID, *lookups: Lookup) -> list[list[list[Row]]]:
    """Return, for each look-up and each of its keys, the rows found as tuples of Python values.

    What is looked up after one that locks is read once the locks are held.
    """
    current: Any = connection()
    if current.capabilities.dialect == "postgres":
        return await set_postgres.fetch(current, program_id, lookups)
    found: list[list[list[Row]]] = await current.run(
        lambda raw: set_sqlite.fetch(raw, program_id, lookups)
    )
    return found


async def fetch_unique(
    model: type[Model], column: str, values: Sequence[UUID | str], columns: tuple[str, ...]
) -> list[Row | None]:
    """Return the row of each value, or None; such a value is unique in all programmes together.

    No value is given twice.
    """
    current: Any = connection()
    if current.capabilities.dialect == "postgres":
        return await set_postgres.fetch_unique(current, model, column, values, columns)
    found: list[Row | None] = await current.run(
        lambda raw: set_sqlite.fetch_unique(raw, model, column, values, columns)
    )
    return found


async def store(program_id: UUID, writes: Iterable[Write]) -> None:
    """Write all rows in the current transaction; no row may be written twice in one call."""
    current: Any = connection()
    wanted = [write for write in writes if write.rows]
    if not wanted:
        return
    _assert_each_row_changes_once(wanted)
    if current.capabilities.dialect == "postgres":
        await set_postgres.store(current, program_id, wanted)
    else:
        await current.run(lambda raw: set_sqlite.store(raw, program_id, wanted))


def _assert_each_row_changes_once(writes: Iterable[Write]) -> None:
    """Find what PostgreSQL would lose: of two updates of a row in one statement it makes one."""
    changed: dict[tuple[type[Model], tuple[str, ...]], set[Row]] = {}
    for write in writes:
        if isinstance(write, Update):
            rows = changed.setdefault((write.model, write.by), set())
            total = len(rows) + len(write.rows)
            rows.update(row[: len(write.by)] for row in write.rows)
            assert len(rows) == total, f"a row of {table_name(write.model)} is updated twice"
