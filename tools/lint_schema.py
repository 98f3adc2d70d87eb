"""Holds the schema to the rules of the house: each rule finds the places that break it."""

import re
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumValue,
    GraphQLError,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from loyalty_graph.graphql.schema import SCHEMA

PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
CAMEL = re.compile(r"[a-z][A-Za-z0-9]*")
UPPER = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
INSTANTS = {"asOf", "at", "since", "until"}
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}
Part = GraphQLField | GraphQLInputField | GraphQLArgument | GraphQLEnumValue
Typed = GraphQLField | GraphQLInputField | GraphQLArgument


class Place(NamedTuple):
    """A part of a type: a field, an argument or a value of an enum."""

    where: str
    name: str
    part: Part


def own_types(schema: GraphQLSchema) -> list[GraphQLNamedType]:
    """Return the types that are ours, not GraphQL's."""
    kinds = schema.type_map.values()
    return [kind for kind in kinds if kind.name not in BUILT_IN and kind.name[:2] != "__"]


def places(schema: GraphQLSchema) -> Iterator[Place]:
    """Yield every field, argument and enum value."""
    for kind in own_types(schema):
        parts: dict[str, Part] = getattr(kind, "fields", {}) or getattr(kind, "values", {})
        for name, part in parts.items():
            yield Place(f"{kind.name}.{name}", name, part)
            for argument, given in getattr(part, "args", {}).items():
                yield Place(f"{kind.name}.{name}({argument})", argument, given)


def typed(schema: GraphQLSchema) -> Iterator[tuple[Place, Typed]]:
    """Yield every part that has a type."""
    for place in places(schema):
        if not isinstance(place.part, GraphQLEnumValue):
            yield place, place.part


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    """Everything is described, in sentences."""
    for kind in own_types(schema):
        if not ends_well(kind.description):
            yield f"{kind.name}: needs a description that ends with a full stop"
    for place in places(schema):
        if not ends_well(place.part.description):
            yield f"{place.where}: needs a description that ends with a full stop"


def ends_well(description: str | None) -> bool:
    """Say whether a description is a sentence, or ends with an example."""
    return bool(description) and (description or "").rstrip(" `")[-1] in ".?!)"


def misnamed(schema: GraphQLSchema) -> Iterator[str]:
    """Types are PascalCase, fields and arguments camelCase, values of enums UPPER_CASE."""
    for kind in own_types(schema):
        if not PASCAL.fullmatch(kind.name):
            yield f"{kind.name}: is not PascalCase"
        if isinstance(kind, GraphQLInputObjectType) and not kind.name.endswith(("Input", "Ref")):
            yield f"{kind.name}: an input's name ends with Input or Ref"
    for place in places(schema):
        shape, name = (
            (UPPER, "UPPER_CASE")
            if isinstance(place.part, GraphQLEnumValue)
            else (CAMEL, "camelCase")
        )
        if not shape.fullmatch(place.name):
            yield f"{place.where}: is not {name}"


def loose_mutations(schema: GraphQLSchema) -> Iterator[str]:
    """A mutation takes one input of its own name, and may be null; its payload tells refusals."""
    for name, field in schema.mutation_type.fields.items() if schema.mutation_type else ():
        kind = name[0].upper() + name[1:]
        if {one: str(given.type) for one, given in field.args.items()} != {
            "input": f"{kind}Input!"
        }:
            yield f"Mutation.{name}: takes one argument, input: {kind}Input!"
        if str(field.type) != f"{kind}Payload":
            yield f"Mutation.{name}: answers with {kind}Payload, which may be null"
        payload = get_named_type(field.type)
        errors = getattr(payload, "fields", {}).get("userErrors")
        if errors is None or str(errors.type) != "[UserError!]!":
            yield f"{payload.name}: has userErrors: [UserError!]!"


def unkept_keys(schema: GraphQLSchema) -> Iterator[str]:
    """Whoever takes an idempotency key says whether the answer is a replay, and nobody else."""
    for name, field in schema.mutation_type.fields.items() if schema.mutation_type else ():
        given = field.args.get("input")
        wanted = getattr(get_named_type(given.type), "fields", {}) if given else {}
        told = getattr(get_named_type(field.type), "fields", {})
        if ("idempotencyKey" in wanted) != ("replayed" in told):
            yield f"Mutation.{name}: idempotencyKey and replayed belong together"


def loose_lists(schema: GraphQLSchema) -> Iterator[str]:
    """No list holds nulls, and no list that is answered is null."""
    for place, part in typed(schema):
        inner = part.type.of_type if is_non_null_type(part.type) else part.type
        if not is_list_type(inner):
            continue
        if not is_non_null_type(inner.of_type):
            yield f"{place.where}: its items are never null"
        if isinstance(part, GraphQLField) and not is_non_null_type(part.type):
            yield f"{place.where}: an empty list says that there are none"


def misnamed_kinds(schema: GraphQLSchema) -> Iterator[str]:
    """What a name says is what a type is: instants end in At, ids are named id, nothing floats."""
    for place, part in typed(schema):
        kind = get_named_type(part.type).name
        ends_in_at = place.name.endswith("At") or place.name in INSTANTS
        if (kind == "DateTime") != ends_in_at:
            yield f"{place.where}: an instant's name ends in At, and no other"
        if kind == "ID" and not (place.name == "id" or place.name.endswith("Id")):
            yield f"{place.where}: an id's name ends in Id"
        if kind == "Float":
            yield f"{place.where}: a float is never exact; use Decimal or a scalar of its own"


def unpaged(schema: GraphQLSchema) -> Iterator[str]:
    """Every connection is paged by first and after."""
    for place, part in typed(schema):
        kind = get_named_type(part.type).name
        if (
            kind.endswith("Connection")
            and not {"first", "after"} <= getattr(part, "args", {}).keys()
        ):
            yield f"{place.where}: a connection takes first and after"


def silent_deprecations(schema: GraphQLSchema) -> Iterator[str]:
    """What is deprecated says what to use instead."""
    for place in places(schema):
        if place.part.deprecation_reason in ("", "No longer supported"):
            yield f"{place.where}: a deprecation says what to use instead"


Rule = Callable[[GraphQLSchema], Iterator[str]]
RULES: tuple[Rule, ...] = (
    undescribed,
    misnamed,
    loose_mutations,
    unkept_keys,
    loose_lists,
    misnamed_kinds,
    unpaged,
    silent_deprecations,
)


def breaches(schema: GraphQLSchema) -> list[str]:
    """Return every place that breaks a rule."""
    return [breach for rule in RULES for breach in rule(schema)]


def unreadable(text: str) -> list[str]:
    """Return what other tools would find wrong with the schema's text."""
    try:
        build_schema(text)
    except (GraphQLError, TypeError) as error:
        return str(error).split("\n\n")
    return []


def main() -> int:
    """Print what breaks a rule; return 1 when there is any."""
    found = [*unreadable(SCHEMA.as_str()), *breaches(SCHEMA._schema)]
    print("\n".join(f"schema: {breach}" for breach in found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
