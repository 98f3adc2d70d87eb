"""A short way from what a caller gave to our input types, worked out once for each type.

Strawberry works out the types of all fields of an input anew for each value: some fifty for a
purchase with three lines. Its hook `from_input` lets a type build its own values.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, NamedTuple, TypeAlias

from strawberry.schema.schema import Schema
from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    StrawberryType,
    get_object_definition,
)
from strawberry.types.field import StrawberryField

Read: TypeAlias = Callable[[Any, InputContext], Any]


class Part(NamedTuple):
    """A field of an input: its name, our attribute, and how its value is read; None: as it is."""

    name: str
    attribute: str
    read: Read | None


def shorten_inputs(schema: Schema) -> None:
    """Let each input type of a schema build its own values.

    Types in which null differs from nothing given (`Maybe`) are left to Strawberry, whose
    validation asks who builds them.
    """
    for known in schema.schema_converter.type_map.values():
        kind = known.definition
        if not isinstance(kind, StrawberryObjectDefinition) or not kind.is_input:
            continue
        if kind.from_input is None and not any(_is_maybe(one) for one in kind.fields):
            kind.from_input = _building(kind, schema)


def _is_maybe(field: StrawberryField) -> bool:
    return isinstance(field.type, StrawberryMaybe)


def _building(
    definition: StrawberryObjectDefinition, schema: Schema
) -> Callable[[type, Mapping[str, Any], InputContext], object]:
    name_of = schema.config.name_converter.from_field
    parts = [
        Part(
            name_of(field),
            field.python_name,
            _reading(field.resolve_type(type_definition=definition)),
        )
        for field in definition.fields
    ]
    absent = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def build(kind: type, given: Mapping[str, Any], context: InputContext) -> object:
        values: dict[str, Any] = {**absent}
        for name, attribute, read in parts:
            if name in given:
                value = given[name]
                values[attribute] = value if read is None else read(value, context)
        return kind(**values)

    return build


def _reading(kind: StrawberryType | type) -> Read | None:
    """Return how a value of this type is read; None for scalars and enums, which are ready."""
    if isinstance(kind, StrawberryOptional):
        return _reading(kind.of_type)
    if isinstance(kind, StrawberryList):
        return _reading_list(_reading(kind.of_type))
    definition = get_object_definition(kind)
    if definition is None:
        return None

    def read(value: Any, context: InputContext) -> Any:
        if value is None:
            return None
        if definition.from_input is None:
            return context.convert(value, kind)
        return definition.from_input(definition.origin, value, context)

    return read


def _reading_list(read: Read | None) -> Read:
    def read_each(value: Any, context: InputContext) -> Any:
        if value is None:
            return None
        # A copy: graphql-core gives the same default to every request.
        return list(value) if read is None else [read(one, context) for one in value]

    return read_each
