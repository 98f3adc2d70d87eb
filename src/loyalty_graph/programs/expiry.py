"""How long points live: the last day of what was earned on a day, by the programme's policy."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MONTHS_MAX = 120
DATES_MAX = 12
NOTICE_DAYS_MAX = 365
REINSTATE_DAYS_MAX = 365
A_LEAP_YEAR = 2000
OCCASIONS_MAX = 20
OCCASION = r"^(PURCHASE|REDEMPTION|ACTIVITY(:[A-Z_]{1,30})?)$"
DAY_OF_YEAR = re.compile(r"[0-9]{2}-[0-9]{2}", re.ASCII)


class ExpiryPolicy(StrEnum):
    """When points expire."""

    NONE = "NONE"
    ROLLING = "ROLLING"
    FIXED = "FIXED"
    SLIDING = "SLIDING"


class PeriodEnd(StrEnum):
    """To the end of what points live, once their months are over."""

    DAY = "DAY"
    MONTH = "MONTH"
    YEAR = "YEAR"


def _known_day_of_year(text: str) -> str:
    try:
        assert DAY_OF_YEAR.fullmatch(text), "it has another form"
        date.fromisoformat(f"{A_LEAP_YEAR}-{text}")
    except (AssertionError, ValueError):
        raise ValueError(f"{text[:20]!r} is no day of the year; write it as 12-31") from None
    return text


class ExpirySettings(BaseModel):
    """A programme's policy; it decides which of the other settings there are.

    `months` count from the local day on which points were earned; `end` lengthens them to the end
    of the month or year. `dates` are days of every year (02-29 is the last of February); the first
    of them that finds points at least `minimum_months` old is their last day. Where points slide,
    the months count from the day on which one of the `resets` happened last. With `notice_days`,
    points end only after their owner was told so many days before. Points that are given back when
    their lot has ended stay expired, or live `reinstate_days` more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: ExpiryPolicy
    months: int | None = Field(default=None, ge=1, le=MONTHS_MAX)
    end: PeriodEnd = PeriodEnd.DAY
    dates: tuple[Annotated[str, AfterValidator(_known_day_of_year)], ...] = Field(
        default=(), max_length=DATES_MAX
    )
    minimum_months: int = Field(default=0, ge=0, le=MONTHS_MAX)
    resets: tuple[Annotated[str, Field(pattern=OCCASION)], ...] = Field(
        default=(), max_length=OCCASIONS_MAX
    )
    notice_days: int | None = Field(default=None, ge=1, le=NOTICE_DAYS_MAX)
    reinstate_days: int | None = Field(default=None, ge=1, le=REINSTATE_DAYS_MAX)

    @model_validator(mode="after")
    def _say_what_the_policy_needs(self) -> Self:
        for name, policies in GOES_WITH.items():
            is_said = getattr(self, name) != type(self).model_fields[name].default
            if is_said and self.policy not in policies:
                raise ValueError(f"an expiry of the policy {self.policy} has no {name}")
            if name in NEEDED and self.policy in policies and not is_said:
                raise ValueError(f"an expiry of the policy {self.policy} needs {name}")
        return self

    def last_day(self, day: date) -> date | None:
        """Return the last day of points that were earned on a day; None if they never expire."""
        if self.policy in {ExpiryPolicy.NONE, ExpiryPolicy.SLIDING}:
            return None
        if self.policy is ExpiryPolicy.FIXED:
            return _first_of(self.dates, day + relativedelta(months=self.minimum_months))
        return self.after_months(day)

    def after_months(self, day: date) -> date:
        """Return the last day of what begins on a day and takes the months."""
        return _lengthened(day + relativedelta(months=self.months or 0), self.end)


GOES_WITH: Mapping[str, AbstractSet[ExpiryPolicy]] = {
    "months": {ExpiryPolicy.ROLLING, ExpiryPolicy.SLIDING},
    "end": {ExpiryPolicy.ROLLING, ExpiryPolicy.SLIDING},
    "dates": {ExpiryPolicy.FIXED},
    "minimum_months": {ExpiryPolicy.FIXED},
    "resets": {ExpiryPolicy.SLIDING},
    "notice_days": set(ExpiryPolicy) - {ExpiryPolicy.NONE},
    "reinstate_days": set(ExpiryPolicy) - {ExpiryPolicy.NONE},
}
"""The policies that a setting means something for."""

NEEDED = frozenset({"months", "dates", "resets"})


@lru_cache(maxsize=4096)
def expires_at(expiry: ExpirySettings, day: date, zone: str) -> datetime | None:
    """Return the instant from which points earned on a local day cannot be spent any more.

    They live through their last day; None when they do not expire.
    """
    last = expiry.last_day(day)
    return None if last is None else end_of(last, zone)


def end_of(day: date, zone: str) -> datetime:
    """Return the instant at which a local day is over: the next one has begun."""
    following = day + timedelta(days=1)
    return datetime.combine(following, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _first_of(dates: Sequence[str], earliest: date) -> date:
    years = earliest.year, earliest.year + 1
    return min(one for year in years for one in _in_year(dates, year) if one >= earliest)


def _in_year(dates: Sequence[str], year: int) -> list[date]:
    january = date(year, 1, 1)
    of_leap_year = [date.fromisoformat(f"{A_LEAP_YEAR}-{text}") for text in dates]
    return [january + relativedelta(month=one.month, day=one.day) for one in of_leap_year]


def _lengthened(day: date, end: PeriodEnd) -> date:
    if end is PeriodEnd.MONTH:
        return day + relativedelta(day=31)
    if end is PeriodEnd.YEAR:
        return day + relativedelta(month=12, day=31)
    return day
