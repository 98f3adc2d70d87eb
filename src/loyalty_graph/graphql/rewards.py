"""Rewards: what points can be given for, and what each member is offered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid5

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.inputs import MemberRef
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.nodes import Node, batched, loads
from loyalty_graph.graphql.permissions import Everybody, NeedsScope
from loyalty_graph.graphql.programs import Slug, program_asked_for
from loyalty_graph.graphql.scalars import Count, Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.programs import service as programs
from loyalty_graph.rewards.rules import ExpiredPoints, Obstacle, RewardKind
from loyalty_graph.usecases import reward_offers
from loyalty_graph.usecases.reward_offers import Offered, OnShelf

describe_enum(
    RewardKind,
    "What a reward is.",
    {
        RewardKind.DISCOUNT_AMOUNT: "An amount off a purchase: `value`.",
        RewardKind.DISCOUNT_PERCENT: "A part off a purchase: `percent`.",
        RewardKind.FREE_PRODUCT: "Something from the shop: `product`.",
        RewardKind.STORED_VALUE: "A voucher with money on it: `value`.",
        RewardKind.SHIPPING: "An order is sent for nothing.",
        RewardKind.CUSTOM: "Whatever its name and description say.",
    },
)
describe_enum(
    ExpiredPoints,
    "What becomes of the points when a code is not used in time.",
    {
        ExpiredPoints.KEEP: "They are spent all the same.",
        ExpiredPoints.RETURN: "They go back to the member.",
    },
)
describe_enum(
    Obstacle,
    "Why a member cannot have a reward now.",
    {
        Obstacle.NOT_OPEN_YET: "It opens later.",
        Obstacle.CLOSED: "It is over.",
        Obstacle.OTHER_TIER: "It is for members of other tiers.",
        Obstacle.LIMIT_REACHED: "The member had it as often as allowed.",
        Obstacle.SOLD_OUT: "Nothing is left.",
        Obstacle.POINTS_SHORT: "The member needs more points; see `pointsShort`.",
    },
    name="RewardObstacle",
)


@strawberry.type(description="What a reward costs members of a tier.")
class RewardPrice:
    """A tier's own price."""

    tier: str = strawberry.field(description="The tier's code.")
    cost: Points = strawberry.field(description="The price in points.")


@strawberry.type(description="Something that points can be given for.")
class Reward(Node):
    """A reward of a version of the programme."""

    unit_cost_minor: strawberry.Private[int | None]
    currency: strawberry.Private[str]
    code: str = strawberry.field(description="What redeemReward calls it, such as COFFEE.")
    name: str = strawberry.field(description="What members call it.")
    description: str = strawberry.field(description="More about it; empty when nothing is said.")
    kind: RewardKind = strawberry.field(description="What it is.")
    value: Money | None = strawberry.field(description="What it is worth, where that is money.")
    percent: int | None = strawberry.field(description="How much is off, of DISCOUNT_PERCENT.")
    product: str | None = strawberry.field(description="What one gets, of FREE_PRODUCT.")
    cost: Points = strawberry.field(description="The price in points, unless a tier has another.")
    tier_costs: list[RewardPrice] = strawberry.field(description="Prices of tiers.")
    image_url: str | None = strawberry.field(description="A picture of it.")
    stock_left: Count | None = strawberry.field(
        description="How many are left; null when there is no end of it."
    )
    opens_at: datetime | None = strawberry.field(description="From when it can be had.")
    closes_at: datetime | None = strawberry.field(description="From when it cannot any more.")
    limit_per_member: int | None = strawberry.field(
        description="How often a member may have it; null for any number of times."
    )
    tiers: list[str] = strawberry.field(
        description="The codes of the tiers it is for; empty when it is for everybody."
    )
    personal: bool = strawberry.field(
        description="It is for some members only, whatever their tier; others are not offered it."
    )
    code_days: int | None = strawberry.field(
        description="How many days a code lives, to the end of the last; null for ever."
    )
    hold_minutes_max: int = strawberry.field(
        description="How long points can be set aside for it; 0 when they cannot."
    )
    expired_points: ExpiredPoints = strawberry.field(
        description="What becomes of the points when a code is not used in time."
    )
    refundable: bool = strawberry.field(description="It can be brought back.")

    @strawberry.field(
        description="What one costs the programme.", extensions=[NeedsScope(Scope.PROGRAM_WRITE)]
    )
    def unit_cost(self) -> Money | None:
        return _money(self.unit_cost_minor, self.currency)


