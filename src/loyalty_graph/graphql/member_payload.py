"""What the payloads of mutations of a known member have in common."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.errors import Payload
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member


@strawberry.type
class MemberPayload(Payload):
    """The payload of a mutation of a known member."""

    key: strawberry.Private[UUID | None] = None

    @strawberry.field(
        description="The member, as of now.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        if self.key is None:
            return None
        found: Member | None = await load(info, "Member", self.key)
        return found
