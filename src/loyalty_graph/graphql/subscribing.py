"""Beginning, changing, ending and paying paid memberships."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.money import minor_of
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import currency_of
from loyalty_graph.graphql.subscriptions import NODE, MemberSubscription, subscription_key
from loyalty_graph.identity.rules import Scope
from loyalty_graph.subscriptions.billing import BillingProvider
from loyalty_graph.subscriptions.rules import PaymentOutcome
from loyalty_graph.subscriptions.service import Payment, SubscriptionKey
from loyalty_graph.usecases import scheduled, subscription_payments, subscriptions
from loyalty_graph.usecases.subscription_desk import SubscriptionDone

WHICH = "Which paid membership."


@strawberry.type
class SubscriptionPayload(Payload):
    """What the payload of each of these mutations holds."""

    key: strawberry.Private[SubscriptionKey | None] = None
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )

    @strawberry.field(description="The paid membership, as of now.")
    async def subscription(self, info: Info) -> MemberSubscription | None:
        if self.key is None:
            return None
        found: MemberSubscription | None = await load(info, NODE, *self.key)
        return found


@strawberry.input
class SubscriptionInput:
    """What the input of a mutation of a known paid membership begins with."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    subscription_id: strawberry.ID = strawberry.field(description=WHICH)

    def key(self) -> SubscriptionKey:
        """Return the key that the id stands for.

        Raises:
            InvalidInputError: it is the id of something else.
        """
        return subscription_key(self.subscription_id, field="subscriptionId")


