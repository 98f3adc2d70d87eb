"""Holds: points set aside for a while, which are then spent or given back."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.graphql.connections import After, Connection, First
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.ledger import LedgerEntry
from loyalty_graph.graphql.member_lists import MemberList
from loyalty_graph.graphql.nodes import Node, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.ledger import holds
from loyalty_graph.ledger.holding import Hold, HoldState
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member


describe_enum(
    HoldState,
    "Where a hold stands.",
    {
        HoldState.HELD: "The points are set aside.",
        HoldState.CAPTURED: "They are spent, or a part of them; the rest is back.",
        HoldState.RELEASED: "They are back.",
        HoldState.EXPIRED: "Nobody captured them in time; they are back.",
    },
    name="PointsHoldStatus",
)


@strawberry.type(description="Points that are set aside for a while, other than for a reward.")
class PointsHold(Node):
    """A hold, as it stands at this moment."""

    stored: strawberry.Private[Hold]
    status: HoldState = strawberry.field(description="Where it stands.")
    points: Points = strawberry.field(description="What it set aside.")
    captured_points: Points = strawberry.field(
        description="What was spent of them; 0 unless it is CAPTURED."
    )
    created_at: datetime = strawberry.field(description="When the points were set aside.")
    ends_at: datetime = strawberry.field(
        description="From this instant on it cannot be captured: the points go back."
    )
    ended_at: datetime | None = strawberry.field(
        description="When it was captured or released, or seen to be over."
    )

    @strawberry.field(description="The entry that set the points aside; its text says what for.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        key = self.stored.member_id, self.stored.entry_sequence
        found: LedgerEntry | None = await load(info, "LedgerEntry", *key)
        return found

    @strawberry.field(
        description="Whose they are.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.stored.member_id)
        return found


def hold_of(stored: Hold, *, now: datetime) -> PointsHold:
    """Return a hold as the API shows it."""
    return PointsHold(
        id=encode_id("PointsHold", stored.member_id, stored.id),
        stored=stored,
        status=stored.state_at(now),
        points=Points(stored.points),
        captured_points=Points(stored.captured_points),
        created_at=stored.created_at,
        ends_at=stored.ends_at,
        ended_at=stored.ended_at,
    )


@loads("PointsHold", UUID, UUID, owner=0)
async def holds_by_key(
    keys: Sequence[holds.Key], *, program_id: UUID, now: datetime
) -> list[PointsHold | None]:
    """Return the holds with these (member id, hold id) keys."""
    found = await holds.found(program_id, keys)
    return [hold_of(found[key], now=now) if key in found else None for key in keys]


MINE = MemberList(
    Cursor("holds", (UUID,)),
    key=lambda hold: hold.id,
    newest=holds.newest,
    counts=holds.ROWS.counts,
)


@strawberry.type
class HoldingMember:
    """What a member has set aside, and had."""

    key: strawberry.Private[UUID]

    @strawberry.field(
        description="Points set aside other than for rewards, newest first, also those that ended."
    )
    async def holds(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[PointsHold]:
        now = info.context.now
        return await MINE.page(
            info, self.key, first=first, after=after, node=lambda row: hold_of(row, now=now)
        )
