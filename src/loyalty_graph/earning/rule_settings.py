"""Earning rules and offers as the programme file says them: when they hold, and what they give."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from loyalty_graph.benefits.rules import Code, Ratio
from loyalty_graph.conditions.fields import Described, condition_of, line_condition_of
from loyalty_graph.earning.pending import Pending
from loyalty_graph.earning.rules import Rate
from loyalty_graph.earning.schedules import check_opens, check_recurrence
from loyalty_graph.earning.vocabulary import ACTIVITIES, PURCHASES
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.segments.vocabulary import MEMBERS

RULES_MAX = 200
OFFERS_MAX = 200
CAPS_MAX = 5
STEPS_MAX = 20
TARGETS_MAX = 50
POINTS_MAX = 10**9
BUDGET_MAX = 10**15
PRIORITY_MAX = 1000
COOLDOWN_HOURS_MAX = 366 * 24
SCHEDULE_MINUTES_MAX = 7 * 24 * 60

ConditionData = Annotated[dict[str, Any], Field(min_length=1)]
"""A condition as its plain data; it is kept with the version as it stands in the file."""

PurchaseCondition = Annotated[ConditionData, condition_of(PURCHASES)]
LineCondition = Annotated[ConditionData, line_condition_of(PURCHASES)]
MemberCondition = Annotated[ConditionData, condition_of(MEMBERS)]
_ACTIVITY_CONDITION = TypeAdapter(Annotated[ConditionData, condition_of(ACTIVITIES)])
_PURCHASE_CONDITION = TypeAdapter(PurchaseCondition)
_EITHER = Described((PURCHASES.name, ACTIVITIES.name))

Label = Annotated[str, Field(min_length=1, max_length=40)]


class Stacking(StrEnum):
    """What becomes of several bonuses for one purchase: their sum, or only the best one."""

    SUM = "SUM"
    BEST = "BEST"


class CapPeriod(StrEnum):
    """Over what a cap counts, in the programme's time zone; weeks begin on Monday."""

    PURCHASE = "PURCHASE"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"
    EVER = "EVER"


class CapScope(StrEnum):
    """Whose points a cap over everything counts: each member's, or those of all together."""

    MEMBER = "MEMBER"
    PROGRAM = "PROGRAM"


class OncePer(StrEnum):
    """For what an activity counts once: the member, the named network, or the proof it gives."""

    MEMBER = "MEMBER"
    NETWORK = "NETWORK"
    PROOF = "PROOF"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CarriedRate(Rate):
    """A rate that may carry what a whole step leaves over to the member's next purchase."""

    carry: bool = False

    @model_validator(mode="after")
    def _carry_whole_steps(self) -> Self:
        if self.carry and (self.granularity, self.rounding) != ("STEP", "FLOOR"):
            raise ValueError('carry goes with granularity = "STEP" and rounding = "FLOOR"')
        return self


class Step(_Settings):
    """So many points from so much on; the highest step that is reached counts."""

    from_minor: int = Field(ge=1, le=10**12)
    points: int = Field(ge=1, le=POINTS_MAX)


class Cap(_Settings):
    """The most a rule gives one member in a period: points, or how often it counts."""

    points: int | None = Field(default=None, ge=1, le=BUDGET_MAX)
    times: int | None = Field(default=None, ge=1, le=1_000_000)
    per: CapPeriod

    @model_validator(mode="after")
    def _limit_one_thing(self) -> Self:
        if (self.points is None) == (self.times is None):
            raise ValueError("a cap limits points or times, one of them")
        if self.times is not None and self.per is CapPeriod.PURCHASE:
            raise ValueError("a rule counts once for a purchase anyway; cap its points")
        return self


class TotalCap(_Settings):
    """The most that all of a member's purchases earn in a period, or those of all members."""

    points: int = Field(ge=1, le=BUDGET_MAX)
    per: CapPeriod
    scope: CapScope = CapScope.MEMBER

    @model_validator(mode="after")
    def _span_purchases(self) -> Self:
        if self.scope is CapScope.PROGRAM and self.per is CapPeriod.PURCHASE:
            raise ValueError("a single purchase is one member's; cap it with scope = MEMBER")
        return self


class Budget(_Settings):
    """The most a rule gives all members together in a period."""

    points: int = Field(ge=1, le=BUDGET_MAX)
    per: CapPeriod = CapPeriod.EVER

    @model_validator(mode="after")
    def _span_purchases(self) -> Self:
        if self.per is CapPeriod.PURCHASE:
            raise ValueError("a budget is for a DAY, WEEK, MONTH or YEAR, or EVER; use a cap")
        return self


def _as_text(moment: Any) -> Any:
    """Return a moment that the file writes without quotes as its text; anything else as it is."""
    return moment.isoformat() if isinstance(moment, datetime) else moment


