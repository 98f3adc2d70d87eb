from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
)
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryObjectDefinition

from loyalty_graph.graphql.schema import SCHEMA

DEPTH_MAX = 4
KINDS = [
    kind for kind in SCHEMA._schema.type_map.values() if isinstance(kind, GraphQLInputObjectType)
]


def definition_of(kind: GraphQLInputObjectType) -> StrawberryObjectDefinition:
    found = kind.extensions["strawberry-definition"]
    assert isinstance(found, StrawberryObjectDefinition)
    return found


def full(kind: Any, *, depth: int = 0) -> Any:
    """Return a value with everything in it, down to a depth, as graphql-core hands it over."""
    if isinstance(kind, GraphQLNonNull):
        return full(kind.of_type, depth=depth)
    if isinstance(kind, GraphQLList):
        return [full(kind.of_type, depth=depth + 1) for _ in range(2)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values.values())).value
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: full(field.type, depth=depth + 1)
            for name, field in kind.fields.items()
            if depth < DEPTH_MAX or isinstance(field.type, GraphQLNonNull)
        }
    return get_named_type(kind).name


def sparse(kind: GraphQLInputObjectType) -> dict[str, Any]:
    """Return a value with null in place of everything that may be null."""
    return {
        name: full(field.type) if isinstance(field.type, GraphQLNonNull) else None
        for name, field in kind.fields.items()
    }


def bare(kind: GraphQLInputObjectType) -> dict[str, Any]:
    """Return a value with nothing in it that may be left out."""
    return {
        name: full(field.type)
        for name, field in kind.fields.items()
        if isinstance(field.type, GraphQLNonNull)
    }


def converted(kind: GraphQLInputObjectType, given: dict[str, Any]) -> object:
    scalars = SCHEMA.schema_converter.scalar_registry
    return convert_argument(given, definition_of(kind).origin, scalars, SCHEMA.config)


@pytest.mark.parametrize("what", [full, sparse, bare])
def test_every_input_is_built_as_strawberry_builds_it(what: Any, monkeypatch: pytest.MonkeyPatch):
    given = {kind.name: what(kind) for kind in KINDS}

    ours = {kind.name: converted(kind, given[kind.name]) for kind in KINDS}

    for kind in KINDS:
        monkeypatch.setattr(definition_of(kind), "from_input", None)
    theirs = {kind.name: converted(kind, given[kind.name]) for kind in KINDS}
    assert ours == theirs


def test_only_types_in_which_null_means_something_else_are_left_to_strawberry():
    left = {kind.name for kind in KINDS if definition_of(kind).from_input is None}

    assert left == {"UpdateMemberInput"}


def test_what_was_built_does_not_share_a_list_with_what_was_given():
    [kind] = [one for one in KINDS if one.name == "PurchaseLineInput"]
    given = full(kind)

    line: Any = converted(kind, given)
    line.labels.append("changed")

    assert "changed" not in given["labels"]
