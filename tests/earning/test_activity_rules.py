from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.earning.basket import Occasion
from loyalty_graph.earning.outcomes import Cut, Declined, Earned
from loyalty_graph.purchases.rules import ActivityKind, Line
from loyalty_graph.segments.facts import MemberFacts
from tests.earning.books import NOON, Shop, book, by_rule, rule

GOLD = MemberFacts(tier="GOLD")


def review(code: str = "BONUS", **given: Any) -> dict[str, Any]:
    return rule(code, on="REVIEW", **given)


def did(shop: Shop, **given: Any) -> Earned:
    """Return what a review earns, after it was counted."""
    occasion = Occasion(**{"kind": ActivityKind.REVIEW, "at": NOON, **given})
    earned = shop.book.decide_activity(occasion, shop.mine)
    shop.mine.take(earned.outcomes)
    return earned


def test_an_activity_earns_by_the_rules_for_its_kind():
    shop = Shop(book(review("A"), review("B", points=20), rule("C", on="SIGN_UP"), rule("D")))

    earned = did(shop)

    assert (earned.points, by_rule(earned)) == (70, {"A": 50, "B": 20})
    assert did(shop, kind=ActivityKind.CHECK_IN).outcomes == ()
    assert by_rule(shop.buy(Line("TEA", 1, 100))) == {"D": 50}
    assert earned.reckoning() == {
        "steps": [],
        "rules": [
            {"code": "A", "name": "A", "points": 50},
            {"code": "B", "name": "B", "points": 20},
        ],
    }


@pytest.mark.parametrize(
    ("case", "rules", "given", "declined"),
    [
        (
            "not open yet",
            [review(opens_at=(NOON + timedelta(days=1)).isoformat())],
            {},
            {"BONUS": Declined.NOT_OPEN},
        ),
        (
            "outside its window",
            [review(schedule={"rrule": "FREQ=DAILY", "begins": "2026-01-01T13:00", "minutes": 60})],
            {},
            {"BONUS": Declined.NOT_OPEN},
        ),
        ("for others", [review(tiers=["GOLD"])], {}, {"BONUS": Declined.NOT_FOR_MEMBER}),
        (
            "its condition",
            [review(tiers=["GOLD"], when={"activity": {"network": "X", "has_proof": True}})],
            {"member": GOLD, "network": "Y", "proof": "https://y.example/1"},
            {"BONUS": Declined.CONDITION},
        ),
        (
            "another rule of its group",
            [review("A", group="G"), review("B", group="G", points=60)],
            {},
            {"A": Declined.ANOTHER_RULE},
        ),
        ("hindered", [review()], {"hindered": frozenset({"BONUS"})}, {}),
    ],
)
def test_a_rule_that_gives_nothing_says_why(
    case: str, rules: list[dict[str, Any]], given: dict[str, Any], declined: dict[str, Declined]
):
    earned = did(Shop(book(*rules)), **given)

    assert earned.declined == declined
    assert not declined.keys() & by_rule(earned)


def test_a_rule_is_open_in_its_window():
    schedule = {"rrule": "FREQ=DAILY", "begins": "2026-01-01T12:00", "minutes": 60}
    shop = Shop(book(review(schedule=schedule, when={"activity": {"name": {"is_set": True}}})))

    assert did(shop, name="Bread").points == 50


def test_caps_and_budgets_hold_for_activities_too():
    caps, budget = [{"times": 2, "per": "WEEK"}], {"points": 80, "per": "MONTH"}
    shop = Shop(book(review(caps=caps, budget=budget), review("FREE", points=1)))

    earned = [did(shop) for _ in range(3)]

    assert [by_rule(one)["BONUS"] for one in earned] == [50, 30, 0]
    assert earned[1].outcomes[0].cuts == (Cut("BUDGET", "MONTH", 80, 20),)
    assert earned[2].outcomes[0].cuts == (Cut("TIMES", "WEEK", 2, 30 + 20),)


def test_an_activity_reads_the_counters_of_the_rules_for_its_kind():
    caps, budget = [{"times": 2, "per": "WEEK"}], {"points": 80, "per": "MONTH"}
    two = [{"points": 70, "per": "DAY"}, *caps]
    given = review(caps=two, budget=budget), review("ONLY", budget={"points": 60, "per": "DAY"})
    made = book(*given, review("FREE"), rule("BOUGHT", caps=caps))
    day, kind = NOON.date(), ActivityKind.REVIEW

    assert made.activity_counters(kind, day) == {("BONUS", "2026-11-22"), ("BONUS", "2026-W47")}
    assert made.activity_budgets(kind, day) == {
        ("BONUS", "2026-11"): 80,
        ("ONLY", "2026-11-22"): 60,
    }
    assert made.counters([day]) == {("BOUGHT", "2026-W47")}
    assert made.budgets([day]) == {}
