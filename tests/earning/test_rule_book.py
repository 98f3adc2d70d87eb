from fractions import Fraction

import pytest

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.outcomes import Cut
from loyalty_graph.purchases.rules import Line
from loyalty_graph.segments.facts import MemberFacts
from tests.earning.books import BOB, Shop, book, by_rule, rule

TEA = Line("TEA", 2, 750)
MUG = Line("MUG", 1, 1200)
GOLD = Multiplier("TIER", "GOLD", Fraction(3, 2))


def test_a_programme_without_rules_earns_what_its_lines_earn():
    shop = Shop(book())

    earned = shop.buy(TEA, MUG, by=[GOLD])

    assert earned.points == 40
    assert earned.outcomes == ()
    assert earned.pinned() == {"multipliers": [["TIER", "GOLD", "3/2", "GOLD"]]}


def test_bonuses_stand_beside_what_the_lines_earn_and_are_not_multiplied():
    shop = Shop(book(rule(multiplier="2"), rule("FIXED", points=7)))

    earned = shop.buy(TEA, MUG, by=[GOLD])

    assert by_rule(earned) == {"BONUS": 27, "FIXED": 7}
    assert earned.points == 40 + 27 + 7


@pytest.mark.parametrize(
    ("case", "gives", "points"),
    [
        ("rate", {"rate": {"points": 2, "per_amount_minor": 100}}, 30),
        ("multiplier", {"multiplier": "5/2"}, 22),
        ("points", {"points": 9}, 9),
        ("steps below the first", {"steps": [{"from_minor": 1501, "points": 9}]}, 0),
        (
            "the highest step",
            {"steps": [{"from_minor": 1500, "points": 9}, {"from_minor": 1600, "points": 20}]},
            9,
        ),
    ],
)
def test_a_rule_counts_only_its_lines(case: str, gives: dict[str, object], points: int):
    shop = Shop(book(rule(lines={"product_type": "TEA"}, **gives)))

    earned = shop.buy(TEA, MUG)

    assert earned.points == 27 + points


def test_a_rule_is_for_those_it_names():
    shop = Shop(book(rule(tiers=["GOLD"], when={"purchase": {"total_minor": {"at_least": 1000}}})))
    gold = MemberFacts(tier="GOLD")

    points = [shop.buy(TEA, member=gold).points, shop.buy(TEA).points]
    points.append(shop.buy(Line("TEA", 1, 999), member=gold).points)

    assert points == [65, 15, 9]


def test_of_a_group_the_highest_priority_counts_then_the_most_points_then_the_first():
    shop = Shop(
        book(
            rule("A", points=30, group="SALE"),
            rule("B", points=40, group="SALE", priority=1),
            rule("C", points=45, group="SALE", priority=1, lines={"product_type": "MUG"}),
            rule("D", points=45, group="SALE", priority=1, lines={"product_type": "MUG"}),
            rule("E", points=5),
        )
    )

    assert by_rule(shop.buy(TEA)) == {"B": 40, "E": 5}
    assert by_rule(shop.buy(MUG)) == {"C": 45, "E": 5}


def test_only_the_best_bonus_counts_where_the_programme_says_so():
    shop = Shop(book(rule("A", points=30), rule("B", multiplier="4"), stacking="BEST"))

    assert by_rule(shop.buy(TEA)) == {"B": 45}
    assert by_rule(shop.buy(Line("TEA", 1, 500))) == {"A": 30}


def test_a_cap_is_the_members_a_budget_everybodys():
    shop = Shop(book(rule(caps=[{"points": 70, "per": "DAY"}], budget={"points": 110})))

    first, second = shop.buy(TEA), shop.buy(TEA)
    shop.who = BOB
    third = shop.buy(TEA)

    assert first.outcomes[0].cuts == ()
    assert second.outcomes[0].cuts == (Cut("POINTS", "DAY", 70, 30),)
    assert third.outcomes[0].cuts == (Cut("BUDGET", "EVER", 110, 10),)
    assert [by_rule(one)["BONUS"] for one in (first, second, third)] == [50, 20, 40]
