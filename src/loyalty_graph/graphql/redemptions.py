"""Redemptions: points that were given for a reward, or set aside for it, and their codes."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.errors import NotFoundError
from loyalty_graph.graphql.connections import After, Connection, First
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import OwnedRef
from loyalty_graph.graphql.ledger import LedgerEntry
from loyalty_graph.graphql.member_lists import MemberList
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.rewards import Reward, pinned_rewards
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.rules import Redemption as Stored
from loyalty_graph.rewards.rules import RedemptionState

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member
    from loyalty_graph.graphql.vouchers import Voucher


describe_enum(
    RedemptionState,
    "Where a redemption stands.",
    {
        RedemptionState.HELD: "The points are set aside; it waits to be confirmed.",
        RedemptionState.ISSUED: "The points are spent; its code can be used.",
        RedemptionState.USED: "The code was used: the member has the reward.",
        RedemptionState.EXPIRED: "The code was not used in time.",
        RedemptionState.CANCELLED: "It was called off; the points are back.",
        RedemptionState.RELEASED: "It was not confirmed in time; the points are back.",
        RedemptionState.REFUNDED: "The reward was brought back; the points are back.",
    },
    name="RedemptionStatus",
)


@strawberry.type(description="Points that a member gave for a reward, or set aside for it.")
class Redemption(Node):
    """A redemption, as it stands at this moment."""

    key: strawberry.Private[reads.Key]
    stored: strawberry.Private[Stored]
    status: RedemptionState = strawberry.field(description="Where it stands.")
    points: Points = strawberry.field(description="What it costs.")
    created_at: datetime = strawberry.field(description="When the points were taken or set aside.")
    hold_ends_at: datetime | None = strawberry.field(
        description="When it can no longer be confirmed; null unless it is HELD."
    )
    issued_at: datetime | None = strawberry.field(description="When the code was issued.")
    expires_at: datetime | None = strawberry.field(
        description="From this instant on the code cannot be used; null for never."
    )
    used_at: datetime | None = strawberry.field(description="When the code was used.")
    ended_at: datetime | None = strawberry.field(
        description="When it was cancelled, released, refunded, or seen to have expired."
    )
    store: str | None = strawberry.field(
        description="The store the code is for; null when it can be used in any."
    )
    used_store: str | None = strawberry.field(description="The store the code was used in.")

    @strawberry.field(
        description=(
            "What the member shows at the till, once it is issued: eighteen letters and digits. "
            "Whoever knows it can use it."
        ),
        extensions=[NeedsScope(Scope.REWARDS_REDEEM, member="own")],
    )
    def code(self, info: Info) -> str | None:
        context = info.context
        issued = self.stored.issued_at is not None
        return context.codes.text(context.program_id, self.stored.id) if issued else None

    @strawberry.field(description="The reward, as it was then.")
    async def reward(self, info: Info) -> Reward:
        return await batched(info, pinned_rewards, (self.stored.version, self.stored.reward))

    @strawberry.field(description="The entry that took the points or set them aside.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        sequence = self.stored.entry_sequence
        found: LedgerEntry | None = await load(info, "LedgerEntry", self.key[0], sequence)
        return found

    @strawberry.field(description="The voucher it made; null when it made none.")
    async def voucher(
        self, info: Info
    ) -> Annotated["Voucher", strawberry.lazy("loyalty_graph.graphql.vouchers")] | None:
        found: Voucher | None = await load(info, "Voucher", *self.key)
        return found

    @strawberry.field(
        description="Whose it is.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.key[0])
        return found


def redemption_of(stored: Stored, *, now: datetime) -> Redemption:
    """Return a redemption as the API shows it."""
    state = stored.state_at(now)
    return Redemption(
        id=encode_id("Redemption", stored.member_id, stored.id),
        key=(stored.member_id, stored.id),
        stored=stored,
        status=state,
        points=Points(stored.points),
        created_at=stored.created_at,
        hold_ends_at=stored.held_until if state is RedemptionState.HELD else None,
        issued_at=stored.issued_at,
        expires_at=stored.expires_at,
        used_at=stored.used_at,
        ended_at=stored.ended_at,
        store=stored.store,
        used_store=stored.used_store,
    )


@loads("Redemption", UUID, UUID, owner=0)
async def redemptions_by_key(
    keys: Sequence[reads.Key], *, program_id: UUID, now: datetime
) -> list[Redemption | None]:
    """Return the redemptions with these (member id, redemption id) keys."""
    found = await reads.redemptions(program_id, keys)
    return [redemption_of(found[key], now=now) if key in found else None for key in keys]


MINE = MemberList(
    Cursor("redemptions", (UUID,)),
    key=lambda redemption: redemption.id,
    newest=reads.newest,
    counts=reads.REDEMPTIONS.counts,
)


@strawberry.type
class RedeemingMember:
    """What a member gave points for."""

    key: strawberry.Private[UUID]

    @strawberry.field(description="What the member gave points for, newest first.")
    async def redemptions(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Redemption]:
        now = info.context.now
        return await MINE.page(
            info, self.key, first=first, after=after, node=lambda row: redemption_of(row, now=now)
        )


@strawberry.input(one_of=True, description="What you know of a redemption; give exactly one.")
class RedemptionRef(OwnedRef):
    """One of the ways to name a redemption."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The redemption's id in this API."
    )
    code: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The code, in any spelling: case, spaces and hyphens do not matter.",
    )

    async def key(self, context: Context, *, field: str) -> reads.Key:
        """Return the (member id, redemption id).

        Raises:
            InvalidInputError: it is no id of a redemption, or no code.
            NotFoundError: no redemption of this programme has the code.
        """
        if isinstance(self.code, str):
            return await reads.find(context.program_id, self.code, codes=context.codes)
        given = decode_id(self.id or "", expected="Redemption", field=f"{field}.id")
        return given.pair(field=f"{field}.id")


@strawberry.type
class RedemptionQuery:
    """Queries about redemptions."""

    @strawberry.field(
        description="The redemption with this code; null when this programme has none.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM, member="own")],
    )
    async def redemption(
        self,
        info: Info,
        code: Annotated[
            str, strawberry.argument(description="As the member shows it, in any spelling.")
        ],
    ) -> Redemption | None:
        try:
            key = await reads.find(info.context.program_id, code, codes=info.context.codes)
        except NotFoundError:
            return None
        found: Redemption | None = await load(info, "Redemption", *key)
        return found
