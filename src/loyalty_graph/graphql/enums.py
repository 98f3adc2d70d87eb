"""Our enums in the schema, every value described."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

Choice = TypeVar("Choice", bound=StrEnum)


def describe_enum(
    enum: type[Choice],
    description: str,
    values: Mapping[Choice, str],
    *,
    name: str | None = None,
) -> None:
    """Put an enum of the domain into the schema; `values` describes each of its values."""
    assert set(values) == set(enum), "every value is described"
    shown = strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = shown.__strawberry_definition__  # type: ignore[attr-defined] # Strawberry adds it
    for value in definition.values:
        value.description = values[enum(value.value)]
