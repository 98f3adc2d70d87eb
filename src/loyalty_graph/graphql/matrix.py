"""Who may ask for what, as a table worked out from the schema: each field, each kind of viewer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)
from strawberry.utils.str_converters import to_camel_case

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

Made by `make schema` from the schema itself; a test holds it. A request that asks for one thing too
many is refused as a whole, and nothing is done.

- **nobody** sends no token, **a member** the JWT she is signed in with, **a partner** (a till, a
  shop, an app's server) an API token with scopes, **the owner** a token made at the command line.
- **yes**: allowed; of a type's fields, to whoever reached the type.
- **own**: allowed for what is hers. What belongs to others is not found, as if it did not exist.
- **a scope**, such as `members:read`: allowed to tokens that carry it, or `admin`.
- **-**: refused.

What happens where a member pays (recording purchases, using codes, vouchers and benefits) is for
partners: her word for it is not enough. So is what cannot be undone, such as `closeMember`.
"""
ROOTS = {"Mutation": "Mutations", "Query": "Queries", "Subscription": "Live operations"}
ANSWERS = "Payload"
NO, YES, OWN = "-", "yes", "own"
HEAD = ("nobody", "member", "partner", "owner")

Composite = GraphQLObjectType | GraphQLInterfaceType
Fields = dict[tuple[str, str], GraphQLField]


@dataclass(frozen=True, slots=True)
class Row:
    """A field, and what it takes to ask for it."""

    type_name: str
    name: str
    says: str
    cells: tuple[str, ...]

    @property
    def field(self) -> str:
        """The type and the name."""
        return f"{self.type_name}.{self.name}"


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
            type_name,
            name,
            _first_sentence(field),
            tuple(
                _cell(field, viewer) if (type_name, name) in own else NO
                for viewer, own in zip(VIEWERS, reached, strict=True)
            ),
        )
        for (type_name, name), field in sorted(fields.items())
    ]


def document(schema: GraphQLSchema) -> str:
    """Return the tables as Markdown: scopes, root fields, then what lies behind them."""
    found = rows(schema)
    parts = [INTRODUCTION, _section("Scopes", ("scope", "allows"), _scopes(schema))]
    for root, title in ROOTS.items():
        table = [(f"`{row.name}`", row.says, *row.cells) for row in found if row.type_name == root]
        parts.append(_section(title, ("name", "", *HEAD), table))
    behind = [row for row in found if row.type_name not in ROOTS]
    answers = [row for row in behind if row.type_name.endswith(ANSWERS)]
    types = [row for row in behind if not row.type_name.endswith(ANSWERS)]
    parts.append(_section("Types", ("type", "fields", *HEAD), _grouped(types)))
    parts.append(_section("Answers of mutations", ("type", "fields", *HEAD), _grouped(answers)))
    return "\n".join(parts)


def _section(title: str, head: tuple[str, ...], table: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *table]
    return f"## {title}\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _scopes(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Yield each scope with the root fields that need it."""
    needed = [
        (permission.scope, name)
        for root in _roots(schema)
        for name, field in root.fields.items()
        if isinstance(permission := permission_of(field), NeedsScope)
    ]
    for scope in Scope:
        names = ", ".join(f"`{name}`" for one, name in needed if one is scope)
        if names or scope is Scope.ADMIN:
            yield f"`{scope.value}`", names or "everything"


def _grouped(found: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    """Yield a row for the fields of a type that take the same to ask for."""
    for type_name, fields in groupby(found, key=lambda row: row.type_name):
        alike: dict[tuple[str, ...], list[str]] = {}
        for row in fields:
            alike.setdefault(row.cells, []).append(f"`{row.name}`")
        for cells, names in alike.items():
            yield f"`{type_name}`", ", ".join(names), *cells


def _first_sentence(field: GraphQLField) -> str:
    return (field.description or "").partition(". ")[0].rstrip(".")


def _cell(field: GraphQLField, viewer: Viewer) -> str:
    permission = permission_of(field)
    if not isinstance(permission, NeedsScope) or viewer.kind is ViewerKind.STAFF:
        return YES
    if viewer.kind is not ViewerKind.MEMBER:
        return permission.scope.value
    withheld = ", ".join(map(to_camel_case, permission.withheld))
    return f"{OWN}, without {withheld}" if withheld else OWN


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