@strawberry.input(description="A plan that a member wants from now on.")
class SubscribeInput:
    """The input of subscribe."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who subscribes.")
    plan: str = strawberry.field(description="To which plan, by its code.")
    card: str | None = strawberry.field(
        default=None,
        description=(
            "In a sandbox programme, the card that pays: ok, declined, fails_2 (until the third "
            "attempt) or expires_2026-05. Elsewhere your own provider collects and "
            "recordSubscriptionPayment tells us."
        ),
    )


@strawberry.type(description="What subscribe did.")
class SubscribePayload(SubscriptionPayload):
    """The answer of subscribe."""


@strawberry.input(description="A paid membership to be paused.")
class PauseSubscriptionInput(SubscriptionInput):
    """The input of pauseSubscription."""


@strawberry.type(description="What pauseSubscription did.")
class PauseSubscriptionPayload(SubscriptionPayload):
    """The answer of pauseSubscription."""


@strawberry.input(description="A paused membership that goes on.")
class ResumeSubscriptionInput(SubscriptionInput):
    """The input of resumeSubscription."""


@strawberry.type(description="What resumeSubscription did.")
class ResumeSubscriptionPayload(SubscriptionPayload):
    """The answer of resumeSubscription."""


@strawberry.input(description="A paid membership that a member wants no more.")
class CancelSubscriptionInput(SubscriptionInput):
    """The input of cancelSubscription."""

    at_once: bool = strawberry.field(
        default=False,
        description="End it now, not with its period; what is unpaid or paused does anyway.",
    )


@strawberry.type(description="What cancelSubscription did.")
class CancelSubscriptionPayload(SubscriptionPayload):
    """The answer of cancelSubscription."""


@strawberry.input(description="A cancelled membership that goes on after all.")
class ReactivateSubscriptionInput(SubscriptionInput):
    """The input of reactivateSubscription."""


@strawberry.type(description="What reactivateSubscription did.")
class ReactivateSubscriptionPayload(SubscriptionPayload):
    """The answer of reactivateSubscription."""


@strawberry.input(description="Another plan for a paid membership.")
class ChangePlanInput(SubscriptionInput):
    """The input of changePlan."""

    plan: str = strawberry.field(
        description="The new plan, by its code; the same code takes its present version."
    )


@strawberry.type(description="What changePlan did.")
class ChangePlanPayload(SubscriptionPayload):
    """The answer of changePlan."""


@strawberry.input(description="A fee that was paid, or tried in vain, as your provider says.")
class RecordSubscriptionPaymentInput(SubscriptionInput):
    """The input of recordSubscriptionPayment."""

    provider: str = strawberry.field(
        description="Who collects, such as stripe; at most 20 characters."
    )
    external_id: str = strawberry.field(
        description="The provider's id of the payment; told twice, it counts once."
    )
    amount: Decimal = strawberry.field(
        description="How much, in the programme's currency. It may be a part of the fee, or more."
    )
    outcome: PaymentOutcome = strawberry.field(
        default=PaymentOutcome.SUCCEEDED, description="Whether it was collected."
    )
    paid_at: datetime | None = strawberry.field(
        default=None, description="When; now, if not given. It may be told late."
    )

    async def command(self, context: Context) -> subscription_payments.RecordPayment:
        """Return the use case's command.

        Raises:
            InvalidInputError: the id or the amount cannot be used.
        """
        payment = Payment(
            provider=self.provider,
            external_id=self.external_id,
            key=self.key(),
            outcome=self.outcome,
            amount_minor=minor_of(self.amount, await currency_of(context), field="amount"),
            paid_at=self.paid_at or context.now,
        )
        return subscription_payments.RecordPayment(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            payment=payment,
            is_dated=self.paid_at is not None,
        )


@strawberry.type(description="What recordSubscriptionPayment did.")
class RecordSubscriptionPaymentPayload(SubscriptionPayload):
    """The answer of recordSubscriptionPayment."""


def _billing(context: Context) -> Mapping[str, BillingProvider]:
    return scheduled.billing(context.clock)


async def _change(
    context: Context,
    kind: type[subscriptions.SubscriptionCommand],
    given: SubscriptionInput,
) -> SubscriptionDone:
    command = kind(context.caller, context.idempotency_key(given.idempotency_key), given.key())
    return await subscriptions.change(context.program_id, command, now=context.now)


@strawberry.type
class SubscriptionMutation:
    """Mutations of paid memberships."""

    @strawberry.mutation(
        description=(
            "Begins a paid membership: on trial where the plan has one, else it waits for its "
            "first fee. A member has one at a time."
        ),
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(SubscribePayload),
        ],
    )
    async def subscribe(self, info: Info, given: Input[SubscribeInput]) -> SubscribePayload | None:
        context, member = info.context, given.member.reference(field="member")
        command = subscriptions.Subscribe(
            context.caller,
            context.idempotency_key(given.idempotency_key),
            member,
            given.plan,
            given.card,
        )
        done = await subscriptions.subscribe(
            context.program_id, command, billing=_billing(context), now=context.now
        )
        return SubscribePayload(key=done.key, replayed=done.replayed)

    @strawberry.mutation(
        description="Pauses a paid membership: it gives nothing, and keeps what is left of it.",
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(PauseSubscriptionPayload),
        ],
    )
    async def pause_subscription(
        self, info: Info, given: Input[PauseSubscriptionInput]
    ) -> PauseSubscriptionPayload | None:
        done = await _change(info.context, subscriptions.PauseSubscription, given)
        return PauseSubscriptionPayload(key=done.key, replayed=done.replayed)

    @strawberry.mutation(
        description="Lets a paused membership go on; its period ends as much later as it paused.",
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(ResumeSubscriptionPayload),
        ],
    )
    async def resume_subscription(
        self, info: Info, given: Input[ResumeSubscriptionInput]
    ) -> ResumeSubscriptionPayload | None:
        done = await _change(info.context, subscriptions.ResumeSubscription, given)
        return ResumeSubscriptionPayload(key=done.key, replayed=done.replayed)

    @strawberry.mutation(
        description="Ends a paid membership with its period, or at once.",
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(CancelSubscriptionPayload),
        ],
    )
    async def cancel_subscription(
        self, info: Info, given: Input[CancelSubscriptionInput]
    ) -> CancelSubscriptionPayload | None:
        context, key = info.context, given.key()
        command = subscriptions.CancelSubscription(
            context.caller, context.idempotency_key(given.idempotency_key), key, given.at_once
        )
        done = await subscriptions.change(context.program_id, command, now=context.now)
        return CancelSubscriptionPayload(key=done.key, replayed=done.replayed)

    @strawberry.mutation(
        description="Takes back a cancellation, as long as the period has not ended.",
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(ReactivateSubscriptionPayload),
        ],
    )
    async def reactivate_subscription(
        self, info: Info, given: Input[ReactivateSubscriptionInput]
    ) -> ReactivateSubscriptionPayload | None:
        done = await _change(info.context, subscriptions.ReactivateSubscription, given)
        return ReactivateSubscriptionPayload(key=done.key, replayed=done.replayed)

    @strawberry.mutation(
        description=(
            "Moves a paid membership to another plan at once. What was not used of the old fee "
            "(to the microsecond, rounded down to a minor unit) pays for the new period, which "
            "begins now; the rest is due. A trial keeps its end."
        ),
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(ChangePlanPayload),
        ],
    )
    async def change_plan(
        self, info: Info, given: Input[ChangePlanInput]
    ) -> ChangePlanPayload | None:
        context, key = info.context, given.key()
        command = subscriptions.ChangePlan(
            context.caller, context.idempotency_key(given.idempotency_key), key, given.plan
        )
        done = await subscriptions.change_plan(
            context.program_id, command, billing=_billing(context), now=context.now
        )
        return ChangePlanPayload(key=done.key, replayed=done.replayed)

    @strawberry.mutation(
        description=(
            "Tells of a fee that your payment provider collected, or tried to. It may come early, "
            "late, twice or in parts."
        ),
        extensions=[
            NeedsScope(Scope.PURCHASES_WRITE),
            RefusalsAsData(RecordSubscriptionPaymentPayload),
        ],
    )
    async def record_subscription_payment(
        self, info: Info, given: Input[RecordSubscriptionPaymentInput]
    ) -> RecordSubscriptionPaymentPayload | None:
        context = info.context
        command = await given.command(context)
        done = await subscription_payments.record_payment(
            context.program_id, command, now=context.now
        )
        return RecordSubscriptionPaymentPayload(key=done.key, replayed=done.replayed)
