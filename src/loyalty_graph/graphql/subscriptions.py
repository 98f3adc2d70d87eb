"""Paid memberships: the plans there are, and what a member has of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.benefits import service as benefits
from loyalty_graph.benefits.rules import Benefit as Definition
from loyalty_graph.graphql.benefits import Benefit, benefit_of
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.permissions import Everybody, NeedsScope
from loyalty_graph.graphql.programs import Slug, program_asked_for
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions import reads
from loyalty_graph.subscriptions.rules import BillingInterval, PaymentOutcome, Status
from loyalty_graph.subscriptions.rules import SubscriptionPlan as Plan
from loyalty_graph.subscriptions.service import SubscriptionKey

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member

NODE = "MemberSubscription"

describe_enum(
    BillingInterval,
    "How long a fee lasts.",
    {
        BillingInterval.MONTH: "To the same day of the next month, or its last.",
        BillingInterval.YEAR: "To the same day of the next year.",
    },
)
describe_enum(
    Status,
    "Where a paid membership stands.",
    {
        Status.INCOMPLETE: "Waits a day for its first fee; gives nothing yet.",
        Status.TRIALING: "On trial: gives everything, costs nothing.",
        Status.ACTIVE: "Paid.",
        Status.PAST_DUE: "The fee is due; it gives everything until the grace is over.",
        Status.PAUSED: "Gives nothing, and keeps what is left of its period.",
        Status.CANCELLED: "Gives everything until its period ends.",
        Status.EXPIRED: "Over.",
    },
    name="SubscriptionStatus",
)
describe_enum(
    PaymentOutcome,
    "Whether a fee was collected.",
    {PaymentOutcome.SUCCEEDED: "It was.", PaymentOutcome.FAILED: "It was tried in vain."},
)


@strawberry.type(description="A plan that members can subscribe to.")
class SubscriptionPlan:
    """A version of a plan."""

    code: str = strawberry.field(description="What subscribe calls it, such as PLUS.")
    name: str = strawberry.field(description="What members call it.")
    description: str = strawberry.field(description="More about it; empty when nothing is said.")
    interval: BillingInterval = strawberry.field(description="How long a fee lasts.")
    price: Money = strawberry.field(description="The fee of one interval.")
    trial_days: int = strawberry.field(
        description="How many days a member's first paid membership is free; often 0."
    )
    grace_days: int = strawberry.field(
        description="How many days its benefits stay when the fee is not paid."
    )
    welcome_points: Points = strawberry.field(
        description="Given with the first fee, once to a member."
    )
    multiplier: str = strawberry.field(
        description='By what purchases earn more: an exact ratio such as "3/2", or "1".'
    )
    benefits: list[Benefit] = strawberry.field(description="What it grants.")
    version: int = strawberry.field(
        description="The version of the programme it is from; a subscriber keeps that."
    )


@strawberry.type(description="A member's paid membership, as it stands now.")
class MemberSubscription(Node):
    """A subscription of a member."""

    key: strawberry.Private[SubscriptionKey]
    as_of: strawberry.Private[datetime | None]
    status: Status = strawberry.field(description="Where it stands.")
    plan: SubscriptionPlan = strawberry.field(description="The plan, as it was agreed on.")
    started_at: datetime = strawberry.field(description="When the member subscribed.")
    period_starts_at: datetime = strawberry.field(
        description="When the present period, or trial, began; before the first: startedAt."
    )
    period_ends_at: datetime = strawberry.field(
        description="When it ends, and the next fee is due; before the first: startedAt."
    )
    benefits_end_at: datetime | None = strawberry.field(
        description="When it stops giving its benefits as things stand; null when it gives none."
    )
    lapses_at: datetime | None = strawberry.field(
        description="When it ends unless it is paid or reactivated; null when it goes on."
    )
    amount_due: Money = strawberry.field(description="What is to be paid now; usually nothing.")
    credit: Money = strawberry.field(description="What was paid and not used; pays fees to come.")
    failed_attempts: int = strawberry.field(
        description="How often the present fee was tried in vain."
    )
    paused_at: datetime | None = strawberry.field(description="Since when it is paused, if it is.")
    cancelled_at: datetime | None = strawberry.field(
        description="When it was cancelled; null when it was not."
    )
    ended_at: datetime | None = strawberry.field(
        description="When it ended; null when it has not ended."
    )

    @strawberry.field(description="All fees that were paid for it so far.")
    async def fees_paid(self, info: Info) -> Money:
        return (await batched(info, _totals, self.key, as_of=self.as_of))[0]

    @strawberry.field(
        description=(
            "What its benefits saved so far: the sum of `saved` over every useEntitlement that "
            "no tier would have granted. Compare it with feesPaid."
        )
    )
    async def saved_value(self, info: Info) -> Money:
        return (await batched(info, _totals, self.key, as_of=self.as_of))[1]

    @strawberry.field(
        description="Whose it is.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.key[0])
        return found


@strawberry.type
class SubscribedMember:
    """What a member subscribed to."""

    key: strawberry.Private[UUID]
    as_of: strawberry.Private[datetime | None]

    @strawberry.field(
        description="The paid membership, or the last one; null when there never was one."
    )
    async def subscription(self, info: Info) -> MemberSubscription | None:
        if self.as_of is not None:
            return await batched(info, _newest_then, self.key, as_of=self.as_of)
        return await batched(info, _newest, self.key)


def subscription_key(text: str, *, field: str) -> SubscriptionKey:
    """Return the (member id, subscription id) of a subscription's id.

    Raises:
        InvalidInputError: it is no id of a subscription.
    """
    given = decode_id(text, expected=NODE, field=field)
    return given.pair(field=field)


async def _plan(
    program_id: UUID, version: programs.Version, number: int, one: Plan
) -> SubscriptionPlan:
    # A subscriber keeps the plan of an older version, with the benefits as they were.
    of_then = programs.Version(program_id, number, version.settings, version.in_force_from)
    known = await benefits.benefits(of_then)
    return _plan_of(one, number, version.settings.currency, [known[code] for code in one.benefits])


def _plan_of(
    one: Plan, version: int, currency: str, granted: Sequence[Definition]
) -> SubscriptionPlan:
    return SubscriptionPlan(
        code=one.code,
        name=one.name,
        description=one.description,
        interval=one.interval,
        price=money_of(one.price_minor, currency),
        trial_days=one.trial_days,
        grace_days=one.grace_days,
        welcome_points=Points(one.welcome_points),
        multiplier=str(one.multiplier),
        benefits=[benefit_of(benefit) for benefit in granted],
        version=version,
    )


async def _subscription(
    view: reads.View, version: programs.Version, as_of: datetime | None = None
) -> MemberSubscription:
    currency, state = version.settings.currency, view.state
    return MemberSubscription(
        id=encode_id(NODE, *view.held.key),
        key=view.held.key,
        as_of=as_of,
        status=state.status,
        plan=await _plan(version.program_id, version, state.plan_version, view.plan),
        started_at=state.started_at,
        period_starts_at=state.period_start,
        period_ends_at=state.period_end,
        benefits_end_at=view.entitled_until,
        lapses_at=view.lapses_at,
        amount_due=money_of(view.due_minor, currency),
        credit=money_of(state.credit_minor, currency),
        failed_attempts=state.failed_attempts,
        paused_at=state.paused_at,
        cancelled_at=state.cancelled_at,
        ended_at=state.ended_at,
    )


@loads(NODE, UUID, UUID, owner=0)
async def subscriptions_by_key(
    keys: Sequence[SubscriptionKey], *, program_id: UUID, now: datetime
) -> list[MemberSubscription | None]:
    """Return the subscriptions with these keys."""
    found = await reads.subscriptions(program_id, keys, now=now)
    version = await programs.in_force(program_id, now, now=now)
    return [await _subscription(found[key], version) if key in found else None for key in keys]


async def _newest(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[MemberSubscription | None]:
    found = await reads.newest(program_id, member_ids, now=now)
    version = await programs.in_force(program_id, now, now=now)
    return [
        await _subscription(found[one], version) if one in found else None for one in member_ids
    ]


async def _newest_then(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime, as_of: datetime
) -> list[MemberSubscription | None]:
    found = await reads.newest_then(program_id, member_ids, at=as_of, now=now)
    version = await programs.in_force(program_id, as_of, now=now)
    return [
        await _subscription(found[one], version, as_of) if one in found else None
        for one in member_ids
    ]


async def _totals(
    keys: Sequence[SubscriptionKey], *, program_id: UUID, now: datetime, as_of: datetime | None
) -> list[tuple[Money, Money]]:
    found = await reads.totals(program_id, keys, at=as_of)
    currency = (await programs.in_force(program_id, now, now=now)).settings.currency
    return [
        (money_of(found[key].paid_minor, currency), money_of(found[key].saved_minor, currency))
        for key in keys
    ]


@strawberry.type
class SubscriptionQuery:
    """Queries about paid memberships."""

    @strawberry.field(
        description=(
            "The plans that members can subscribe to, in the programme's order. "
            "Everybody may ask, also without a token."
        ),
        extensions=[Everybody()],
    )
    async def subscription_plans(self, info: Info, slug: Slug = None) -> list[SubscriptionPlan]:
        program_id, now = await program_asked_for(info.context, slug), info.context.now
        version = await programs.in_force(program_id, now, now=now)
        offered = await reads.plans(program_id, now=now)
        return [await _plan(program_id, version, number, one) for number, one in offered]

    @strawberry.field(
        description="A paid membership; null when there is none with this id.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def subscription(
        self,
        info: Info,
        global_id: Annotated[
            strawberry.ID,
            strawberry.argument(name="id", description="The id of a MemberSubscription."),
        ],
    ) -> MemberSubscription | None:
        key = subscription_key(global_id, field="id")
        found: MemberSubscription | None = await load(info, NODE, *key)
        return found
