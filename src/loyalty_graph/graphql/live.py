"""Live operations: streams of numbered facts whose fields show what is there at that moment."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry

from loyalty_graph import outbox
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.inputs import MemberRef
from loyalty_graph.graphql.ledger import LedgerEntry, Wallet, wallets
from loyalty_graph.graphql.members import Member
from loyalty_graph.graphql.nodes import batched, load
from loyalty_graph.graphql.passes import Pass, passes_by_key
from loyalty_graph.graphql.permissions import NeedsScopeToListen, check_own
from loyalty_graph.graphql.purchases import Purchase
from loyalty_graph.graphql.redemptions import Redemption, redemptions_by_key
from loyalty_graph.graphql.scalars import EventNumber
from loyalty_graph.graphql.tiers import TierStatus, tier_statuses
from loyalty_graph.identity.rules import Scope, ViewerKind
from loyalty_graph.members import service as members
from loyalty_graph.outbox import pruning
from loyalty_graph.outbox.errors import EventsGoneError
from loyalty_graph.rewards.rules import RedemptionState

PAGE_SIZE = 100
VIEWER_CHECKED_EVERY_S = 5.0
TIER_CHANGED = ("tier.",)
REDEMPTION_CHANGED = ("redemption.",)
REDEMPTION_MOVED_POINTS = tuple(
    f"redemption.{state.lower()}" for state in RedemptionState if state is not RedemptionState.USED
)
POINTS_MOVED = ("purchase.", "activity.", "points.", "member.closed", *REDEMPTION_MOVED_POINTS)
PASS_CHANGED = ("pass.",)
EVERYTHING = ("",)

OfMember = Annotated[
    MemberRef | None,
    strawberry.argument(
        name="member", description="Only of this member. Members hear of themselves in any case."
    ),
]
After = Annotated[
    EventNumber | None,
    strawberry.argument(
        name="after",
        description=(
            "The number of the last event you have seen; the stream goes on after it. "
            "Without it: what happens from now on. Events are kept for 30 days; after that it is "
            "refused (EVENTS_GONE)."
        ),
    ),
]


@strawberry.type(description="Something that happened, and what is there now.")
class Event:
    """A numbered fact."""

    program_id: strawberry.Private[UUID]
    member_id: strawberry.Private[UUID | None]
    purchase_id: strawberry.Private[UUID | None]
    redemption_id: strawberry.Private[UUID | None]
    pass_id: strawberry.Private[UUID | None]
    entry_sequence: strawberry.Private[int | None]
    sequence: EventNumber = strawberry.field(
        description="Its number. Give the last one as `after` to go on from there."
    )
    kind: str = strawberry.field(description="What happened, such as purchase.recorded.")
    at: datetime = strawberry.field(description="When.")

    @strawberry.field(description="Whom it is about, as of now; null when it is about nobody.")
    async def member(self, info: Info) -> Member | None:
        if self.member_id is None:
            return None
        found: Member | None = await load(info, "Member", self.member_id)
        return found

    @strawberry.field(description="The purchase it is about, as of now; null for other kinds.")
    async def purchase(self, info: Info) -> Purchase | None:
        if self.member_id is None or self.purchase_id is None:
            return None
        found: Purchase | None = await load(info, "Purchase", self.member_id, self.purchase_id)
        return found

    @strawberry.field(description="The redemption it is about, as of now; null for other kinds.")
    async def redemption(self, info: Info) -> Redemption | None:
        if self.member_id is None or self.redemption_id is None:
            return None
        return await batched(info, redemptions_by_key, (self.member_id, self.redemption_id))

    @strawberry.field(
        description=(
            "The entry that was written, the last one if there were several; "
            "null when no points moved."
        )
    )
    async def entry(self, info: Info) -> LedgerEntry | None:
        if self.member_id is None or self.entry_sequence is None:
            return None
        found: LedgerEntry | None = await load(
            info, "LedgerEntry", self.member_id, self.entry_sequence
        )
        return found


@strawberry.type(description="A member's points moved.")
class WalletEvent(Event):
    """An event of walletChanged."""

    @strawberry.field(description="What the member has, as of now.")
    async def wallet(self, info: Info) -> Wallet | None:
        if self.member_id is None:
            return None
        return await batched(info, wallets, self.member_id)


@strawberry.type(description="A member's tier changed.")
class TierEvent(Event):
    """An event of tierChanged."""

    @strawberry.field(
        description="Where the member stands, as of now; null when the programme has no tiers."
    )
    async def tier(self, info: Info) -> TierStatus | None:
        if self.member_id is None:
            return None
        return await batched(info, tier_statuses, self.member_id)


@strawberry.type(description="A redemption came into being, or its state changed.")
class RedemptionEvent(Event):
    """An event of redemptionChanged."""


@strawberry.type(description="A pass was issued, installed, removed, voided, or shows new things.")
class PassEvent(Event):
    """An event of passChanged."""

    @strawberry.field(name="pass", description="The pass it is about, as of now.")
    async def changed(self, info: Info) -> Pass | None:
        if self.member_id is None or self.pass_id is None:
            return None
        return await batched(info, passes_by_key, (self.member_id, self.pass_id))


AnyEvent = TypeVar("AnyEvent", bound=Event)


async def _events(
    info: Info,
    of: type[AnyEvent],
    kinds: tuple[str, ...],
    ref: MemberRef | None,
    after: EventNumber | None,
) -> AsyncGenerator[AnyEvent, None]:
    """Yield the events of these kinds, those missed first, until the viewer may not hear more.

    Raises:
        EventsGoneError: What came after it is no longer kept.
        InvalidInputError: `after` has not happened yet, or the member's reference is malformed.
        NotFoundError: No such member.
        TooManyStreamsError: There is no room for another stream.
        UnauthenticatedError: The viewer's token has expired or was revoked meanwhile.
    """
    context = info.context
    program_id, member_id = context.program_id, await _member(context, ref)
    position = await _start(program_id, after)
    with context.live.listening(program_id, member_id) as nudge:
        while True:
            nudge.clear()
            rows = await outbox.numbered_after(
                program_id, position, member_id=member_id, limit=PAGE_SIZE
            )
            await context.check_viewer()
            for row in rows:
                assert row.sequence is not None, "only numbered facts are read"
                position = row.sequence
                if row.kind.startswith(kinds):
                    context.begin_event()
                    yield _event(of, row)
            if not rows:
                with suppress(TimeoutError):
                    async with asyncio.timeout(VIEWER_CHECKED_EVERY_S):
                        await nudge.wait()


async def _member(context: Context, ref: MemberRef | None) -> UUID | None:
    """Return whose events are wanted: for a member always his own; None means everybody's."""
    if context.viewer.kind is ViewerKind.MEMBER:
        if ref is not None:
            await check_own(context, ref, field="member")
        return context.viewer.member_id
    if ref is None:
        return None
    return (await members.find(context.program_id, ref.reference(field="member"))).id


