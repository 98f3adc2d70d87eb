from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.earning.settings import EarningSettings
from tests.earning.books import rule, settings

STEP = {"points": 1, "per_amount_minor": 100, "granularity": "STEP"}


def faults(*rules: dict[str, Any], **given: Any) -> list[tuple[str, str]]:
    """Return where such a programme is wrong, and how."""
    with pytest.raises(ValidationError) as refused:
        settings(*rules, **given)
    return [
        (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, "))
        for one in refused.value.errors()
    ]


@pytest.mark.parametrize(
    ("case", "given", "fault"),
    [
        ("nothing given", {"points": None}, "say what it gives: one of rate"),
        ("two things given", {"multiplier": "2", "points": 5}, "say what it gives: one of rate"),
        ("a multiplier that takes", {"multiplier": "1/2"}, 'the multiplier is above "1"'),
        ("a multiplier of nothing", {"multiplier": "1"}, 'the multiplier is above "1"'),
        ("a rate of nothing", {"rate": {**STEP, "points": 0}}, "the rate has points"),
        (
            "steps that fall",
            {"steps": [{"from_minor": 2, "points": 1}, {"from_minor": 2, "points": 2}]},
            "steps ascend",
        ),
        (
            "closed before it opens",
            {"opens_at": "2026-01-02T00:00:00Z", "closes_at": "2026-01-02T00:00:00Z"},
            "closes_at is not after opens_at",
        ),
        ("a purchase in a cooldown", {"cooldown_hours": 5}, "are for activities"),
        ("an activity with a rate", {"on": "REVIEW", "rate": STEP}, "give points"),
        (
            "an activity with lines",
            {"on": "REVIEW", "points": 5, "lines": {"sku": "A"}},
            "an activity has no lines",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused_where_it_stands(
    case: str, given: dict[str, Any], fault: str
):
    [(place, said)] = faults(rule("FINE"), rule(**given))

    assert place == "rules.1"
    assert fault in said


@pytest.mark.parametrize(
    ("case", "given", "place", "fault"),
    [
        (
            "a remainder of every cent",
            {"rate": {"points": 1, "per_amount_minor": 100, "carry": True}},
            "rate",
            'carry goes with granularity = "STEP"',
        ),
        (
            "a remainder rounded up",
            {"rate": {**STEP, "rounding": "CEIL", "carry": True}},
            "rate",
            'carry goes with granularity = "STEP"',
        ),
        ("a cap on both", {"caps": [{"points": 1, "times": 1, "per": "DAY"}]}, "caps.0", "one of"),
        ("a cap on nothing", {"caps": [{"per": "DAY"}]}, "caps.0", "one of them"),
        (
            "times a purchase",
            {"caps": [{"times": 1, "per": "PURCHASE"}]},
            "caps.0",
            "counts once for a purchase anyway",
        ),
        ("a budget a purchase", {"budget": {"points": 5, "per": "PURCHASE"}}, "budget", "a cap"),
        ("an unknown key", {"cap": []}, "cap", "Extra inputs are not permitted"),
        (
            "a misspelt term",
            {"when": {"any": [{"purchase": {"totl_minor": 5}}]}},
            "when.any.0.purchase.totl_minor",
            "did you mean total_minor?",
        ),
        (
            "a term of members where there is none",
            {"lines": {"tier": "GOLD"}},
            "lines.tier",
            "there is no term of lines tier",
        ),
        (
            "a number as text",
            {"when": {"purchase": {"total_minor": {"at_least": "50.00"}}}},
            "when.purchase.total_minor.at_least",
            "",
        ),
        (
            "an hour that no clock shows",
            {"when": {"time": {"hour": 24}}},
            "when.time.hour",
            "this can never be true",
        ),
        (
            "what can never be true",
            {"when": {"purchase": {"total_minor": {"at_least": 10, "at_most": 5}}}},
            "when.purchase.total_minor",
            "this can never be true",
        ),
        (
            "a purchase's total of an activity",
            {"on": "REVIEW", "when": {"purchase": {"total_minor": 5}}},
            "when.purchase",
            "there is no group purchase",
        ),
        ("an unknown trigger", {"on": "YAWN", "when": {"yawn": {"wide": True}}}, "on", ""),
    ],
)
def test_a_part_of_a_rule_is_refused_at_its_place(
    case: str, given: dict[str, Any], place: str, fault: str
):
    found = faults(rule(**given))

    assert all(one.startswith(f"rules.0.{place}") for one, _ in found)
    assert any(fault in said for _, said in found)


def test_an_offer_asks_for_what_a_purchase_knows_and_its_audience_for_members():
    offer = {
        "code": "BREAD",
        "name": "Bread",
        "points": 5,
        "when": {"activity": {"kind": "REVIEW"}},
        "audience": {"purchase": {"total_minor": 5}},
    }

    found = faults(offers=[offer])

    assert sorted(place for place, _ in found) == [
        "offers.0.audience.purchase",
        "offers.0.when.activity",
    ]


def test_two_bonuses_of_one_code_are_refused():
    offer = {"code": "BONUS", "name": "Bread", "points": 5}

    [(_, said)] = faults(rule(), offers=[offer])

    assert said.startswith("offers[0].code: BONUS stands at rules[0] too")


def test_windows_begin_at_a_moment_with_or_without_quotes():
    schedule = {"rrule": "FREQ=DAILY", "minutes": 60}

    plain, quoted = (
        settings(rule(schedule={**schedule, "begins": begins}))
        for begins in (datetime.fromisoformat("2026-01-01T14:00:00"), "2026-01-01T14:00:00")
    )

    assert plain == quoted


def test_a_version_is_stored_as_it_was_read():
    given = settings(
        rule(
            when={"time": {"date": {"at_least": "2026-11-01"}}, "member": {"has_email": True}},
            rate={**STEP, "carry": True},
            caps=[{"points": 5, "per": "WEEK"}],
            budget={"points": 100},
            schedule={"rrule": "FREQ=DAILY", "begins": "2026-01-01T14:00", "minutes": 60},
        ),
        rule("TWICE", multiplier="5/4", on="PURCHASE"),
        rule("REVIEWED", on="REVIEW", when={"activity": {"network": ["X", "Y"]}}),
    )

    assert EarningSettings.model_validate(given.model_dump(mode="json")) == given
