"""How long points live, by each policy."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.programs.expiry import ExpiryPolicy, ExpirySettings, expires_at
from loyalty_graph.programs.rules import PointSettings

UNITS = {"unit_one": "bean", "unit_other": "beans"}


def rolling(months: int, end: str = "DAY") -> dict[str, Any]:
    return {"policy": "ROLLING", "months": months, "end": end}


def fixed(*dates: str, minimum_months: int = 0) -> dict[str, Any]:
    return {"policy": "FIXED", "dates": dates, "minimum_months": minimum_months}


@pytest.mark.parametrize(
    ("case", "expiry", "earned", "last"),
    [
        ("so many months", rolling(6), "2026-03-02", "2026-09-02"),
        ("a shorter month", rolling(1), "2026-01-31", "2026-02-28"),
        ("to the month's end", rolling(6, "MONTH"), "2026-03-02", "2026-09-30"),
        ("to the end of February", rolling(12, "MONTH"), "2027-02-28", "2028-02-29"),
        ("to the year's end", rolling(6, "YEAR"), "2026-03-02", "2026-12-31"),
        ("to the next year's end", rolling(12, "YEAR"), "2026-01-01", "2027-12-31"),
        ("the next date", fixed("12-31"), "2026-03-02", "2026-12-31"),
        ("on the date itself", fixed("12-31"), "2026-12-31", "2026-12-31"),
        ("a date next year", fixed("06-30"), "2026-07-01", "2027-06-30"),
        ("the first of several", fixed("12-31", "06-30"), "2026-03-02", "2026-06-30"),
        ("the second of several", fixed("12-31", "06-30"), "2026-07-01", "2026-12-31"),
        ("too young", fixed("12-31", minimum_months=3), "2026-10-01", "2027-12-31"),
        ("just old enough", fixed("12-31", minimum_months=3), "2026-09-30", "2026-12-31"),
        ("years later", fixed("03-31", minimum_months=24), "2026-04-01", "2029-03-31"),
        ("a leap day", fixed("02-29"), "2026-03-01", "2027-02-28"),
        ("a leap day that there is", fixed("02-29"), "2027-03-01", "2028-02-29"),
    ],
)
def test_points_live_to_their_last_day(case: str, expiry: dict[str, Any], earned: str, last: str):
    settings = ExpirySettings.model_validate(expiry)

    assert settings.last_day(date.fromisoformat(earned)) == date.fromisoformat(last)


def test_points_of_no_policy_have_no_last_day():
    settings = ExpirySettings(policy=ExpiryPolicy.NONE)

    assert settings.last_day(date(2026, 3, 2)) is None
    assert expires_at(settings, date(2026, 3, 2), "UTC") is None


def test_points_that_slide_have_no_last_day_of_their_own():
    sliding = {"policy": "SLIDING", "months": 6, "end": "MONTH", "resets": ["PURCHASE"]}
    settings = ExpirySettings.model_validate(sliding)

    assert settings.last_day(date(2026, 3, 2)) is None
    assert settings.after_months(date(2026, 3, 2)) == date(2026, 9, 30)


def test_the_last_day_ends_in_the_programmes_zone():
    settings = ExpirySettings.model_validate(fixed("12-31"))

    gone = expires_at(settings, date(2026, 3, 2), "America/New_York")

    assert gone == datetime(2027, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expiry", "message"),
    [
        ({"policy": "ROLLING"}, "an expiry of the policy ROLLING needs months"),
        ({"policy": "FIXED"}, "an expiry of the policy FIXED needs dates"),
        ({"policy": "SLIDING", "months": 6}, "an expiry of the policy SLIDING needs resets"),
        ({"policy": "SLIDING", "resets": ["PURCHASE"]}, "the policy SLIDING needs months"),
        ({"policy": "SLIDING", "months": 6, "resets": ["VISIT"]}, "should match pattern"),
        ({**rolling(6), "resets": ["PURCHASE"]}, "an expiry of the policy ROLLING has no resets"),
        ({"policy": "NONE", "notice_days": 1}, "an expiry of the policy NONE has no notice_days"),
        ({"policy": "NONE", "months": 6}, "an expiry of the policy NONE has no months"),
        ({**fixed("12-31"), "months": 6}, "an expiry of the policy FIXED has no months"),
        ({**fixed("12-31"), "end": "YEAR"}, "an expiry of the policy FIXED has no end"),
        ({**rolling(6), "dates": ["12-31"]}, "an expiry of the policy ROLLING has no dates"),
        ({**rolling(6), "minimum_months": 1}, "policy ROLLING has no minimum_months"),
        (rolling(0), "greater than or equal to 1"),
        (rolling(121), "less than or equal to 120"),
        (fixed("12-32"), "'12-32' is no day of the year; write it as 12-31"),
        (fixed("1-5"), "'1-5' is no day of the year"),
        (fixed("2026-12-31"), "'2026-12-31' is no day of the year"),
        (fixed("\u0660\u0661-\u0660\u0662"), "is no day of the year"),
        (fixed(*["12-31"] * 13), "at most 12 items"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(expiry: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        ExpirySettings.model_validate(expiry)


@pytest.mark.parametrize(
    ("given", "policy", "months"),
    [
        ({}, "NONE", None),
        ({"expiry_months": 6}, "ROLLING", 6),
        ({"expiry": rolling(9)}, "ROLLING", 9),
        ({"expiry": fixed("12-31")}, "FIXED", None),
    ],
)
def test_a_programme_says_its_policy_or_only_the_months(
    given: dict[str, Any], policy: str, months: int | None
):
    points = PointSettings.model_validate({**UNITS, **given})

    assert (points.lives.policy, points.lives.months) == (policy, months)


def test_a_programme_does_not_say_it_twice():
    with pytest.raises(ValidationError, match="expiry_months is short for an expiry"):
        PointSettings.model_validate({**UNITS, "expiry_months": 6, "expiry": rolling(6)})
