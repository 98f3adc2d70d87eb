"""Works out the SQL that leads from one description of the tables to another.

SQLite makes a table anew for whatever touches its columns, key, checks or foreign keys: one way for
all such changes, whose outcome is by construction the table that a fresh database has. It relies on
foreign keys being off, as `connections.py` has them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from loyalty_graph.db import ddl
from loyalty_graph.db.schema import Column, Dialect, Table, TableIndex


def changes(old: Sequence[Table], new: Sequence[Table], dialect: Dialect) -> list[str]:
    """Return the statements that turn `old` into `new` (in order of reference), keeping rows."""
    before = {table.name: table for table in old}
    after = {table.name for table in new}
    statements: list[str] = []
    for table in new:
        if table.name not in before:
            statements += ddl.create_table(table, dialect)
        elif not same(before[table.name], table):
            alter = _remake_or_patch if dialect == "sqlite" else _alter
            statements += alter(before[table.name], table)
    # Last, when nothing that stays refers to them any more.
    gone = [table.name for table in reversed(old) if table.name not in after]
    return [*statements, *(f'DROP TABLE "{name}"' for name in gone)]


def same(old: Table, new: Table) -> bool:
    """Tell whether two descriptions mean the same table, in whatever order its parts are."""
    return _sorted(old) == _sorted(new)


def expands(old: Sequence[Table], new: Sequence[Table]) -> bool:
    """Tell whether code that knows the old tables only can go on with the new ones.

    It minds neither new tables, nor new columns that it may leave out, nor indexes; it does mind
    what refuses its rows, and what it cannot find any more.
    """
    after = {table.name: table for table in new}
    return all(table.name in after and _expands_table(table, after[table.name]) for table in old)


def _expands_table(old: Table, new: Table) -> bool:
    known = {column.name for column in old.columns}
    kept = replace(
        new,
        columns=tuple(column for column in new.columns if column.name in known),
        indexes=_unique(new),
        fill_factor=old.fill_factor,
    )
    added = [column for column in new.columns if column.name not in known]
    return same(replace(old, indexes=_unique(old)), kept) and all(
        column.null or column.default is not None for column in added
    )


def _unique(table: Table) -> tuple[TableIndex, ...]:
    return tuple(index for index in table.indexes if index.unique)


def losses(old: Sequence[Table], new: Sequence[Table]) -> list[str]:
    """Name the tables (`member`) and columns (`member.email`) whose contents would be lost."""
    after = {table.name: {column.name for column in table.columns} for table in new}
    lost = [table.name for table in old if table.name not in after]
    for table in old:
        names = [column.name for column in table.columns]
        lost += [
            f"{table.name}.{name}" for name in names if name not in after.get(table.name, names)
        ]
    return lost


def unfillable(old: Sequence[Table], new: Sequence[Table]) -> list[str]:
    """Name the columns that existing rows must fill, with no default in the database."""
    before = {table.name: {column.name: column for column in table.columns} for table in old}
    return [
        f"{table.name}.{column.name}"
        for table in new
        if table.name in before
        for column in table.columns
        if not column.null and column.default is None
        if (was := before[table.name].get(column.name)) is None or was.null
    ]


def _sorted(table: Table) -> Table:
    return replace(
        table,
        columns=tuple(sorted(table.columns, key=lambda column: column.name)),
        checks=tuple(sorted(table.checks, key=lambda check: check.name)),
        foreign_keys=tuple(sorted(table.foreign_keys, key=lambda key: key.name)),
        indexes=tuple(sorted(table.indexes, key=lambda index: index.name)),
    )


def _remake_or_patch(old: Table, new: Table) -> list[str]:
    """SQLite: a new table under the same name, or only other indexes and triggers."""
    patched = replace(
        old,
        indexes=new.indexes,
        append_only=new.append_only,
        erasable=new.erasable,
        fill_factor=new.fill_factor,
    )
    if not same(patched, new):
        return _remake(old, new)
    drop, create = _index_changes(old, new, "sqlite")
    return [*drop, *create, *_trigger_changes(old, new, "sqlite")]


def _remake(old: Table, new: Table) -> list[str]:
    made = f"new__{new.name}"
    was = {column.name: column for column in old.columns}
    kept = [column for column in new.columns if column.name in was]
    values = ", ".join(_kept_value(was[column.name], column) for column in kept)
    names = ddl.quoted(column.name for column in kept)
    _bare, *rest = ddl.create_table(new, "sqlite")
    numbered = any(column.generated for column in new.columns)
    return [
        ddl.create_bare_table(new, "sqlite", name=made),
        f'INSERT INTO "{made}" ({names})\nSELECT {values} FROM "{old.name}"',
        *(_keep_numbering(old.name, made) if numbered else []),
        f'DROP TABLE "{old.name}"',
        f'ALTER TABLE "{made}" RENAME TO "{new.name}"',
        *rest,
    ]


def _keep_numbering(old: str, made: str) -> list[str]:
    """Let the new table go on after the highest number ever given, though that row may be gone."""
    kept = f"SELECT '{made}', seq FROM sqlite_sequence WHERE name = '{old}'"  # noqa: S608 - our own
    return [
        f"DELETE FROM sqlite_sequence WHERE name = '{made}'",  # noqa: S608 - our own names
        f"INSERT INTO sqlite_sequence (name, seq) {kept}",
    ]


def _kept_value(old: Column, new: Column) -> str:
    """The old value, or the default where a row has none and now must."""
    return f'COALESCE("{new.name}", {new.default})' if _defaulted(old, new) else f'"{new.name}"'


def _defaulted(old: Column, new: Column) -> bool:
    """Tell whether empty rows get the default; without one a backfill has filled them before."""
    return old.null and not new.null and new.default is not None


def _alter(old: Table, new: Table) -> list[str]:
    """PostgreSQL: what is unwanted goes, then the columns change, then what is new comes."""
    drop_indexes, create_indexes = _index_changes(old, new, "postgres")
    drop, add = _clause_changes(old, new)
    clauses = [*drop, *_column_changes(old, new), *add]
    if new.fill_factor != old.fill_factor:
        factor = new.fill_factor
        clauses.append(f"SET (fillfactor = {factor})" if factor else "RESET (fillfactor)")
    altered = f'ALTER TABLE "{new.name}"\n    ' + ",\n    ".join(clauses)
    return [
        *drop_indexes,
        *([altered] if clauses else []),
        *create_indexes,
        *_trigger_changes(old, new, "postgres"),
    ]


def _clause_changes(old: Table, new: Table) -> tuple[list[str], list[str]]:
    was, wanted = _clauses(old), _clauses(new)
    drop = [f'DROP CONSTRAINT "{name}"' for name in was if wanted.get(name) != was[name]]
    add = [f"ADD {clause}" for name, clause in wanted.items() if was.get(name) != clause]
    return drop, add


def _clauses(table: Table) -> dict[str, str]:
    return {
        f"{table.name}_pkey": ddl.primary_key(table),
        **{check.name: ddl.check(check.name, check.sql) for check in table.checks},
        **{key.name: ddl.foreign_key(key) for key in table.foreign_keys},
    }


def _column_changes(old: Table, new: Table) -> Iterable[str]:
    was = {column.name: column for column in old.columns}
    wanted = {column.name for column in new.columns}
    yield from (f'DROP COLUMN "{name}"' for name in was if name not in wanted)
    for column in new.columns:
        if column.name not in was:
            yield f"ADD COLUMN {ddl.column_definition(column, 'postgres')}"
        else:
            yield from _one_column_changes(was[column.name], column)


def _one_column_changes(old: Column, new: Column) -> Iterable[str]:
    assert old.generated == new.generated, f"{new.name}: write by hand who numbers the rows now"
    alter = f'ALTER COLUMN "{new.name}"'
    filled = _defaulted(old, new)
    retyped = new.type != old.type or filled
    # A default that stays while the type changes would get a cast that a fresh table has not.
    defaulted = new.default != old.default or retyped
    if old.default is not None and defaulted:
        yield f"{alter} DROP DEFAULT"
    if retyped:
        # USING fills empty rows without an UPDATE, which an append-only table would refuse. It has
        # no cast: an explicit one would cut off what is too long for the new type, silently.
        using = f" USING {_kept_value(old, new)}" if filled else ""
        yield f"{alter} TYPE {new.type}{using}"
    if new.default is not None and defaulted:
        yield f"{alter} SET DEFAULT {new.default}"
    if new.null != old.null:
        yield f"{alter} {'DROP' if new.null else 'SET'} NOT NULL"


def _index_changes(old: Table, new: Table, dialect: Dialect) -> tuple[list[str], list[str]]:
    drop = [f'DROP INDEX "{index.name}"' for index in old.indexes if index not in new.indexes]
    create = [
        ddl.create_index(new, index, dialect) for index in new.indexes if index not in old.indexes
    ]
    return drop, create


def _trigger_changes(old: Table, new: Table, dialect: Dialect) -> list[str]:
    if (old.append_only, old.erasable) == (new.append_only, new.erasable):
        return []
    return [
        *(ddl.drop_triggers(old, dialect) if old.append_only else []),
        *(ddl.create_triggers(new, dialect) if new.append_only else []),
    ]
