"""What a model says in its `Meta` about its table, beyond what Tortoise's fields can say.

`Meta.constraints` holds `PrimaryKey`, `Check`, `Unique`, `AppendOnly`, `Personal` and `FillFactor`,
`Meta.indexes` holds `Index`. Columns are named by their field or by their column, in SQL text by
their column. SQL text is the same on SQLite and PostgreSQL.
"""

from dataclasses import dataclass

from tortoise import indexes

FILL_FACTOR_MIN = 10
FILL_FACTOR_MAX = 100


@dataclass(frozen=True)
class PrimaryKey:
    """The key of the table, of several columns.

    Tortoise's own pk field stays the identity of the object in Python, but has neither a key nor an
    index of its own then; ask for one by `Unique` or `Index` where rows are looked up by it.
    """

    columns: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        assert columns, "a primary key needs columns"
        object.__setattr__(self, "columns", columns)


@dataclass(frozen=True)
class Check:
    """A condition that every row fulfils, in SQL that both databases understand."""

    sql: str
    name: str


@dataclass(frozen=True)
class Unique:
    """No two rows (of those `where` holds for) have the same values in these columns.

    Made as a unique index, so that it is one and the same thing with and without `where`.
    """

    columns: tuple[str, ...]
    name: str | None = None
    where: str | None = None

    def __init__(self, *columns: str, name: str | None = None, where: str | None = None) -> None:
        assert columns, "a unique constraint needs columns"
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "where", where)


class Index(indexes.Index):
    """An index over some columns, over the rows for which `where` holds.

    `include` names columns that are read from the index but not searched by (a covering index).
    SQLite has no such thing; there they are the last columns of the index.
    """

    def __init__(
        self,
        *columns: str,
        where: str | None = None,
        include: tuple[str, ...] = (),
        name: str | None = None,
    ) -> None:
        super().__init__(fields=columns, name=name)
        self.columns, self.where, self.include = columns, where, include


@dataclass(frozen=True)
class AppendOnly:
    """Rows are added, never changed: triggers refuse UPDATE, DELETE and PostgreSQL's TRUNCATE.

    One change is let through: emptying columns that the model calls `Personal`, all of them at once
    and nothing else. On SQLite, INSERT OR REPLACE removes a row without asking them, unless the
    connection has `PRAGMA recursive_triggers = ON`.
    """


@dataclass(frozen=True)
class Personal:
    """Columns that tell something of a person, and are emptied when the person is erased.

    Empty means NULL where the column may be that, otherwise a text, bytes or JSON object of no
    length. Where `rows` is true, the whole row tells of the person, and is removed. Whose the row
    is stands in the column `of`.
    """

    columns: tuple[str, ...]
    rows: bool = False
    of: str = "member_id"

    def __init__(self, *columns: str, rows: bool = False, of: str = "member_id") -> None:
        assert columns, "name what is personal"
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "of", of)


@dataclass(frozen=True)
class FillFactor:
    """How full PostgreSQL packs a page, in percent, so that updated rows stay on it."""

    percent: int

    def __post_init__(self) -> None:
        assert FILL_FACTOR_MIN <= self.percent <= FILL_FACTOR_MAX, "a fill factor is 10 to 100"


Constraint = PrimaryKey | Check | Unique | AppendOnly | Personal | FillFactor
