"""What the hot paths read and write in sets, as values: which rows of which models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.db.columns import Row

SEQUENCE_MAX = 2**31 - 1
"""What columns that count hold at most."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """For each key the rows of a table that have it, in the order asked for, at most `limit`.

    `lock` keeps the found rows from being changed by others until the transaction ends; keys must
    be given sorted, so that two transactions never wait for each other. With `below`, each key
    ends with a bound, and only rows whose column of this name is lower are found.
    """

    model: type[Model]
    by: tuple[str, ...]
    keys: Sequence[Row]
    columns: tuple[str, ...]
    where: str = ""
    order_by: str = ""
    limit: int | None = None
    lock: bool = False
    below: str | None = None

    @property
    def keyed(self) -> tuple[str, ...]:
        """Return the columns that keys are of."""
        return self.by if self.below is None else (*self.by, self.below)


@dataclass(frozen=True, slots=True)
class Insert:
    """New rows; `columns` leaves out `program_id`."""

    model: type[Model]
    columns: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Update:
    """New values for existing rows; each row holds the columns `by`, then those of `columns`.

    The rows, or the account they belong to, were locked in this transaction.
    """

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


def together(writes: Iterable[Write]) -> list[Write]:
    """Return writes with the rows of all that are alike: each is a part of a statement.

    A statement with hundreds of parts takes PostgreSQL longer to plan than to run.
    """
    alike: dict[tuple[Any, ...], list[Write]] = {}
    for write in writes:
        alike.setdefault((type(write), *shape(write)), []).append(write)
    return [
        replace(some[0], rows=[row for write in some for row in write.rows])
        for some in alike.values()
    ]


def keys_below(ids: Sequence[UUID], bound: UUID | int | None) -> list[Row]:
    """Return the keys of a look-up of these ids below a bound, or of all they have.

    A forged cursor may hold a number that the columns cannot; below the largest they can lies all
    the same.
    """
    most = min(bound, SEQUENCE_MAX) if isinstance(bound, int) else bound
    return [(one,) if most is None else (one, most) for one in ids]


def table_name(model: type[Model]) -> str:
    """Return the name of a model's table."""
    return model._meta.db_table


def tail(lookup: Lookup) -> str:
    """Return what follows the keys of a look-up in its WHERE; both databases say it alike."""
    condition = f" and {lookup.where}" if lookup.where else ""
    order = f" order by {lookup.order_by}" if lookup.order_by else ""
    return condition + order + (f" limit {lookup.limit}" if lookup.limit else "")


def verb(write: Write) -> str:
    """Return `insert`, `update` or `upsert`."""
    return type(write).__name__.lower()


def shape(write: Write) -> tuple[Any, ...]:
    """Return what tells one statement from another, whatever rows it is given."""
    by = () if isinstance(write, Insert) else write.by
    merge = write.merge if isinstance(write, Upsert) else ()
    return write.model, by, write.columns, merge


def given(write: Write) -> tuple[str, ...]:
    """Return the columns that each row of a write holds."""
    return (*write.by, *write.columns) if isinstance(write, Update) else write.columns


def conflict(by: tuple[str, ...], merge: tuple[tuple[str, str], ...]) -> str:
    """Return the end of an upsert; both databases say it alike."""
    keys = ", ".join(f'"{column}"' for column in by)
    changes = ", ".join(f'"{column}" = {expression}' for column, expression in merge)
    return f" on conflict (program_id, {keys}) do update set {changes}"
