"""How values of a model's columns travel to the database and back, whole columns at a time."""

from collections.abc import Callable, Iterable, Sequence
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

Row = tuple[Any, ...]
Converter = Callable[[Any], Any]
Positions = tuple[tuple[int, Converter], ...]
"""Which columns must be converted, and how."""


def _field(model: type[Model], column: str) -> Field[Any]:
    return model._meta.fields_map[column]


@lru_cache(maxsize=1024)
def postgres_types(model: type[Model], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types of these columns in PostgreSQL."""
    types = (_field(model, column).get_for_dialect("postgres", "SQL_TYPE") for column in columns)
    return tuple("text" if kind.startswith("VARCHAR") else kind.lower() for kind in types)


def _to_json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


@lru_cache(maxsize=1024)
def _to_text(value: UUID | None) -> str | None:
    # A batch says the same member and purchase in many rows.
    return None if value is None else str(value)


def to_utc(value: datetime | None) -> str | None:
    """Return a moment as SQLite keeps it: text that sorts by time."""
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


def _from_bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


@lru_cache(maxsize=1024)
def writers(model: type[Model], columns: tuple[str, ...], dialect: str) -> Positions:
    """Return how these columns are converted before they are written."""
    kinds: dict[type[Field[Any]], Converter] = {JSONField: _to_json}
    if dialect == "sqlite":
        kinds |= {UUIDField: _to_text, DatetimeField: to_utc, DateField: _to_day}
    return _positions(model, columns, kinds)


@lru_cache(maxsize=1024)
def readers(model: type[Model], columns: tuple[str, ...], dialect: str) -> Positions:
    """Return how these columns are converted after they were read."""
    kinds: dict[type[Field[Any]], Converter] = {JSONField: _from_json}
    if dialect == "sqlite":
        kinds |= {UUIDField: _from_text, DatetimeField: _from_utc}
        kinds |= {DateField: _from_day, BooleanField: _from_number}
    else:
        kinds |= {BinaryField: _from_bytes}
    return _positions(model, columns, kinds)


def _positions(
    model: type[Model], columns: tuple[str, ...], kinds: dict[type[Field[Any]], Converter]
) -> Positions:
    return tuple(
        (position, convert)
        for position, column in enumerate(columns)
        for kind, convert in kinds.items()
        if isinstance(_field(model, column), kind)
    )


def converted(rows: Iterable[Row], positions: Positions) -> list[tuple[Any, ...]]:
    """Return the columns of these rows, converted; none when there are no rows."""
    columns = list(zip(*rows, strict=True))
    for position, convert in positions if columns else ():
        columns[position] = tuple(map(convert, columns[position]))
    return columns


def converted_rows(rows: Sequence[Row], positions: Positions) -> list[Row]:
    """Return these rows as tuples, converted."""
    if not positions or not rows:
        return [tuple(row) for row in rows]
    return list(zip(*converted(rows, positions), strict=True))
