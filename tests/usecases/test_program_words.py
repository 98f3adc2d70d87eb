"""Settings of a programme in plain words."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.usecases.program_words import Words

WORDS = Words("USD", "point", "points", ZoneInfo("America/New_York"), counts_spend=False)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("points", 1, "gives 1 point"),
        ("price_minor", 123_456_789, "costs 1,234,567.89 USD"),
        ("entry", 1200, "reached with 1,200 points"),
        ("trial_days", 1, "free for 1 day at first"),
        ("hold_minutes_max", 60, "can be set aside for 60 minutes"),
        ("cooldown_hours", 1, "counts once in 1 hour"),
        ("percent", 10, "takes 10% off"),
        ("uses", 1, "can be used once"),
        ("opens_at", "2026-12-01T05:00:00Z", "from 01 Dec 2026, 00:00"),
        ("opens_at", "9999-12-31T23:59:59-12:00", "from 31 Dec 9999, 23:59"),
        ("is_loud", True, "is loud: yes"),
        ("is_loud", False, "is loud: no"),
        ("colour", None, "colour: None"),
        ("rate", {"points": 2, "per_amount_minor": 100}, "gives 2 points, for each 1.00 USD"),
        (
            "steps",
            [{"from_minor": 5000, "points": 50}, {"from_minor": 9000, "points": 100}],
            "from 50.00 USD on, gives 50 points; from 90.00 USD on, gives 100 points",
        ),
        (
            "caps",
            [{"points": 500, "times": None, "per": "MONTH"}, {"times": 2, "per": "EVER"}],
            "at most 500 points per month; 2 times ever",
        ),
        ("expiry", {"policy": "NONE"}, "points live for ever"),
        ("pending", {"days": 14}, "points wait for 14 days"),
        ("pending", {"days": 0}, "points wait for 0 days"),
        ("pending", {"until": "2026-12-24"}, "points wait until 2026-12-24"),
        (
            "pending",
            {"event": "RETURN_WINDOW", "latest_days": 60},
            "points wait for return window, 60 days at the latest",
        ),
        ("expiry", {"policy": "ROLLING", "months": 1, "end": "DAY"}, "points live 1 month"),
        (
            "expiry",
            {"policy": "ROLLING", "months": 12, "end": "YEAR"},
            "points live 12 months, to the end of the year",
        ),
        (
            "expiry",
            {"policy": "ROLLING", "months": 1, "notice_days": 14, "reinstate_days": 30},
            "points live 1 month, and end 14 days after a notice, 30 days more if given back later",
        ),
        (
            "expiry",
            {"policy": "SLIDING", "months": 6, "resets": ["PURCHASE", "ACTIVITY"]},
            "points live 6 months after the last PURCHASE or ACTIVITY",
        ),
        ("expiry", {"policy": "FIXED", "dates": ["12-31"]}, "points live to the next 12-31"),
        (
            "expiry",
            {"policy": "FIXED", "dates": ["06-30", "12-31"], "minimum_months": 3},
            "points live to the next 06-30 or 12-31, 3 months old at least",
        ),
        ("budget", {"points": 10_000, "per": "EVER"}, "with a budget of 10,000 points ever"),
        (
            "schedule",
            {"rrule": "FREQ=DAILY", "begins": "2026-12-07T08:00:00", "minutes": 90},
            "open FREQ=DAILY, from 2026-12-07T08:00:00 on, 90 minutes each",
        ),
        ("segments", ["A", "B", "C"], "for the segments A, B and C"),
        ("flags", [True, False], "flags: yes and no"),
    ],
)
def test_a_setting_is_told_with_its_unit(name: str, value: Any, told: str):
    assert WORDS.phrase(name, value) == told


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (
            {"purchase": {"total_minor": {"at_least": 5000}, "channel": "MOBILE"}},
            "purchase total is at least 50.00 USD and purchase channel is MOBILE",
        ),
        ({"time": {"weekday": ["SATURDAY"]}}, "time weekday is SATURDAY"),
        ({"tier": {"code": {"not_in": ["GOLD"]}}}, "tier code is not GOLD"),
        (
            {"purchase": {"is_first": True}, "member": {"has_email": False}},
            "purchase is first and member has no email",
        ),
        ({"subscription": {"is_active": {"is": False}}}, "subscription is not active"),
        ({"tier": {"code": ["GOLD", "PLATINUM"]}}, "tier code is one of GOLD or PLATINUM"),
        (
            {
                "any": [
                    {"time": {"weekday": ["SATURDAY", "SUNDAY"]}},
                    {"member": {"is_birthday": True}},
                ],
                "not": {"subscription": {"is_active": True}},
            },
            (
                "(time weekday is one of SATURDAY or SUNDAY or member is birthday) and "
                "not (subscription is active)"
            ),
        ),
        (
            {"any_line": {"product_type": "COFFEE", "quantity": {"at_least": 2}}},
            "any line (product type is COFFEE and quantity is at least 2)",
        ),
        (
            {
                "sum_lines": {
                    "of": "amount_minor",
                    "where": {"labels": {"has": "ORGANIC"}},
                    "at_least": 2000,
                }
            },
            "the sum of amount where labels has ORGANIC is at least 20.00 USD",
        ),
        ({"count_lines": {"at_most": 3}}, "the number of lines is at most 3"),
        (
            {"all": [{"member": {"language": {"is_set": True}}}, {"x": {"y": {"sounds_like": 1}}}]},
            "(member language is known and x y sounds like 1)",
        ),
        (
            {"member": {"language": {"is_set": False}, "days": {"between": [1, 7]}}},
            "member language is not known and member days is between 1 day and 7 days",
        ),
    ],
)
def test_a_condition_is_told_as_a_sentence(condition: dict[str, Any], told: str):
    assert WORDS.phrase("when", condition) == f"when {told}"


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("tiers", ["A", "B"], ["B", "A"], "tiers in another order"),
        ("tiers", ["A", "B"], ["B", "C"], "tiers: now also C, no longer A"),
        ("terms", "x" * 61, "y", "terms worded anew"),
        ("stock", 5, None, "no longer limited to 5 in all"),
        ("when", {"x": {"y": 1}}, {"x": {"y": 2}}, "when x y is 2 instead of x y is 1"),
    ],
)
def test_a_difference_names_what_was(name: str, before: Any, after: Any, told: str):
    assert WORDS.changed(name, before, after) == told