class Schedule(_Settings):
    """Windows that recur: each begins at an occurrence of `rrule` and is open for `minutes`.

    `begins` is local wall-clock time in the programme's zone, such as 2026-11-28T14:00:00, and so
    are the windows' ends: a window over a change of clocks is an hour shorter or longer.
    Source of the recurrence: RFC 5545, section 3.3.10.
    """

    rrule: str = Field(min_length=1, max_length=200)
    begins: Annotated[str, BeforeValidator(_as_text), Field(min_length=16, max_length=19)]
    minutes: int = Field(ge=1, le=SCHEDULE_MINUTES_MAX)

    @property
    def length(self) -> timedelta:
        """Return how long each window is, by the wall clock."""
        return timedelta(minutes=self.minutes)

    @model_validator(mode="after")
    def _recur(self) -> Self:
        check_recurrence(self.rrule, self.begins, self.length)
        return self


class _Bonus(_Settings):
    """What rules and offers share: when they hold, what they give, and how much at most.

    `lines` is a condition on the lines that count, all that are not excluded if not given. One of
    `rate`, `multiplier`, `points` and `steps` says what it gives, for what was paid with money for
    those lines together. A multiplier of "2" gives the lines' points once more, without those of
    tier and plan. Of a `group` only one counts: of the highest `priority`, then the one that gives
    most, then the first.
    """

    code: Code
    name: str = Field(min_length=1, max_length=60)
    lines: LineCondition | None = None
    rate: CarriedRate | None = None
    multiplier: Ratio | None = None
    points: int | None = Field(default=None, ge=1, le=POINTS_MAX)
    steps: tuple[Step, ...] = Field(default=(), max_length=STEPS_MAX)
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    schedule: Schedule | None = None
    tiers: tuple[Code, ...] = Field(default=(), max_length=TARGETS_MAX)
    plans: tuple[Code, ...] = Field(default=(), max_length=TARGETS_MAX)
    segments: tuple[Code, ...] = Field(default=(), max_length=TARGETS_MAX)
    group: Code | None = None
    priority: int = Field(default=0, ge=0, le=PRIORITY_MAX)
    caps: tuple[Cap, ...] = Field(default=(), max_length=CAPS_MAX)
    budget: Budget | None = None
    pending: Pending | None = None

    @model_validator(mode="after")
    def _give_one_thing(self) -> Self:
        given = (self.rate, self.multiplier, self.points, self.steps or None)
        if sum(one is not None for one in given) != 1:
            raise ValueError("say what it gives: one of rate, multiplier, points or steps")
        return self

    @model_validator(mode="after")
    def _open_before_closing(self) -> Self:
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            raise ValueError("closes_at is not after opens_at")
        return self

    @model_validator(mode="after")
    def _open_at_times(self) -> Self:
        if (one := self.schedule) is not None:
            check_opens(one.rrule, one.begins, one.length, self.opens_at, self.closes_at)
        return self

    @model_validator(mode="after")
    def _give_more(self) -> Self:
        if self.multiplier is not None and self.multiplier <= 1:
            raise ValueError('a bonus gives more: the multiplier is above "1"')
        if self.rate is not None and not self.rate.points:
            raise ValueError("a bonus gives more: the rate has points")
        return self

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        amounts = [step.from_minor for step in self.steps]
        if amounts != sorted(set(amounts)):
            raise ValueError("steps ascend: each from_minor is above the one before")
        return self


class EarningRule(_Bonus):
    """A bonus beside the points of the lines: for purchases, or for an activity (`on`).

    `when` is a condition on the purchase as a whole, or on the activity.
    For activities: `cooldown_hours` between two that count, `once_per` what they count once for,
    `needs_proof` whether they must name a proof.
    """

    on: Literal["PURCHASE"] | ActivityKind = "PURCHASE"
    when: Annotated[ConditionData, _EITHER] | None = None
    cooldown_hours: int = Field(default=0, ge=0, le=COOLDOWN_HOURS_MAX)
    once_per: OncePer | None = None
    needs_proof: bool = False

    @field_validator("when", mode="after")
    @classmethod
    def _ask_what_is_known(cls, given: Any, info: ValidationInfo) -> Any:
        if given is None or "on" not in info.data:
            return given
        is_bought = info.data["on"] == "PURCHASE"
        return (_PURCHASE_CONDITION if is_bought else _ACTIVITY_CONDITION).validate_python(given)

    @model_validator(mode="after")
    def _fit_its_trigger(self) -> Self:
        if self.on == "PURCHASE":
            if self.cooldown_hours or self.once_per or self.needs_proof:
                raise ValueError("cooldown_hours, once_per and needs_proof are for activities")
        elif self.points is None or self.lines is not None:
            raise ValueError("an activity has no lines and no amount; give points")
        return self


class Offer(_Bonus):
    """A bonus for a member who activated it before buying; `uses` times, if not given once.

    `when` is a condition on the purchase as a whole, `audience` one on the member: who sees it and
    may activate it.
    """

    when: PurchaseCondition | None = None

    description: str = Field(default="", max_length=400)
    audience: MemberCondition | None = None
    uses: int = Field(default=1, ge=1, le=1000)