@strawberry.type(description="A reward as a member is offered it.")
class RewardOffer:
    """An offer."""

    reward: Reward = strawberry.field(description="The reward.")
    cost: Points = strawberry.field(description="What it costs this member.")
    points_short: Points = strawberry.field(description="How many points are missing; often 0.")
    reasons: list[Obstacle] = strawberry.field(
        description="What is in the way; empty when it can be redeemed now."
    )


def reward_of(program_id: UUID, shelf: OnShelf, currency: str) -> Reward:
    """Return a reward as the API shows it."""
    one = shelf.reward
    return Reward(
        id=encode_id("Reward", _key(program_id, one.code)),
        unit_cost_minor=one.unit_cost_minor,
        currency=currency,
        code=one.code,
        name=one.name,
        description=one.description,
        kind=one.kind,
        value=_money(one.value_minor, currency),
        percent=one.percent,
        product=one.product,
        cost=Points(one.cost_points),
        tier_costs=[
            RewardPrice(tier=tier, cost=Points(cost)) for tier, cost in one.tier_costs.items()
        ],
        image_url=one.image_url,
        stock_left=None if shelf.left is None else Count(shelf.left),
        opens_at=one.opens_at,
        closes_at=one.closes_at,
        limit_per_member=one.limit_per_member,
        tiers=list(one.tiers),
        personal=one.minds_member,
        code_days=one.code_days,
        hold_minutes_max=one.hold_minutes_max,
        expired_points=one.expired_points,
        refundable=one.refundable,
    )


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else money_of(minor, currency)


def _key(program_id: UUID, code: str) -> UUID:
    """Return what a reward is found by: the same in every version of its programme, only there."""
    return uuid5(program_id, code)


async def _shelf(program_id: UUID, now: datetime) -> list[Reward]:
    version = await programs.in_force(program_id, now, now=now)
    found = await reward_offers.on_shelf(program_id, now=now)
    return [reward_of(program_id, one, version.settings.currency) for one in found]


@loads("Reward", UUID, everybody=True)
async def rewards_by_key(
    keys: Sequence[tuple[UUID]], *, program_id: UUID, now: datetime
) -> list[Reward | None]:
    """Return the rewards of the programme's present version with these keys."""
    found = {_key(program_id, one.code): one for one in await _shelf(program_id, now)}
    return [found.get(key) for (key,) in keys]


async def pinned_rewards(
    wanted: Sequence[tuple[int, str]], *, program_id: UUID, now: datetime
) -> list[Reward]:
    """Return the rewards (version, code) as they were in their versions."""
    version = await programs.in_force(program_id, now, now=now)
    found = await reward_offers.pinned(program_id, wanted)
    return [reward_of(program_id, found[one], version.settings.currency) for one in wanted]


async def _offers(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[RewardOffer]]:
    version = await programs.in_force(program_id, now, now=now)
    found = await reward_offers.offers(program_id, member_ids, now=now)
    currency = version.settings.currency
    return [
        [_offer(program_id, one, currency) for one in found[member_id]] for member_id in member_ids
    ]


def _offer(program_id: UUID, offered: Offered, currency: str) -> RewardOffer:
    return RewardOffer(
        reward=reward_of(program_id, offered.shelf, currency),
        cost=Points(offered.offer.cost),
        points_short=Points(offered.offer.points_short),
        reasons=list(offered.offer.obstacles),
    )


@strawberry.type
class RewardedMember:
    """What a member may have for points."""

    key: strawberry.Private[UUID]

    @strawberry.field(
        description=(
            "The rewards meant for the member, the cheapest first, with what is in the way of each."
        )
    )
    async def available_rewards(self, info: Info) -> list[RewardOffer]:
        return await batched(info, _offers, self.key)


@strawberry.type
class RewardQuery:
    """Queries about rewards."""

    @strawberry.field(
        description=(
            "The programme's rewards, in its own order. Everybody may ask, also without a token."
        ),
        extensions=[Everybody()],
    )
    async def rewards(self, info: Info, slug: Slug = None) -> list[Reward]:
        program_id = await program_asked_for(info.context, slug)
        return await _shelf(program_id, info.context.now)

    @strawberry.field(
        description="What a member is offered, the cheapest first.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def available_rewards(
        self,
        info: Info,
        member: Annotated[
            MemberRef, strawberry.argument(description="What you know of the member.")
        ],
    ) -> list[RewardOffer]:
        wanted = member.reference(field="member")
        found = await members.find(info.context.program_id, wanted)
        return await batched(info, _offers, found.id)