async def _start(program_id: UUID, after: EventNumber | None) -> int:
    newest = await outbox.newest(program_id)
    if after is not None and after > newest:
        raise InvalidInputError(
            f"Event {after} has not happened yet; the newest is {newest}.", field="after"
        )
    if after is None:
        return newest
    oldest = await pruning.oldest(program_id) or newest + 1
    if after + 1 < oldest:
        raise EventsGoneError(after, oldest)
    return after


def _event(of: type[AnyEvent], row: outbox.FactRow) -> AnyEvent:
    told = row.payload
    entries = [told.get("entry"), *told.get("entries", ())]
    return of(
        program_id=row.program_id,
        member_id=row.member_id,
        purchase_id=_id(told, "purchase"),
        redemption_id=_id(told, "redemption"),
        pass_id=_id(told, "pass"),
        entry_sequence=entries[-1],
        sequence=EventNumber(row.sequence or 0),
        kind=row.kind,
        at=row.at,
    )


def _id(told: Mapping[str, Any], name: str) -> UUID | None:
    return UUID(told[name]) if told.get(name) else None


@strawberry.type
class LiveSubscription:
    """Streams of facts."""

    @strawberry.subscription(
        description="Each time a member's points move; of everybody, unless you name one.",
        extensions=[NeedsScopeToListen(Scope.MEMBERS_READ, member="own")],
    )
    def wallet_changed(
        self, info: Info, member: OfMember = None, after: After = None
    ) -> AsyncGenerator[WalletEvent, None]:
        return _events(info, WalletEvent, POINTS_MOVED, member, after)

    @strawberry.subscription(
        description="Each time a member's tier changes.",
        extensions=[NeedsScopeToListen(Scope.MEMBERS_READ, member="own")],
    )
    def tier_changed(
        self, info: Info, member: OfMember = None, after: After = None
    ) -> AsyncGenerator[TierEvent, None]:
        return _events(info, TierEvent, TIER_CHANGED, member, after)

    @strawberry.subscription(
        description="Each time something is redeemed, used, cancelled or given back.",
        extensions=[NeedsScopeToListen(Scope.MEMBERS_READ, member="own")],
    )
    def redemption_changed(
        self, info: Info, member: OfMember = None, after: After = None
    ) -> AsyncGenerator[RedemptionEvent, None]:
        return _events(info, RedemptionEvent, REDEMPTION_CHANGED, member, after)

    @strawberry.subscription(
        description=(
            "Each time a card is issued, added to a wallet, removed from one or made void, and "
            "each time an added one has something new to show."
        ),
        extensions=[NeedsScopeToListen(Scope.MEMBERS_READ, member="own")],
    )
    def pass_changed(
        self, info: Info, member: OfMember = None, after: After = None
    ) -> AsyncGenerator[PassEvent, None]:
        return _events(info, PassEvent, PASS_CHANGED, member, after)

    @strawberry.subscription(
        description="Everything that happens, in order, without a gap.",
        extensions=[NeedsScopeToListen(Scope.MEMBERS_READ, member="own")],
    )
    def event_stream(
        self, info: Info, member: OfMember = None, after: After = None
    ) -> AsyncGenerator[Event, None]:
        return _events(info, Event, EVERYTHING, member, after)
