"""Offers: what a member is offered beyond the rules for all, and activating it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from loyalty_graph.earning.offers import OfferState
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.member_payload import MemberPayload
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases import offers as offering
from loyalty_graph.usecases.offer_words import gives

describe_enum(
    OfferState,
    "Where an offer stands for a member.",
    {
        OfferState.AVAILABLE: "The member may activate it.",
        OfferState.ACTIVATED: "The next purchase it holds for gets what it gives.",
        OfferState.USED_UP: "The member has used it as often as it may be used.",
    },
)


@strawberry.type(description="Something more for a purchase, for members who activate it before.")
class Offer:
    """An offer as one member sees it."""

    code: str = strawberry.field(description="What activateOffer calls it, such as FRESH_BREAD.")
    name: str = strawberry.field(description="What members call it.")
    description: str = strawberry.field(description="More about it; empty when nothing is said.")
    gives: str = strawberry.field(description="What it gives, such as 20 beans.")
    opens_at: datetime | None = strawberry.field(description="From when it can be had.")
    closes_at: datetime | None = strawberry.field(description="From when it cannot any more.")
    state: OfferState = strawberry.field(description="Where it stands for the member.")
    activated_at: datetime | None = strawberry.field(description="When the member activated it.")
    used: int = strawberry.field(description="How often the member used it.")
    uses_left: int = strawberry.field(
        description="How often it may still be used; before it is activated, how often in all."
    )


async def _offers(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[Offer]]:
    settings = (await programs.in_force(program_id, now, now=now)).settings
    found = await offering.offers(program_id, member_ids, now=now)
    return [[_offer(one, settings) for one in found[member_id]] for member_id in member_ids]


def _offer(one: offering.Offered, settings: ProgramSettings) -> Offer:
    offer, activation = one.offer, one.activation
    return Offer(
        code=offer.code,
        name=offer.name,
        description=offer.description,
        gives=gives(offer, settings),
        opens_at=offer.opens_at,
        closes_at=offer.closes_at,
        state=one.state,
        activated_at=None if activation is None else activation.activated_at,
        used=0 if activation is None else activation.used,
        uses_left=one.uses_left,
    )


@strawberry.type
class OfferedMember:
    """What a member is offered."""

    key: strawberry.Private[UUID]

    @strawberry.field(
        description="The offers that are open and for this member, and where each stands."
    )
    async def offers(self, info: Info) -> list[Offer]:
        return await batched(info, _offers, self.key)


@strawberry.input(description="An offer that a member wants with the next purchases.")
class ActivateOfferInput:
    """The input of activateOffer."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who wants it.")
    offer: str = strawberry.field(description="Which one, by its code.")

    def command(self, context: Context) -> offering.ActivateOffer:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed, or there is no key.
        """
        return offering.ActivateOffer(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            offer=self.offer,
        )


@strawberry.type(description="What activateOffer did.")
class ActivateOfferPayload(MemberPayload):
    """The answer of activateOffer."""

    code: strawberry.Private[str | None] = None
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )

    @strawberry.field(description="The offer, as of now.")
    async def offer(self, info: Info) -> Offer | None:
        shown = [] if self.key is None else await batched(info, _offers, self.key)
        return next((one for one in shown if one.code == self.code), None)


@strawberry.type
class OfferMutation:
    """Mutations of offers."""

    @strawberry.mutation(
        description=(
            "Activates an offer for a member, before buying: clips it to the card. Purchases made "
            "from then on use it."
        ),
        extensions=[
            NeedsScope(Scope.PURCHASES_WRITE, member="own"),
            RefusalsAsData(ActivateOfferPayload),
        ],
    )
    async def activate_offer(
        self, info: Info, given: Input[ActivateOfferInput]
    ) -> ActivateOfferPayload | None:
        context = info.context
        done = await offering.activate(context.program_id, given.command(context), now=context.now)
        return ActivateOfferPayload(key=done.member_id, code=done.offer, replayed=done.replayed)
