"""Points that wait: when they can be spent, and how they are activated early or cancelled."""

from datetime import datetime
from typing import TypeVar

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.graphql.inputs import (
    KEY,
    REASON,
    REASON_CHARACTERS_MAX,
    Input,
    PurchaseRef,
    bounded,
)
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.ledger import reads
from loyalty_graph.usecases import pending_points
from loyalty_graph.usecases.pending_points import Earning

EVENT_CHARACTERS_MAX = 30
Told = TypeVar("Told", bound="PendingPayload")


@strawberry.type(description="Points that can be spent from the same moment on.")
class Activation:
    """Points and the end of their waiting."""

    points: Points = strawberry.field(description="How many.")
    activates_at: datetime = strawberry.field(
        description="From this instant on they can be spent, by the programme's rules."
    )
    awaits: str | None = strawberry.field(
        description="The event that lets them be spent before, such as DELIVERY."
    )


def activation_of(one: reads.Activation) -> Activation:
    """Return points that wait as the API shows them."""
    return Activation(points=Points(one.points), activates_at=one.activates_at, awaits=one.awaits)


@strawberry.input(one_of=True, description="What earned points that wait; give exactly one.")
class PendingRef:
    """An entry, or a purchase with all its entries."""

    entry_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The LedgerEntry that earned them, of kind EARN_PENDING.",
    )
    purchase: PurchaseRef | None = strawberry.field(
        default=strawberry.UNSET, description="The purchase: everything of it that waits."
    )

    async def earning(self, context: Context, *, field: str) -> Earning:
        """Return whose points they are, and what earned them.

        Raises:
            InvalidInputError: it is no id of an entry or a purchase.
            NotFoundError: the receipt was never recorded.
        """
        if self.purchase:
            return Earning(*await self.purchase.key(context, field=f"{field}.purchase"))
        place = f"{field}.entryId"
        given = decode_id(self.entry_id or "", expected="LedgerEntry", field=place)
        return Earning(*given.numbered(field=place))


@strawberry.input(description="Points that need not wait any longer, as when goods were delivered.")
class ActivatePendingInput:
    """The input of activatePending."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    pending: PendingRef = strawberry.field(description="What earned them.")
    event: str | None = strawberry.field(
        default=None, description="Only points that wait for this event, such as DELIVERY."
    )
    at: datetime | None = strawberry.field(
        default=None, description="When what they waited for happened; now, if not given."
    )
    reason: str | None = strawberry.field(default=None, description=REASON)

    async def command(self, context: Context) -> pending_points.ActivatePending:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference cannot be used, or there is no key.
            NotFoundError: no such receipt.
        """
        return pending_points.ActivatePending(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            earning=await self.pending.earning(context, field="pending"),
            event=bounded(self.event, EVENT_CHARACTERS_MAX, field="event"),
            at=self.at or context.now,
            is_dated=self.at is not None,
            reason=bounded(self.reason, REASON_CHARACTERS_MAX, field="reason") or "",
        )


@strawberry.input(description="Points that wait and are to be taken back.")
class CancelPendingInput:
    """The input of cancelPending."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    pending: PendingRef = strawberry.field(description="What earned them.")
    points: Points | None = strawberry.field(
        default=None,
        description="How many, of those that wait longest; all that wait, if not given.",
    )
    reason: str = strawberry.field(description=REASON)

    async def command(self, context: Context) -> pending_points.CancelPending:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference cannot be used, or there is no key.
            NotFoundError: no such receipt.
        """
        return pending_points.CancelPending(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            earning=await self.pending.earning(context, field="pending"),
            points=self.points,
            reason=self.reason.strip(),
        )


@strawberry.type
class PendingPayload(EntryPayload):
    """What the payloads of mutations about points that wait have in common."""

    points: Points | None = strawberry.field(
        default=None, description="How many wait no more; the entry is the first about them."
    )


@strawberry.type(description="What activatePending did.")
class ActivatePendingPayload(PendingPayload):
    """The answer of activatePending."""


@strawberry.type(description="What cancelPending did.")
class CancelPendingPayload(PendingPayload):
    """The answer of cancelPending."""


@strawberry.type
class PendingMutation:
    """Mutations of points that wait."""

    @strawberry.mutation(
        description="Lets points that wait be spent from now on, before their time.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(ActivatePendingPayload)],
    )
    async def activate_pending(
        self, info: Info, given: Input[ActivatePendingInput]
    ) -> ActivatePendingPayload | None:
        context = info.context
        command = await given.command(context)
        done = await pending_points.activate(context.program_id, command, now=context.now)
        return _told(ActivatePendingPayload, done)

    @strawberry.mutation(
        description=(
            "Takes points back that wait. Goods that are brought back later take only what was "
            "not cancelled."
        ),
        extensions=[NeedsScope(Scope.POINTS_ADJUST), RefusalsAsData(CancelPendingPayload)],
    )
    async def cancel_pending(
        self, info: Info, given: Input[CancelPendingInput]
    ) -> CancelPendingPayload | None:
        context = info.context
        command = await given.command(context)
        done = await pending_points.cancel(context.program_id, command, now=context.now)
        return _told(CancelPendingPayload, done)


def _told(payload: type[Told], done: pending_points.PendingMoved) -> Told:
    return payload(
        key=(done.member_id, done.entry_sequence),
        entry_sequence=done.entry_sequence,
        points=Points(done.points),
        balance=Points(done.balance_points),
        replayed=done.replayed,
    )
