from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.errors import SubscriptionStateError
from loyalty_graph.subscriptions.rules import (
    TRANSITIONS,
    BillingInterval,
    Event,
    Status,
    SubscriptionPlan,
    moved,
)
from tests.subscriptions.making import plan

ALLOWED = {
    "INCOMPLETE": {"TRIALING", "ACTIVE", "CANCELLED", "EXPIRED"},
    "TRIALING": {"TRIALING", "ACTIVE", "PAST_DUE", "CANCELLED"},
    "ACTIVE": {"ACTIVE", "PAST_DUE", "PAUSED", "CANCELLED"},
    "PAST_DUE": {"ACTIVE", "CANCELLED", "EXPIRED"},
    "PAUSED": {"ACTIVE", "CANCELLED"},
    "CANCELLED": {"ACTIVE", "TRIALING", "EXPIRED"},
    "EXPIRED": {"PAST_DUE"},
}


def test_each_state_leads_to_these_states_only():
    found = {
        status.value: {
            after.value for (before, _), after in TRANSITIONS.items() if before is status
        }
        for status in Status
    }

    assert found == ALLOWED


@pytest.mark.parametrize(
    ("status", "event"),
    [pair for pair in product(Status, Event) if pair not in TRANSITIONS],
    ids="-".join,
)
def test_every_other_transition_is_refused(status: Status, event: Event):
    with pytest.raises(SubscriptionStateError):
        moved(status, event)


def test_a_refusal_says_what_cannot_be_done():
    with pytest.raises(SubscriptionStateError) as refused:
        moved(Status.PAST_DUE, Event.CHANGE_PLAN)

    assert refused.value.message == (
        "A subscription that is past due cannot be moved to another plan."
    )


def data(**changes: Any) -> dict[str, Any]:
    given = {"code": "PLUS", "name": "Plus", "interval": "MONTH", "price_minor": 499, **changes}
    return {key: value for key, value in given.items() if value is not None}


def test_a_plan_with_only_what_it_needs():
    found = SubscriptionPlan.model_validate(data())

    assert (found.interval, found.interval.months) == (BillingInterval.MONTH, 1)
    assert (found.trial_days, found.grace_days, found.dunning_attempts) == (0, 7, 3)
    assert (found.grants(), found.multipliers()) == ([], [])
    assert BillingInterval.YEAR.months == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price_minor": None}, "the plan PLUS has no price; give price_minor"),
        ({"price_minor": 0}, "the plan PLUS has no price; give price_minor"),
        ({"price_minor": -1}, "greater than or equal to 1"),
        ({"price_minor": "cheap"}, "valid integer"),
        ({"interval": "WEEK"}, "Input should be 'MONTH' or 'YEAR'"),
        ({"interval": None}, "Field required"),
        ({"grace_days": 0}, "greater than or equal to 1"),
        ({"grace_days": 29}, "less than or equal to 28"),
        ({"dunning_attempts": 0}, "greater than or equal to 1"),
        ({"trial_days": -1}, "greater than or equal to 0"),
        ({"welcome_points": -1}, "greater than or equal to 0"),
        ({"multiplier": 1.5}, "is no ratio"),
        ({"benefits": ["GIFT", "GIFT"]}, "a benefit stands twice"),
        ({"code": "plus monthly"}, "should match pattern"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_fault(changes: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        SubscriptionPlan.model_validate(data(**changes))


def test_what_is_no_table_is_no_plan():
    with pytest.raises(ValidationError, match="valid dictionary"):
        SubscriptionPlan.model_validate("PLUS")


def test_what_a_plan_gives():
    found = plan(benefits=("GIFT",), multiplier="3/2")

    assert [(one.benefit, one.source, one.code, one.until) for one in found.grants()] == [
        ("GIFT", "SUBSCRIPTION", "PLUS", None)
    ]
    assert [one.to_json() for one in found.multipliers()] == [
        ["SUBSCRIPTION", "PLUS", "3/2", "Plus"]
    ]
