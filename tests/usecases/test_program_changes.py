"""What differs between two programmes, in plain words."""

from copy import deepcopy
from typing import Any

import pytest

from loyalty_graph.usecases import program_file
from loyalty_graph.usecases.program_changes import Change, ChangeKind, changes
from tests.shop import COFFEE, NOTE, PROGRAM
from tests.tiers.shop import BENEFITS, TIERS
from tests.usecases.subscribing import PLANS

WHOLE: dict[str, Any] = {
    **PROGRAM,
    "tiers": TIERS,
    "benefits": BENEFITS,
    "subscription_plans": PLANS,
    "rewards": [COFFEE, NOTE],
    "stores": [{"code": "S1", "name": "Main Street"}],
}


def different(place: str, value: Any) -> list[Change]:
    """Return the changes when another value stands at `place`; None takes it away."""
    data: Any = deepcopy(WHOLE)
    *parents, last = place.split(".")
    part = data
    for name in parents:
        part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
    key = int(last) if isinstance(part, list) else last
    if value is None:
        del part[key]
    elif isinstance(part, list) and key == len(part):
        part.append(value)
    else:
        part[key] = value
    before, after = (program_file.check(one, name="test") for one in (WHOLE, data))
    return program_file.difference(before, after)


def test_a_file_does_not_differ_from_itself():
    file = program_file.check(WHOLE, name="test")

    assert program_file.difference(file, file) == []


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("program.name", "Tea Club", "Programme: called “Tea Club” instead of Bean Club"),
        (
            "program.accept_days",
            90,
            "Programme: accepts purchases up to 90 days old instead of 365 days",
        ),
        (
            "program.points.unit_one",
            "grain",
            "Programme: points: unit one: grain instead of bean",
        ),
        (
            "program.points.payment",
            {"points": 100, "worth_minor": 50},
            (
                "Programme: points: now payment: gives 100 beans, worth 0.50 EUR, "
                "points pay at most 100% of a basket"
            ),
        ),
        ("branding.support", "Ask us.", "Look: now support: Ask us."),
        ("branding.terms", "x" * 80, "Look: now terms: " + "x" * 60 + "…"),
        (
            "earning.default_rate.points",
            3,
            "Earning: default rate: gives 3 beans instead of 1",
        ),
        (
            "earning.excluded_product_types",
            ["GIFT_CARD", "FUEL"],
            "Earning: excluded product types: now also FUEL",
        ),
        ("rewards.0.cost_points", 70, "Reward COFFEE: costs 70 beans instead of 40"),
        ("rewards.0.stock", 5, "Reward COFFEE: now limited to 5 in all"),
        ("rewards.0.refundable", False, "Reward COFFEE: cannot be brought back"),
        (
            "rewards.1.tier_costs",
            {"GOLD": 900},
            "Reward NOTE: now costs 900 beans for tier GOLD",
        ),
        (
            "tiers.levels.1.entry",
            12_000,
            "Tier SILVER: reached with 120.00 EUR instead of 100.00 EUR",
        ),
        ("tiers.levels.1.multiplier", "2", "Tier SILVER: multiplies points by 2 instead of 5/4"),
        ("tiers.downgrade", "NONE", "Tiers: downgrade: NONE instead of ONE_STEP"),
        (
            "subscription_plans.0.interval",
            "YEAR",
            "Plan PLUS: paid by the year instead of month",
        ),
        ("stores.0.labels", ["OUTDOOR"], "Store S1: now labels: OUTDOOR"),
        (
            "stores.1",
            {"code": "S2", "name": "Quay", "city": "Port"},
            "Store S2 is new: “Quay”; in Port",
        ),
        ("stores.0", None, "Store S1 is gone: “Main Street”"),
    ],
)
def test_a_change_is_told_in_plain_words(place: str, value: Any, sentence: str):
    told = [one.sentence for one in different(place, value)]

    assert told == [sentence]


def test_several_changes_are_told_in_the_order_of_the_file_with_their_places():
    data = deepcopy(WHOLE)
    data["rewards"] = [NOTE, {**COFFEE, "tier_costs": {"GOLD": 30}}]
    data["program"]["accept_days"] = 1
    before, after = (program_file.check(one, name="test") for one in (WHOLE, data))

    found = program_file.difference(before, after)

    assert [(one.part, one.place, one.before, one.after) for one in found] == [
        ("program", "program.accept_days", 365, 1),
        ("rewards", "rewards[COFFEE].tier_costs.GOLD", None, 30),
        ("rewards", "rewards", ["COFFEE", "NOTE"], ["NOTE", "COFFEE"]),
    ]
    assert found[-1].sentence == "Rewards: in another order: NOTE, COFFEE"


def test_a_first_version_is_told_by_its_items():
    file = program_file.check(WHOLE, name="test")

    found = program_file.difference(None, file)

    assert {one.kind for one in found} == {ChangeKind.NEW}
    assert [one.subject for one in found if one.part in {"stores", "tiers"}] == [
        "Store S1",
        "Tier BASE",
        "Tier SILVER",
        "Tier GOLD",
    ]
    assert [one.sentence for one in found if one.subject == "Rate for other types"] == [
        "Rate for other types is new: gives 1 bean; for each 1.00 EUR"
    ]
    assert next(one.sentence for one in found if one.subject == "Tier SILVER") == (
        "Tier SILVER is new: “Silver”; reached with 100.00 EUR; kept with 80.00 EUR; "
        "multiplies points by 5/4; grants REFILL"
    )


def test_items_without_a_code_are_known_by_what_they_say():
    rates = [{"from": "USD", "day": "2026-01-01", "rate": "9/10"}]
    plain: dict[str, Any] = {**WHOLE, "exchange_rates": rates}
    twice: dict[str, Any] = {**WHOLE, "exchange_rates": [*rates, *rates]}

    found = changes(plain, twice, stated=twice)

    assert [one.sentence for one in found] == [
        "Exchange rate USD, 2026-01-01 #2 is new: from: USD; day: 2026-01-01; rate: 9/10"
    ]


def test_a_part_that_later_versions_do_not_know_is_gone():
    found = changes({**WHOLE, "raffles": {"prize": "a car"}}, WHOLE, stated=WHOLE)

    assert [one.sentence for one in found] == ["Raffles: no longer prize: a car"]
