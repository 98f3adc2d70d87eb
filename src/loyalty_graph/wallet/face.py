"""What a card shows at one moment, and the names under which templates ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty_graph.money import Money
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet.colours import Colours
from loyalty_graph.wallet.placeholders import Kind, Name

MOMENT = timedelta.resolution
Value = str | int | date | datetime | Money | None

PROGRAM: Mapping[str, Name] = {
    "program.name": Name(Kind.TEXT),
    "program.terms": Name(Kind.TEXT, optional=True),
    "program.support": Name(Kind.TEXT, optional=True),
}
"""What is the same on every card of a programme."""

VOCABULARY: Mapping[str, Name] = {
    **PROGRAM,
    "member.name": Name(Kind.TEXT),
    "member.number": Name(Kind.TEXT),
    "member.since": Name(Kind.DATE),
    "member.tier": Name(Kind.TEXT, optional=True),
    "tier.until": Name(Kind.DATE, optional=True),
    "tier.next": Name(Kind.TEXT, optional=True),
    "tier.missing": Name(Kind.AMOUNT, optional=True),
    "points.balance": Name(Kind.NUMBER),
    "points.unit": Name(Kind.TEXT),
    "points.expiring": Name(Kind.NUMBER, optional=True),
    "points.expires_on": Name(Kind.DATE, optional=True),
    "value.balance": Name(Kind.AMOUNT),
    "value.vouchers": Name(Kind.NUMBER, optional=True),
    "value.expires_on": Name(Kind.DATE, optional=True),
    "subscription.plan": Name(Kind.TEXT, optional=True),
    "subscription.status": Name(Kind.TEXT, optional=True),
    "subscription.renews_on": Name(Kind.DATE, optional=True),
    "subscription.ends_on": Name(Kind.DATE, optional=True),
    "subscription.valid_until": Name(Kind.DATE, optional=True),
    "subscription.ends_at": Name(Kind.INSTANT, optional=True),
    "card.last_change": Name(Kind.TEXT, optional=True),
    "card.message": Name(Kind.TEXT, optional=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFace:
    """More of a member's tier: its code, until when it lasts, and what is missing to the next one.

    `missing` is money or a number of points, as the programme counts.
    """

    code: str | None = None
    until: datetime | None = None
    next_name: str | None = None
    missing: Money | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFace:
    """A member's paid membership on the card.

    It gives its benefits until `valid_until`, None while it is paused. One that `renews` goes on
    from there. `ends_at` is when it is over if nothing is paid from now on.
    """

    name: str
    status: str
    renews: bool
    valid_until: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFace:
    """The money left on a member's vouchers; `expires_at` is when the first of it is lost."""

    balance: Money
    vouchers: int = 0
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFace:
    """What one member's card shows; instants become dates in the programme's time zone.

    `expiring_points` of 0 means nothing expires soon, and the card says nothing about it.
    `last_change` and `message` are ready sentences. `colours` replace those of the template.
    A `void` card is shown greyed out: it is good for nothing any more. `template` is its layout.
    `holds_until` is when the card would show something else though nothing happens, None if never.
    """

    program_name: str
    member_name: str
    member_number: str
    member_since: datetime
    points_balance: int
    points_unit: str
    time_zone: str
    locale: str
    expiring_points: int = 0
    expires_at: datetime | None = None
    tier_name: str | None = None
    tier: TierFace | None = None
    plan: PlanFace | None = None
    value: ValueFace | None = None
    last_change: str | None = None
    message: str | None = None
    terms: str | None = None
    support: str | None = None
    colours: Colours | None = None
    void: bool = False
    template: str = "store-card"
    holds_until: datetime | None = None

    def values(self) -> dict[str, Value]:
        """Return the value of every name of `VOCABULARY`; None and "" where there is none."""
        zone = ZoneInfo(self.time_zone)
        expires_at = self.expires_at if self.expiring_points else None
        return {
            "program.name": self.program_name,
            "program.terms": self.terms,
            "program.support": self.support,
            "member.name": self.member_name,
            "member.number": self.member_number,
            "member.since": self.member_since.astimezone(zone).date(),
            "member.tier": self.tier_name,
            "points.balance": self.points_balance,
            "points.unit": self.points_unit,
            "points.expiring": self.expiring_points if expires_at else None,
            "points.expires_on": _last_day(expires_at, zone),
            **_tier_values(self.tier or NO_TIER, zone),
            **_value_values(self.value, zone),
            **_plan_values(self.plan, zone),
            "card.last_change": self.last_change,
            "card.message": self.message,
        }


NO_TIER = TierFace()
NO_PLAN: Mapping[str, None] = {
    name: None for name in VOCABULARY if name.startswith("subscription.")
}


def program_values(settings: ProgramSettings) -> dict[str, str | None]:
    """Return the value of every name of `PROGRAM`."""
    return {
        "program.name": settings.name,
        "program.terms": settings.branding.terms or None,
        "program.support": settings.branding.support or None,
    }


def _tier_values(tier: TierFace, zone: ZoneInfo) -> dict[str, Value]:
    return {
        "tier.until": _last_day(tier.until, zone),
        "tier.next": tier.next_name,
        "tier.missing": tier.missing,
    }


def _value_values(value: ValueFace | None, zone: ZoneInfo) -> dict[str, Value]:
    return {
        "value.balance": value.balance if value else None,
        "value.vouchers": (value.vouchers or None) if value else None,
        "value.expires_on": _last_day(value.expires_at, zone) if value else None,
    }


def _plan_values(plan: PlanFace | None, zone: ZoneInfo) -> Mapping[str, Value]:
    if plan is None:
        return NO_PLAN
    last_day = _last_day(plan.valid_until, zone)
    return {
        "subscription.plan": plan.name,
        "subscription.status": plan.status,
        "subscription.renews_on": _day(plan.valid_until, zone) if plan.renews else None,
        "subscription.ends_on": None if plan.renews else last_day,
        "subscription.valid_until": last_day,
        "subscription.ends_at": plan.ends_at.astimezone(zone) if plan.ends_at else None,
    }


def _day(at: datetime | None, zone: ZoneInfo) -> date | None:
    return at.astimezone(zone).date() if at else None


def _last_day(end: datetime | None, zone: ZoneInfo) -> date | None:
    """Return the last day before an instant at which something ends."""
    return _day(end - MOMENT if end else None, zone)
