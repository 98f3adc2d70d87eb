"""What rewards there are and who may have them; what can become of a redemption and a voucher."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from loyalty_graph.benefits.rules import Code
from loyalty_graph.conditions.python import compile_python
from loyalty_graph.conditions.reading import read
from loyalty_graph.conditions.tree import Condition
from loyalty_graph.errors import LoyaltyError, WrongStoreError
from loyalty_graph.rewards.errors import (
    OutOfStockError,
    RedemptionCancelledError,
    RedemptionExpiredError,
    RedemptionHeldError,
    RedemptionIssuedError,
    RedemptionRefundedError,
    RedemptionReleasedError,
    RedemptionStateError,
    RedemptionUsedError,
    RewardLimitError,
    RewardNotForMemberError,
    RewardNotForTierError,
    RewardNotOpenError,
)
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.rules import SEGMENTS_MAX, MemberCondition, SegmentSettings
from loyalty_graph.segments.vocabulary import MEMBERS

COST_MAX = 10**12
VALUE_MINOR_MAX = 10**12
STOCK_MAX = 10**9
HOLD_MINUTES_MAX = 7 * 24 * 60
CODE_DAYS_MAX = 3650
REWARDS_MAX = 500


class RewardKind(StrEnum):
    """What a reward is."""

    DISCOUNT_AMOUNT = "DISCOUNT_AMOUNT"
    DISCOUNT_PERCENT = "DISCOUNT_PERCENT"
    FREE_PRODUCT = "FREE_PRODUCT"
    STORED_VALUE = "STORED_VALUE"
    SHIPPING = "SHIPPING"
    CUSTOM = "CUSTOM"


class ExpiredPoints(StrEnum):
    """What becomes of the points when a code was not used in time."""

    KEEP = "KEEP"
    RETURN = "RETURN"


VALUES: Mapping[RewardKind, str | None] = {
    RewardKind.DISCOUNT_AMOUNT: "value_minor",
    RewardKind.DISCOUNT_PERCENT: "percent",
    RewardKind.FREE_PRODUCT: "product",
    RewardKind.STORED_VALUE: "value_minor",
    RewardKind.SHIPPING: None,
    RewardKind.CUSTOM: None,
}
"""Which setting says what a reward of a kind is worth."""


class RewardSettings(BaseModel):
    """A reward. Points and minor units are whole; a window holds from `opens_at` to `closes_at`.

    It is for members who are in one of the `segments` and of whom `when` holds, where these are
    given; nobody else is offered it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    name: str = Field(min_length=1, max_length=60)
    description: str = Field(default="", max_length=1000)
    kind: RewardKind
    value_minor: int | None = Field(default=None, ge=1, le=VALUE_MINOR_MAX)
    percent: int | None = Field(default=None, ge=1, le=100)
    product: str | None = Field(default=None, min_length=1, max_length=60)
    cost_points: int = Field(ge=1, le=COST_MAX)
    tier_costs: dict[Code, int] = Field(default_factory=dict)
    image_url: str | None = Field(default=None, pattern=r"^https://[^\s]+$", max_length=500)
    stock: int | None = Field(default=None, ge=0, le=STOCK_MAX)
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    limit_per_member: int | None = Field(default=None, ge=1, le=10_000)
    tiers: tuple[Code, ...] = ()
    segments: tuple[Code, ...] = Field(default=(), max_length=SEGMENTS_MAX)
    when: MemberCondition | None = None
    unit_cost_minor: int | None = Field(default=None, ge=0, le=VALUE_MINOR_MAX)
    code_days: int | None = Field(default=None, ge=1, le=CODE_DAYS_MAX)
    hold_minutes_max: int = Field(default=0, ge=0, le=HOLD_MINUTES_MAX)
    expired_points: ExpiredPoints = ExpiredPoints.KEEP
    refundable: bool = True

    @model_validator(mode="after")
    def _say_what_it_is_worth(self) -> Self:
        wanted = VALUES[self.kind]
        for name in ("value_minor", "percent", "product"):
            if (getattr(self, name) is not None) is not (name == wanted):
                verb = "needs" if name == wanted else "has no"
                raise ValueError(f"a reward of kind {self.kind} {verb} {name}")
        return self

    @model_validator(mode="after")
    def _be_possible(self) -> Self:
        if any(not 1 <= cost <= COST_MAX for cost in self.tier_costs.values()):
            raise ValueError(f"tier_costs are 1 to {COST_MAX} points")
        if self.tiers and (other := sorted(set(self.tier_costs) - set(self.tiers))):
            raise ValueError(f"{', '.join(other)} has a price but is not among tiers")
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            raise ValueError("closes_at is not after opens_at")
        return self

    def cost_for(self, tier: str | None) -> int:
        """Return what it costs a member of this tier."""
        return self.tier_costs.get(tier or "", self.cost_points)

    @property
    def cost_max(self) -> int:
        """Return the most it costs anybody."""
        return max(self.cost_points, *self.tier_costs.values(), 0)

    @property
    def minds_tiers(self) -> bool:
        """Return whether the member's tier matters."""
        return bool(self.tiers or self.tier_costs)

    @property
    def minds_member(self) -> bool:
        """Return whether it is for some members only, whatever their tier."""
        return bool(self.segments) or self.when is not None

    @cached_property
    def condition(self) -> Condition | None:
        """Return the condition that must hold of a member, if there is one."""
        return None if self.when is None else read(self.when, MEMBERS)

    @cached_property
    def holds(self) -> Callable[[MemberFacts], bool]:
        """Return the function that says whether the condition, if any, holds of a member."""
        return compile_python(self.condition, MEMBERS) if self.condition else lambda _member: True

    def is_for(self, member: MemberFacts, segments: Mapping[str, SegmentSettings]) -> bool:
        """Return whether it is for this member; `segments` are those of its version."""
        if self.segments and not any(segments[code].has(member) for code in self.segments):
            return False
        return self.holds(member)

    def code_expires_at(self, issued_at: datetime, zone: ZoneInfo) -> datetime | None:
        """Return from when a code issued then cannot be used; it lives to the end of a local day.

        None when codes of this reward never expire.
        """
        if self.code_days is None:
            return None
        last_day = issued_at.astimezone(zone).date() + timedelta(days=self.code_days)
        return datetime.combine(last_day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)


