"""Things with a global id: how they are loaded, and the query that finds any of them again."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry

from loyalty_graph.graphql.batch import BatchResolver
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope

Loader = TypeVar("Loader", bound=BatchResolver[Any])
Result = TypeVar("Result")


@strawberry.interface(description="Something with an id that finds it again.")
class Node:
    """Relay's node."""

    id: strawberry.ID = strawberry.field(
        description="Stays the same for ever. Opaque: do not read anything out of it."
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    parts: tuple[type[UUID | int], ...]
    load: BatchResolver[Any]


_kinds: dict[str, _Kind] = {}
"""How each type of node is loaded; each subject's file adds its own."""


def loads(type_name: str, *parts: type[UUID | int]) -> Callable[[Loader], Loader]:
    """Declare the batch resolver that loads a type of node.

    It is called with keys (tuples of `parts`), `program_id` and `now`, and returns a node for each
    key, or None where that programme has none.
    """

    def declare(resolver: Loader) -> Loader:
        _kinds[type_name] = _Kind(parts, resolver)
        return resolver

    return declare


async def load(info: Info, type_name: str, *key: UUID | int) -> Any:
    """Return a node of the viewer's programme, or None when it has no such node."""
    return await batched(info, _kinds[type_name].load, key)


async def batched(
    info: Info, resolver: BatchResolver[Result], parent: object, **arguments: Hashable
) -> Result:
    """Return the parent's result of a batch resolver, in the viewer's programme and now."""
    context = info.context
    return await context.batchers.load(
        resolver, parent, program_id=context.program_id, now=context.now, **arguments
    )


@strawberry.type
class NodeQuery:
    """The query for nodes of any type."""

    @strawberry.field(
        description=(
            "Whatever has this id, such as a member or a purchase; null when there is nothing. "
            "Use it to read one thing again."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_READ)],
    )
    async def node(
        self,
        info: Info,
        global_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="Any id of this API.")
        ],
    ) -> Node | None:
        given = decode_id(global_id, expected=_kinds)
        key = given.parts(*_kinds[given.type_name].parts)
        found: Node | None = await load(info, given.type_name, *key)
        return found
