"""What the payloads of mutations that may move a member's points have in common."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.errors import Payload
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope

if TYPE_CHECKING:
    from loyalty_graph.graphql.ledger import LedgerEntry
    from loyalty_graph.graphql.members import Member


@strawberry.type
class EntryPayload(Payload):
    """The payload of something done to a member's points: `key` begins with the member's id."""

    key: strawberry.Private[tuple[UUID, Any] | None] = None
    entry_sequence: strawberry.Private[int | None] = None
    balance: Points | None = strawberry.field(
        default=None, description="The balance right after it; a retry gets the same answer."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )

    @strawberry.field(description="The entry that was written; null when no points moved.")
    async def entry(
        self, info: Info
    ) -> Annotated["LedgerEntry", strawberry.lazy("loyalty_graph.graphql.ledger")] | None:
        if self.key is None or self.entry_sequence is None:
            return None
        entry_key = self.key[0], self.entry_sequence
        found: LedgerEntry | None = await load(info, "LedgerEntry", *entry_key)
        return found

    @strawberry.field(
        description="Whose points they are, as of now.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        if self.key is None:
            return None
        found: Member | None = await load(info, "Member", self.key[0])
        return found