class Obstacle(StrEnum):
    """Why a member cannot have a reward now."""

    NOT_OPEN_YET = "NOT_OPEN_YET"
    CLOSED = "CLOSED"
    OTHER_TIER = "OTHER_TIER"
    LIMIT_REACHED = "LIMIT_REACHED"
    SOLD_OUT = "SOLD_OUT"
    POINTS_SHORT = "POINTS_SHORT"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a member stands with a reward; `stock_left` is None when there is no end of it.

    `is_meant` says whether it is for this member at all, the tier aside.
    """

    tier: str | None
    had: int
    stock_left: int | None
    is_meant: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward as a member is offered it; without `obstacles` it can be redeemed now."""

    reward: RewardSettings
    cost: int
    points_short: int
    obstacles: tuple[Obstacle, ...]


def offer(reward: RewardSettings, standing: Standing, *, available: int, now: datetime) -> Offer:
    """Return what the reward costs this member, and everything that is in the way."""
    cost = reward.cost_for(standing.tier)
    short = max(0, cost - available)
    points = [Obstacle.POINTS_SHORT] if short else []
    return Offer(reward, cost, short, (*obstacles(reward, standing, now=now), *points))


def obstacles(reward: RewardSettings, standing: Standing, *, now: datetime) -> list[Obstacle]:
    """Return what is in the way, apart from points."""
    found = []
    if reward.opens_at is not None and now < reward.opens_at:
        found.append(Obstacle.NOT_OPEN_YET)
    if reward.closes_at is not None and reward.closes_at <= now:
        found.append(Obstacle.CLOSED)
    if reward.tiers and standing.tier not in reward.tiers:
        found.append(Obstacle.OTHER_TIER)
    if reward.limit_per_member is not None and standing.had >= reward.limit_per_member:
        found.append(Obstacle.LIMIT_REACHED)
    if standing.stock_left is not None and standing.stock_left < 1:
        found.append(Obstacle.SOLD_OUT)
    return found


def check_obtainable(reward: RewardSettings, standing: Standing, *, now: datetime) -> None:
    """Refuse a reward that the member cannot have now, whatever points there are.

    Raises:
        RewardNotForMemberError: It is for others.
        RewardNotOpenError: Its window has not begun, or is over.
        RewardNotForTierError: It is for other tiers.
        RewardLimitError: The member had it as often as allowed.
        OutOfStockError: Nothing is left.
    """
    if not standing.is_meant:
        raise RewardNotForMemberError(reward.code)
    for obstacle in obstacles(reward, standing, now=now):
        raise _refusal(obstacle, reward)


