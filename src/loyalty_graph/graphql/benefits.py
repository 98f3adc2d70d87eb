"""Benefits: what members may use and why, and using it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from loyalty_graph.benefits.rules import Benefit as Definition
from loyalty_graph.benefits.rules import BenefitKind, GrantSource, UsePeriod
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.member_payload import MemberPayload
from loyalty_graph.graphql.money import minor_of
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import currency_of
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.usecases import entitlements as using

describe_enum(
    BenefitKind,
    "What a member gets.",
    {
        BenefitKind.FREE_SHIPPING: "Orders are sent without a fee.",
        BenefitKind.EARLY_ACCESS: "Buys before others may.",
        BenefitKind.MEMBER_PRICE: "Pays a price of members.",
        BenefitKind.CONTENT: "Something to read, see or hear.",
        BenefitKind.BIRTHDAY_GIFT: "A gift in the month of the birthday.",
        BenefitKind.EXPRESS_DELIVERY: "Orders arrive sooner.",
        BenefitKind.FREE_REFILL: "The cup is filled again, so many times in a period.",
        BenefitKind.CUSTOM: "Something else; its name says what.",
    },
)
describe_enum(
    UsePeriod,
    "After which uses begin anew, in the programme's time zone.",
    {
        UsePeriod.DAY: "Each day.",
        UsePeriod.WEEK: "Each week, from Monday.",
        UsePeriod.MONTH: "Each month.",
        UsePeriod.YEAR: "Each year.",
    },
)
describe_enum(
    GrantSource,
    "Whence a member has something.",
    {
        GrantSource.TIER: "From a tier.",
        GrantSource.SUBSCRIPTION: "From a paid membership.",
    },
)


@strawberry.type(description="Something a programme grants beside points.")
class Benefit:
    """A benefit's definition."""

    code: str = strawberry.field(description="What useEntitlement calls it, such as REFILL.")
    kind: BenefitKind = strawberry.field(description="What a member gets.")
    name: str = strawberry.field(description="What members call it.")
    description: str = strawberry.field(description="More about it; empty when nothing is said.")
    uses: int | None = strawberry.field(
        description="How often in each period; null when uses are not counted."
    )
    per: UsePeriod | None = strawberry.field(
        description="The period; null when uses are not counted."
    )


@strawberry.type(description="What grants a benefit.")
class EntitlementSource:
    """A grant."""

    source: GrantSource = strawberry.field(description="A tier or a paid membership.")
    code: str = strawberry.field(description="Which one, by its code.")
    until: datetime | None = strawberry.field(
        description="When it ends if nothing changes; null when that is open."
    )


@strawberry.type(description="A benefit that a member may use now, and why.")
class Entitlement:
    """An entitlement."""

    benefit: Benefit = strawberry.field(description="What may be used.")
    sources: list[EntitlementSource] = strawberry.field(description="What grants it.")
    until: datetime | None = strawberry.field(
        description="When the last of these ends; null when that is open."
    )
    used: int = strawberry.field(description="How often it was used in this period.")
    left: int | None = strawberry.field(
        description="How often it may still be used; null as often as one likes."
    )
    renews_at: datetime | None = strawberry.field(
        description="When uses begin anew; null when they are not counted."
    )


def benefit_of(one: Definition) -> Benefit:
    """Return a benefit as the API shows it."""
    return Benefit(
        code=one.code,
        kind=one.kind,
        name=one.name,
        description=one.description,
        uses=one.uses,
        per=one.per,
    )


def _entitlement(one: using.Entitlement) -> Entitlement:
    return Entitlement(
        benefit=benefit_of(one.benefit),
        sources=[
            EntitlementSource(source=GrantSource(grant.source), code=grant.code, until=grant.until)
            for grant in one.grants
        ],
        until=one.until,
        used=one.used,
        left=one.left,
        renews_at=one.renews_at,
    )


async def _entitlements(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[Entitlement]]:
    found = await using.entitlements(program_id, member_ids, now=now)
    return [[_entitlement(one) for one in found[member_id]] for member_id in member_ids]


@strawberry.type
class EntitledMember:
    """What a member may use."""

    key: strawberry.Private[UUID]

    @strawberry.field(description="The benefits that may be used now, and why.")
    async def entitlements(self, info: Info) -> list[Entitlement]:
        return await batched(info, _entitlements, self.key)


@strawberry.type
class BenefitQuery:
    """Queries about benefits."""

    @strawberry.field(
        description="The benefits that a member may use now, and why.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def entitlements(
        self,
        info: Info,
        member: Annotated[MemberRef, strawberry.argument(description="Whose.")],
    ) -> list[Entitlement]:
        wanted = member.reference(field="member")
        found = await members.find(info.context.program_id, wanted)
        return await batched(info, _entitlements, found.id)


@strawberry.input(description="A benefit that a member uses once, now.")
class UseEntitlementInput:
    """The input of useEntitlement."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who uses it.")
    benefit: str = strawberry.field(description="Which one, by its code.")
    saved: Decimal | None = strawberry.field(
        default=None,
        description=(
            "What the member saves by it, such as the fee for shipping, in the programme's "
            "currency; it counts in MemberSubscription.savedValue."
        ),
    )

    async def command(self, context: Context) -> using.UseEntitlement:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference or the amount is malformed.
        """
        saved, currency = self.saved or Decimal(0), await currency_of(context)
        return using.UseEntitlement(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            benefit=self.benefit,
            saved_minor=minor_of(saved, currency, field="saved"),
        )


@strawberry.type(description="What useEntitlement did.")
class UseEntitlementPayload(MemberPayload):
    """The answer of useEntitlement."""

    used: int | None = strawberry.field(
        default=None, description="Which use of its period this was; a retry gets the same answer."
    )
    left: int | None = strawberry.field(
        default=None, description="How many are left after it; null as often as one likes."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type
class BenefitMutation:
    """Mutations of benefits."""

    @strawberry.mutation(
        description="Counts one use of a benefit by a member who may use it now.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(UseEntitlementPayload)],
    )
    async def use_entitlement(
        self, info: Info, given: Input[UseEntitlementInput]
    ) -> UseEntitlementPayload | None:
        context = info.context
        command = await given.command(context)
        done = await using.use_entitlement(context.program_id, command, now=context.now)
        return UseEntitlementPayload(
            key=done.member_id, used=done.used, left=done.left, replayed=done.replayed
        )
