"""Who may ask for what, as a table worked out from the schema: each field, each kind of viewer."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

from loyalty_graph.graphql.needs import permission_of
from loyalty_graph.graphql.nodes import shown_to_members
from loyalty_graph.graphql.permissions import NeedsScope, refusal
from loyalty_graph.identity.rules import Scope, Viewer, ViewerKind

VIEWERS = (
    Viewer(ViewerKind.NOBODY),
    Viewer(ViewerKind.MEMBER),
    Viewer(ViewerKind.PARTNER, scopes=frozenset({Scope.ADMIN})),
    Viewer(ViewerKind.STAFF, scopes=frozenset({Scope.ADMIN})),
)
INTRODUCTION = """# Who may ask for what

Made by `make schema`; a test holds it. Each field of the API, and what it takes to ask for it:

- **yes**: whoever may ask for its parent.
- **own**: members, for what is theirs; what belongs to others is not found.
- **a scope**: partners whose token carries it, or `admin`; the owner's token carries `admin`.
- **-**: not at all.

"""
NO, YES, OWN = "-", "yes", "own"
HEAD = ("field", "nobody", "member", "partner", "owner")

Composite = GraphQLObjectType | GraphQLInterfaceType
Fields = dict[tuple[str, str], GraphQLField]


@dataclass(frozen=True, slots=True)
class Row:
    """A field, and what it takes to ask for it."""

    field: str
    cells: tuple[str, ...]


def undecided(schema: GraphQLSchema) -> list[str]:
    """Return the root fields that do not say who may ask for them."""
    return [
        f"{root.name}.{name}"
        for root in _roots(schema)
        for name, field in root.fields.items()
        if permission_of(field) is None
    ]


def rows(schema: GraphQLSchema) -> list[Row]:
    """Return a row for each field that anybody can reach, by type and name."""
    reached = [_reached(schema, viewer) for viewer in VIEWERS]
    fields = {key: field for one in reached for key, field in one.items()}
    return [
        Row(
            f"{type_name}.{name}",
            tuple(
                _cell(field, viewer) if (type_name, name) in own else NO
                for viewer, own in zip(VIEWERS, reached, strict=True)
            ),
        )
        for (type_name, name), field in sorted(fields.items())
    ]


def document(schema: GraphQLSchema) -> str:
    """Return the table as Markdown."""
    table = [
        HEAD,
        tuple("---" for _ in HEAD),
        *((f"`{row.field}`", *row.cells) for row in rows(schema)),
    ]
    return INTRODUCTION + "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def _cell(field: GraphQLField, viewer: Viewer) -> str:
    permission = permission_of(field)
    if not isinstance(permission, NeedsScope):
        return YES
    return OWN if viewer.kind is ViewerKind.MEMBER else permission.scope.value


def _reached(schema: GraphQLSchema, viewer: Viewer) -> Fields:
    """Return the fields a viewer can ask for, following every field that is not refused."""
    found: Fields = {}
    waiting: list[Composite] = list(_roots(schema))
    seen = {one.name for one in waiting}
    while waiting:
        parent = waiting.pop()
        for name, field in parent.fields.items():
            permission = permission_of(field)
            if permission is not None and refusal(permission, viewer) is not None:
                continue
            found[parent.name, name] = field
            for one in _composites(schema, field, viewer):
                if one.name not in seen:
                    seen.add(one.name)
                    waiting.append(one)
    return found


def _composites(schema: GraphQLSchema, field: GraphQLField, viewer: Viewer) -> Iterator[Composite]:
    """Yield the types a field may lead this viewer to."""
    kind = get_named_type(field.type)
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        for one in schema.get_possible_types(kind):
            if viewer.kind is not ViewerKind.MEMBER or shown_to_members(one.name):
                yield one
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        yield kind


def _roots(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        if root is not None:
            yield root
