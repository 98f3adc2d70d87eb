"""Things with a global id: how they are loaded, and the query that finds any of them again."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry

from loyalty_graph.graphql.batch import BatchResolver
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.ids import belongs_to_member, decode_id
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope, ViewerKind

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
    owner: int | None
    everybody: bool


_kinds: dict[str, _Kind] = {}
"""How each type of node is loaded; each subject's file adds its own."""


def loads(
    type_name: str,
    *parts: type[UUID | int],
    owner: int | None = None,
    everybody: bool = False,
) -> Callable[[Loader], Loader]:
    """Declare the batch resolver that loads a type of node, and which members may see a node.

    It is called with keys (tuples of `parts`), `program_id` and `now`, and returns a node for each
    key, or None where that programme has none.

    Args:
        type_name: The type of node.
        parts: What its key is made of.
        owner: Which part of the key is the id of the member who may see it.
        everybody: Every member may see it. Without this or an owner, no member may.
    """

    def declare(resolver: Loader) -> Loader:
        _kinds[type_name] = _Kind(parts, resolver, owner, everybody)
        if owner is not None:
            belongs_to_member(type_name, owner)
        return resolver

    return declare


async def load(info: Info, type_name: str, *key: UUID | int) -> Any:
    """Return a node of the viewer's programme, or None when it has no such node.

    What belongs to another member is hidden from a member in the same way. The owner is part of
    the key, so nothing is read for that.
    """
    kind, viewer = _kinds[type_name], info.context.viewer
    owns = kind.everybody or (kind.owner is not None and key[kind.owner] == viewer.member_id)
    if viewer.kind is ViewerKind.MEMBER and not owns:
        return None
    return await batched(info, kind.load, key)


def shown_to_members(type_name: str) -> bool:
    """Say whether members see nodes of this type: all, or those that are theirs."""
    kind = _kinds.get(type_name)
    return kind is None or kind.everybody or kind.owner is not None


def batched(
    info: Info, resolver: BatchResolver[Result], parent: object, **arguments: Hashable
) -> Awaitable[Result]:
    """Return the parent's result of a batch resolver, in the viewer's programme and now."""
    context = info.context
    return context.batchers.load(
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
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
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
