"""A programme's plans as its file says them, and from which state a subscription may go where."""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loyalty_graph.benefits.rules import Code, Grant, GrantSource, Multiplier, Ratio
from loyalty_graph.errors import SubscriptionStateError

PLANS_MAX = 50
PRICE_MAX = 10**12
WELCOME_POINTS_MAX = 10**9
TRIAL_DAYS_MAX = 365
# Less than a month, so that a period is paid or lost before the next one is due.
GRACE_DAYS_MAX = 28
DUNNING_ATTEMPTS_MAX = 10
BENEFITS_MAX = 20


class BillingInterval(StrEnum):
    """How long a fee lasts."""

    MONTH = "MONTH"
    YEAR = "YEAR"

    @property
    def months(self) -> int:
        """Return the interval in months."""
        return 1 if self is BillingInterval.MONTH else 12


class SubscriptionPlan(BaseModel):
    """What a member can subscribe to.

    The fee is due at the beginning of each interval. Who has not paid keeps the benefits for
    `grace_days`; in that time a card is tried `dunning_attempts` times. `welcome_points` are given
    once to a member, with the first period that is paid or tried.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    name: str = Field(min_length=1, max_length=60)
    description: str = Field(default="", max_length=400)
    interval: BillingInterval
    price_minor: int = Field(ge=1, le=PRICE_MAX)
    trial_days: int = Field(default=0, ge=0, le=TRIAL_DAYS_MAX)
    grace_days: int = Field(default=7, ge=1, le=GRACE_DAYS_MAX)
    dunning_attempts: int = Field(default=3, ge=1, le=DUNNING_ATTEMPTS_MAX)
    benefits: tuple[Code, ...] = Field(default=(), max_length=BENEFITS_MAX)
    welcome_points: int = Field(default=0, ge=0, le=WELCOME_POINTS_MAX)
    multiplier: Ratio = Fraction(1)

    @model_validator(mode="before")
    @classmethod
    def _need_a_price(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("price_minor"):
            name = given.get("code", "without a code")
            raise ValueError(
                f"the plan {name} has no price; give price_minor, in the currency's smallest unit"
            )
        return given

    @model_validator(mode="after")
    def _say_each_benefit_once(self) -> Self:
        if len(set(self.benefits)) < len(self.benefits):
            raise ValueError("a benefit stands twice")
        return self

    def multipliers(self) -> list[Multiplier]:
        """Return by what this plan multiplies points; nothing when that is one."""
        if self.multiplier == 1:
            return []
        return [Multiplier(GrantSource.SUBSCRIPTION, self.code, self.multiplier, self.name)]

    def grants(self) -> list[Grant]:
        """Return the benefits of this plan, without an end."""
        return [Grant(one, GrantSource.SUBSCRIPTION, self.code, None) for one in self.benefits]


class Status(StrEnum):
    """Where a subscription stands."""

    INCOMPLETE = "INCOMPLETE"
    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Event(StrEnum):
    """What may happen to a subscription, by a command or by time."""

    BEGIN_TRIAL = "BEGIN_TRIAL"
    OPEN_PERIOD = "OPEN_PERIOD"
    FALL_DUE = "FALL_DUE"
    LAPSE = "LAPSE"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    CANCEL = "CANCEL"
    REACTIVATE = "REACTIVATE"
    REACTIVATE_TRIAL = "REACTIVATE_TRIAL"
    CHANGE_PLAN = "CHANGE_PLAN"
    CHANGE_TRIAL = "CHANGE_TRIAL"
    RESTORE = "RESTORE"


class PaymentOutcome(StrEnum):
    """Whether a fee was collected."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


TRANSITIONS: Mapping[tuple[Status, Event], Status] = {
    (Status.INCOMPLETE, Event.BEGIN_TRIAL): Status.TRIALING,
    (Status.INCOMPLETE, Event.OPEN_PERIOD): Status.ACTIVE,
    (Status.INCOMPLETE, Event.CANCEL): Status.CANCELLED,
    (Status.INCOMPLETE, Event.LAPSE): Status.EXPIRED,
    (Status.TRIALING, Event.OPEN_PERIOD): Status.ACTIVE,
    # An outside provider tells of a payment minutes after the trial; grace bridges them.
    (Status.TRIALING, Event.FALL_DUE): Status.PAST_DUE,
    (Status.TRIALING, Event.CANCEL): Status.CANCELLED,
    (Status.TRIALING, Event.CHANGE_TRIAL): Status.TRIALING,
    (Status.ACTIVE, Event.OPEN_PERIOD): Status.ACTIVE,
    (Status.ACTIVE, Event.FALL_DUE): Status.PAST_DUE,
    (Status.ACTIVE, Event.PAUSE): Status.PAUSED,
    (Status.ACTIVE, Event.CANCEL): Status.CANCELLED,
    # The new plan's first period is due; what was not used of the old one pays for it first.
    (Status.ACTIVE, Event.CHANGE_PLAN): Status.PAST_DUE,
    (Status.PAST_DUE, Event.OPEN_PERIOD): Status.ACTIVE,
    (Status.PAST_DUE, Event.CANCEL): Status.CANCELLED,
    (Status.PAST_DUE, Event.LAPSE): Status.EXPIRED,
    (Status.PAUSED, Event.RESUME): Status.ACTIVE,
    (Status.PAUSED, Event.CANCEL): Status.CANCELLED,
    (Status.CANCELLED, Event.REACTIVATE): Status.ACTIVE,
    (Status.CANCELLED, Event.REACTIVATE_TRIAL): Status.TRIALING,
    (Status.CANCELLED, Event.LAPSE): Status.EXPIRED,
    # A payment that was made within the grace, but is told of after it.
    (Status.EXPIRED, Event.RESTORE): Status.PAST_DUE,
}
"""Every move there is; what is not here is refused."""

_DOING = {
    Event.PAUSE: "paused",
    Event.RESUME: "resumed",
    Event.CANCEL: "cancelled",
    Event.REACTIVATE: "reactivated",
    Event.CHANGE_PLAN: "moved to another plan",
}


def moved(status: Status, event: Event) -> Status:
    """Return the state that follows.

    Raises:
        SubscriptionStateError: This cannot happen to a subscription in that state.
    """
    following = TRANSITIONS.get((status, event))
    if following is None:
        raise SubscriptionStateError(status, _DOING.get(event, event.lower()))
    return following
