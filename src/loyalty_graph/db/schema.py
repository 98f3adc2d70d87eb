"""Tells from a model what its table looks like on each database, as plain data.

`ddl.py` writes such a description as SQL, `changes.py` compares two of them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast, get_args

from tortoise import Model
from tortoise.fields.base import Field
from tortoise.fields.relational import ForeignKeyFieldInstance

from loyalty_graph.db.constraints import (
    AppendOnly,
    Check,
    Constraint,
    FillFactor,
    Index,
    Personal,
    PrimaryKey,
    Unique,
)

Dialect = Literal["sqlite", "postgres"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
NAME_CHARACTERS_MAX = 63
"""PostgreSQL cuts longer names, silently."""

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Column:
    """One column; `default` is SQL, `generated` means that the database numbers the rows."""

    name: str
    type: str
    null: bool = False
    default: str | None = None
    generated: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """A column whose values exist in a column of another table."""

    name: str
    column: str
    table: str
    target: str
    on_delete: str


@dataclass(frozen=True)
class TableIndex:
    """An index of the catalogue; a `Unique` is one too."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Everything the catalogue of one database is to say about a table.

    `erasable` columns may be emptied, all of them at once, though the table is append-only.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[TableIndex, ...] = ()
    append_only: bool = False
    erasable: tuple[str, ...] = ()
    fill_factor: int | None = None


def describe_all(models: Iterable[type[Model]], dialect: Dialect) -> list[Table]:
    """Return the tables of initialised models, those referred to first, otherwise by name."""
    waiting = sorted((describe(model, dialect) for model in models), key=lambda table: table.name)
    ordered: list[Table] = []
    while waiting:
        unmade = {table.name for table in waiting}
        ready = [table for table in waiting if not _targets(table) & unmade]
        assert ready, f"foreign keys go round in a circle: {', '.join(sorted(unmade))}"
        ordered += ready
        waiting = [table for table in waiting if table not in ready]
    return ordered


def describe(model: type[Model], dialect: Dialect) -> Table:
    """Return the table of one initialised model on one database."""
    meta = model._meta
    assert not meta.m2m_fields, f"{model.__name__}: write the table between as a model of its own"
    constraints = cast("tuple[Constraint, ...]", tuple(meta.constraints))
    for constraint in constraints:
        assert isinstance(constraint, Constraint), f"{model.__name__}: {constraint!r} is not ours"
    keys = _of(PrimaryKey, constraints)
    return Table(
        name=meta.db_table,
        columns=tuple(
            _column(model, meta.fields_map[name], column, dialect)
            for name, column in meta.fields_db_projection.items()
        ),
        primary_key=_columns(model, keys[0].columns if keys else (meta.pk_attr,)),
        checks=tuple(_of(Check, constraints)),
        foreign_keys=tuple(_foreign_keys(model)),
        indexes=tuple(_indexes(model, constraints)),
        append_only=bool(_of(AppendOnly, constraints)),
        erasable=_erasable(model, constraints),
        fill_factor=next((factor.percent for factor in _of(FillFactor, constraints)), None),
    )


def _erasable(model: type[Model], constraints: Iterable[Constraint]) -> tuple[str, ...]:
    if not _of(AppendOnly, constraints):
        return ()
    return _columns(model, (name for one in _of(Personal, constraints) for name in one.columns))


def _targets(table: Table) -> set[str]:
    return {key.table for key in table.foreign_keys} - {table.name}


def _of(kind: type[Kind], constraints: Iterable[object]) -> list[Kind]:
    return [constraint for constraint in constraints if isinstance(constraint, kind)]


def _columns(model: type[Model], names: Iterable[str]) -> tuple[str, ...]:
    columns = model._meta.fields_db_projection
    found = tuple(_column_name(model, name) for name in names)
    unknown = set(found) - set(columns.values())
    assert not unknown, f"{model.__name__} has no column {', '.join(sorted(unknown))}"
    return found


def _column_name(model: type[Model], name: str) -> str:
    field = model._meta.fields_map.get(name)
    return field.source_field or name if field else name


def _column(model: type[Model], field: Field[Any], name: str, dialect: Dialect) -> Column:
    generated = field.pk and field.generated
    composite = bool(_of(PrimaryKey, model._meta.constraints))
    assert not (generated and composite), (
        f"{model.__name__}.{name}: a number made by the database cannot stand beside a PrimaryKey"
    )
    return Column(
        name=name,
        type=field.get_for_dialect(dialect, "SQL_TYPE"),
        null=field.null,
        default=_default(model, field, dialect),
        generated=generated,
    )


def _default(model: type[Model], field: Field[Any], dialect: Dialect) -> str | None:
    if not field.has_db_default():
        return None
    if hasattr(field.db_default, "get_sql"):
        return str(field.db_default.get_sql(dialect=dialect))
    value = field.to_db_value(field.db_default, model)
    if isinstance(value, bool):
        return str(value).upper() if dialect == "postgres" else str(int(value))
    if value is None or isinstance(value, int | float):
        return "NULL" if value is None else repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _foreign_keys(model: type[Model]) -> Iterable[ForeignKey]:
    meta = model._meta
    for column in meta.fields_db_projection:
        reference = meta.fields_map[column].reference
        if reference is None:
            continue
        key: ForeignKeyFieldInstance[Model] = cast("Any", reference)
        if key.db_constraint:
            target = key.to_field_instance
            yield ForeignKey(
                name=_name(meta.db_table, (column,), "fkey"),
                column=meta.fields_db_projection[column],
                table=key.related_model._meta.db_table,
                target=target.source_field or target.model_field_name,
                on_delete=str(key.on_delete),
            )


def _indexes(model: type[Model], constraints: Iterable[Constraint]) -> Iterable[TableIndex]:
    meta = model._meta
    wished: list[Index | Unique] = []
    for name, field in meta.fields_map.items():
        if name in meta.fields_db_projection and not field.pk:
            wished += [Unique(name)] if field.unique else [Index(name)] if field.index else []
    wished += [Unique(*names) for names in meta.unique_together]
    wished += _of(Unique, constraints)
    for index in meta.indexes:
        assert isinstance(index, Index), f"{model.__name__}: {index!r} is not an Index of ours"
        wished.append(index)
    made = [_table_index(model, wish) for wish in wished]
    names = [index.name for index in made]
    assert len(names) == len(set(names)), f"{model.__name__}: indexes of one name {sorted(names)}"
    return made


def _table_index(model: type[Model], wish: Index | Unique) -> TableIndex:
    columns = _columns(model, wish.columns)
    unique = isinstance(wish, Unique)
    return TableIndex(
        name=wish.name or _name(model._meta.db_table, columns, "key" if unique else "idx"),
        columns=columns,
        unique=unique,
        where=wish.where,
        include=() if isinstance(wish, Unique) else _columns(model, wish.include),
    )


def _name(table: str, columns: Iterable[str], kind: str) -> str:
    name = "_".join([table, *columns, kind])
    if len(name) <= NAME_CHARACTERS_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: NAME_CHARACTERS_MAX - len(digest) - len(kind) - 2]}_{digest}_{kind}"
