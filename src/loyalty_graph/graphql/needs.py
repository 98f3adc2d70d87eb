"""What an operation needs: the permissions of all fields it asks for, also through fragments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from loyalty_graph.graphql.permissions import Permission, refusal
from loyalty_graph.identity.rules import Viewer


class Need(NamedTuple):
    """A permission that a document needs, and one place that needs it."""

    field: str
    permission: Permission
    node: FieldNode


Needs = Mapping[str, tuple[Need, ...]]
"""The needs of each operation of a document, by its name; a nameless one has an empty name."""


def permission_of(field: GraphQLField) -> Permission | None:
    """Return who may ask for a field, or None when it follows its parent."""
    declared = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(declared, StrawberryField):
        return None
    found = [one for one in declared.extensions if isinstance(one, Permission)]
    return found[0] if found else None


def needs_of(schema: GraphQLSchema, document: DocumentNode) -> Needs:
    """Return what each operation of a valid document needs; each field is named once."""
    reader = _Reader(TypeInfo(schema))
    visit(document, TypeInfoVisitor(reader.types, reader))
    return {
        name: tuple({need.field: need for need in reader.reached(part)}.values())
        for name, part in reader.operations.items()
    }


def refusals(needs: tuple[Need, ...], viewer: Viewer) -> list[GraphQLError]:
    """Return one error for each field that a viewer may not ask for."""
    return [
        GraphQLError(str(error), need.node, original_error=error)
        for need in needs
        if (error := refusal(need.permission, viewer)) is not None
    ]


@dataclass(slots=True)
class _Part:
    """What one definition needs by itself, and the fragments it spreads."""

    needs: list[Need] = field(default_factory=list)
    spreads: list[str] = field(default_factory=list)


class _Reader(Visitor):
    """Notes what each definition of a document needs."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.operations: dict[str, _Part] = {}
        self._fragments: dict[str, _Part] = {}
        self._part = _Part()

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        self._part = self.operations[node.name.value if node.name else ""] = _Part()

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: object) -> None:
        self._part = self._fragments[node.name.value] = _Part()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, asked = self.types.get_parent_type(), self.types.get_field_def()
        permission = permission_of(asked) if asked else None
        if parent is not None and permission is not None:
            self._part.needs.append(Need(f"{parent.name}.{node.name.value}", permission, node))

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self._part.spreads.append(node.name.value)

    def reached(self, part: _Part, seen: set[str] | None = None) -> Iterator[Need]:
        """Yield the needs of a part and of all fragments it spreads."""
        seen = set() if seen is None else seen
        yield from part.needs
        for name in part.spreads:
            if name not in seen:
                seen.add(name)
                yield from self.reached(self._fragments[name], seen)