def _refusal(obstacle: Obstacle, reward: RewardSettings) -> LoyaltyError:
    if obstacle is Obstacle.NOT_OPEN_YET:
        return RewardNotOpenError(reward.code, f"opens at {reward.opens_at}")
    if obstacle is Obstacle.CLOSED:
        return RewardNotOpenError(reward.code, f"was to be had until {reward.closes_at}")
    if obstacle is Obstacle.OTHER_TIER:
        return RewardNotForTierError(reward.code, reward.tiers)
    if obstacle is Obstacle.LIMIT_REACHED:
        return RewardLimitError(reward.code, reward.limit_per_member or 0)
    return OutOfStockError(reward.code)


class RedemptionState(StrEnum):
    """Where a redemption stands."""

    HELD = "HELD"
    ISSUED = "ISSUED"
    USED = "USED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"


class Step(StrEnum):
    """What is done with a redemption; the value completes "This cannot be ..."."""

    CONFIRM = "confirmed"
    USE = "used"
    CANCEL = "cancelled"
    REFUND = "refunded"
    RELEASE = "released"
    EXPIRE = "expired"


TRANSITIONS: Mapping[tuple[RedemptionState, Step], RedemptionState] = {
    (RedemptionState.HELD, Step.CONFIRM): RedemptionState.ISSUED,
    (RedemptionState.HELD, Step.CANCEL): RedemptionState.CANCELLED,
    (RedemptionState.HELD, Step.RELEASE): RedemptionState.RELEASED,
    (RedemptionState.ISSUED, Step.USE): RedemptionState.USED,
    (RedemptionState.ISSUED, Step.CANCEL): RedemptionState.CANCELLED,
    (RedemptionState.ISSUED, Step.EXPIRE): RedemptionState.EXPIRED,
    (RedemptionState.USED, Step.REFUND): RedemptionState.REFUNDED,
}
"""Everything that can become of a redemption; what is not here is refused."""

_REFUSALS: Mapping[RedemptionState, type[RedemptionStateError]] = {
    RedemptionState.HELD: RedemptionHeldError,
    RedemptionState.ISSUED: RedemptionIssuedError,
    RedemptionState.USED: RedemptionUsedError,
    RedemptionState.EXPIRED: RedemptionExpiredError,
    RedemptionState.CANCELLED: RedemptionCancelledError,
    RedemptionState.RELEASED: RedemptionReleasedError,
    RedemptionState.REFUNDED: RedemptionRefundedError,
}


@dataclass(frozen=True, slots=True)
class Redemption:
    """A redemption as it is stored; the moments are None until they come."""

    member_id: UUID
    id: UUID
    reward: str
    version: int
    state: RedemptionState
    points: int
    entry_sequence: int
    store: str | None
    held_until: datetime | None
    created_at: datetime
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    used_at: datetime | None = None
    used_store: str | None = None
    ended_at: datetime | None = None
    restocked: bool = False
    receipt_source: str | None = None
    receipt_id: str | None = None

    @property
    def reference(self) -> str:
        """Return what its transfers in the ledger are named by."""
        return f"reward:{self.id}"

    def state_at(self, now: datetime) -> RedemptionState:
        """Return where it stands: a time that is over counts, whether or not it was written."""
        if self.state is RedemptionState.HELD and self.held_until and self.held_until <= now:
            return RedemptionState.RELEASED
        if self.state is RedemptionState.ISSUED and self.expires_at and self.expires_at <= now:
            return RedemptionState.EXPIRED
        return self.state

    def check(self, step: Step, *, now: datetime) -> None:
        """Refuse a step that cannot be taken now.

        Raises:
            RedemptionStateError: The redemption's state does not allow it; the subclass says which.
        """
        state = self.state_at(now)
        if (state, step) not in TRANSITIONS:
            raise _REFUSALS[state](step)

    def check_store(self, store: str | None) -> None:
        """Refuse a store other than the one the redemption is restricted to.

        Raises:
            WrongStoreError: It is another one, or none was said.
        """
        if self.store is not None and store != self.store:
            raise WrongStoreError(self.store, what="This code")

    def stepped(self, step: Step, *, now: datetime, restock: bool) -> "Redemption":
        """Return the redemption after a step that its stored state allows."""
        state = TRANSITIONS[self.state, step]
        if state is RedemptionState.ISSUED:
            return replace(self, state=state, held_until=None, issued_at=now)
        if state is RedemptionState.USED:
            return replace(self, state=state, used_at=now)
        return replace(self, state=state, ended_at=now, restocked=restock)
