from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.outcomes import Carry, Cut, Outcome
from loyalty_graph.earning.pending import Pending
from loyalty_graph.earning.rule_book import DAYS_KEPT
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.purchases.rules import Line
from loyalty_graph.segments.facts import MemberFacts
from tests.earning.books import BOB, NOON, Shop, book, by_rule, rule

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
    assert len(earned.outcomes) == (points > 0)


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


@pytest.mark.parametrize(
    ("case", "given", "member", "points"),
    [
        ("a plan", {"plans": ["PLUS"]}, MemberFacts(plan="PLUS"), 50),
        ("another plan", {"plans": ["PLUS"]}, MemberFacts(plan="BASIC"), 0),
        ("no plan", {"plans": ["PLUS"]}, MemberFacts(), 0),
        ("a segment", {"segments": ["NEW", "LOYAL"]}, MemberFacts(purchase_count=9), 50),
        ("no segment of them", {"segments": ["NEW", "LOYAL"]}, MemberFacts(purchase_count=5), 0),
        (
            "tier and segment, not both",
            {"tiers": ["GOLD"], "segments": ["NEW"]},
            MemberFacts(purchase_count=0),
            0,
        ),
        ("the first", {"when": {"purchase": {"is_first": True}}}, MemberFacts(), 50),
        (
            "not the first",
            {"when": {"purchase": {"is_first": True}}},
            MemberFacts(purchase_count=1),
            0,
        ),
    ],
)
def test_a_rule_aims_at_members(
    case: str, given: dict[str, object], member: MemberFacts, points: int
):
    segments = {
        "NEW": {"member": {"purchase_count": {"at_most": 1}}},
        "LOYAL": {"member": {"purchase_count": {"at_least": 9}}},
    }
    shop = Shop(book(rule(**given), segments=segments))

    assert shop.buy(TEA, member=member).points == 15 + points


def test_an_offer_counts_for_who_activated_it():
    offer = {"code": "BREAD", "name": "Bread", "points": 5, "lines": {"product_type": "TEA"}}
    shop = Shop(book(rule(), offers=[offer]))

    with_it = shop.buy(TEA, offers=frozenset({"BREAD"}))

    assert by_rule(with_it) == {"BONUS": 50, "BREAD": 5}
    assert [one.is_offer for one in with_it.outcomes] == [False, True]
    assert by_rule(shop.buy(TEA)) == {"BONUS": 50}
    assert by_rule(shop.buy(MUG, offers=frozenset({"BREAD"}))) == {"BONUS": 50}
    assert shop.book.needs.offers == {"BREAD"}


FULL_TEN = {"points": 1, "per_amount_minor": 1000, "granularity": "STEP", "carry": True}
LIMITED = {"caps": [{"points": 900, "per": "DAY"}], "budget": {"points": 900, "per": "MONTH"}}


@pytest.mark.parametrize("is_offer", [False, True])
@pytest.mark.parametrize(
    ("gives", "points", "carry"),
    [
        ({"points": 9}, 9, None),
        ({"rate": {"points": 2, "per_amount_minor": 100}}, 30, None),
        ({"rate": FULL_TEN}, 1, Carry(0, 500, 1500)),
        ({"multiplier": "2"}, 15, None),
        ({"steps": [{"from_minor": 1500, "points": 7}]}, 7, None),
    ],
)
def test_what_was_given_says_by_what_how_long_it_waits_and_where_it_counts(
    gives: dict[str, Any], points: int, carry: Carry | None, *, is_offer: bool
):
    plain, limited = (
        rule(code, **gives, **more, pending={"days": 3})
        for code, more in (("PLAIN", {}), ("LIMITED", LIMITED))
    )
    shop = Shop(book(offers=[plain, limited]) if is_offer else book(plain, limited))

    earned = shop.buy(TEA, offers=frozenset({"PLAIN", "LIMITED"}))

    waits, day, month = Pending(days=3), "2026-11-22", "2026-11"
    assert earned.outcomes == (
        Outcome("PLAIN", "Plain", points, points, (), waits, is_offer, carry=carry),
        Outcome("LIMITED", "Limited", points, points, (), waits, is_offer, (day,), month, carry),
    )


@pytest.mark.parametrize(
    "gives",
    [
        {"points": 1},
        {"points": 1, "lines": {"product_type": "TEA"}},
        {"rate": {"points": 1, "per_amount_minor": 1}},
        {"rate": {**FULL_TEN, "per_amount_minor": 1}},
        {"steps": [{"from_minor": 1, "points": 1}]},
    ],
)
def test_a_single_cent_earns_what_a_rule_gives_for_it(gives: dict[str, Any]):
    shop = Shop(book(rule(**gives)))

    assert by_rule(shop.buy(Line("TEA", 1, 1))) == {"BONUS": 1}
    assert by_rule(shop.buy(Line("TEA", 1, 0))) == {}


def test_a_book_says_what_its_rules_read_of_members():
    made = book(
        rule("A", when={"purchase": {"is_first": True}}, tiers=["GOLD"]),
        rule("B", when={"member": {"is_birthday": True}, "any_line": {"sku": "X"}}),
        rule("C", on="REVIEW", segments=["S"]),
        segments={"S": {"member": {"balance_points": {"at_least": 5}}}},
    )

    assert made.needs.facts == {"purchase_count", "tier", "is_birthday", "balance_points"}


def test_a_book_says_which_counters_and_budgets_a_day_reads():
    steps = {"points": 1, "per_amount_minor": 1000, "granularity": "STEP", "carry": True}
    made = book(
        rule("A", caps=[{"points": 5, "per": "WEEK"}, {"times": 1, "per": "WEEK"}]),
        rule("B", rate=steps, budget={"points": 9, "per": "MONTH"}),
        rule("C", caps=[{"points": 5, "per": "PURCHASE"}]),
        rule("D", caps=[{"points": 5, "per": "DAY"}], opens_at="2027-01-01T00:00:00-05:00"),
        rule("E", caps=[{"points": 5, "per": "DAY"}], opens_at="2026-11-23T00:00:00-05:00"),
        rule("F", caps=[{"points": 5, "per": "DAY"}], closes_at="2026-11-22T00:00:00-05:00"),
    )

    assert made.counters([NOON.date()]) == {("A", "2026-W47"), ("B", "CARRY")}
    assert made.budgets([NOON.date()]) == {("B", "2026-11"): 9}
    assert ("D", "2027-01-01") in made.counters([date(2027, 1, 1)])


def test_points_and_times_are_capped_in_the_order_of_the_caps():
    caps = [{"points": 30, "per": "PURCHASE"}, {"points": 40, "per": "WEEK"}]
    shop = Shop(book(rule(caps=[*caps, {"times": 2, "per": "EVER"}])))

    earned = [shop.buy(TEA, at=NOON + timedelta(days=7 * week)) for week in (0, 0, 1)]

    assert [by_rule(one)["BONUS"] for one in earned] == [30, 10, 0]
    assert [one.outcomes[0].cuts for one in earned] == [
        (Cut("POINTS", "PURCHASE", 30, 20),),
        (Cut("POINTS", "PURCHASE", 30, 20), Cut("POINTS", "WEEK", 40, 20)),
        (Cut("POINTS", "PURCHASE", 30, 20), Cut("TIMES", "EVER", 2, 30)),
    ]


def test_a_budget_alone_limits_a_rule():
    shop = Shop(book(rule(budget={"points": 60, "per": "MONTH"})))

    assert [by_rule(shop.buy(TEA))["BONUS"] for _ in range(3)] == [50, 10, 0]


@pytest.mark.parametrize(
    ("granularity", "rounding", "points"),
    [
        ("STEP", "FLOOR", 2),
        ("STEP", "NEAREST", 4),
        ("STEP", "CEIL", 4),
        ("PRORATA", "FLOOR", 3),
        ("PRORATA", "NEAREST", 3),
        ("PRORATA", "CEIL", 4),
    ],
)
def test_a_rule_rounds_as_its_rate_says(granularity: str, rounding: str, points: int):
    rate = {"points": 2, "per_amount_minor": 100, "granularity": granularity, "rounding": rounding}
    shop = Shop(book(rule(rate=rate)))

    assert by_rule(shop.buy(Line("TEA", 1, 160))) == {"BONUS": points}


def test_a_cap_of_a_day_ends_at_midnight_in_the_programmes_zone():
    shop = Shop(book(rule(caps=[{"times": 1, "per": "DAY"}])))
    evening = NOON.replace(hour=23, minute=59)

    earned = [shop.buy(TEA, at=evening + timedelta(minutes=one)) for one in (0, 0, 1)]

    assert [by_rule(one)["BONUS"] for one in earned] == [50, 0, 50]


def test_points_that_wait_say_for_how_many_days():
    shop = Shop(book(rule(pending={"days": 14})))

    [outcome] = shop.buy(TEA).outcomes

    assert outcome.pending == Pending(days=14)
    assert outcome.to_json() == {
        "code": "BONUS",
        "name": "Bonus",
        "points": 50,
        "pending": {"days": 14},
    }


def test_points_wait_as_the_programme_says_where_a_rule_says_nothing():
    shop = Shop(book(rule("OWN", pending={"days": 14}), rule("OTHER"), pending={"days": 2}))

    earned = shop.buy(TEA)

    assert shop.book.pending == Pending(days=2)
    assert [one.pending for one in earned.outcomes] == [Pending(days=14), Pending(days=2)]


def test_what_a_cap_left_out_is_explained():
    shop = Shop(book(rule(caps=[{"points": 20, "per": "DAY"}])))

    assert shop.buy(TEA).reckoning()["rules"] == [
        {
            "code": "BONUS",
            "name": "Bonus",
            "points": 20,
            "wanted": 50,
            "cuts": [["POINTS", "DAY", 20, 30]],
        }
    ]


def test_days_long_past_are_forgotten_and_known_again():
    shop = Shop(book(rule(caps=[{"times": 1, "per": "DAY"}])))
    days = [NOON + timedelta(days=one) for one in range(DAYS_KEPT + 5)]

    first = [len(shop.buy(TEA, at=day).outcomes) for day in days]

    assert first == [1] * len(days)
    assert by_rule(shop.buy(TEA, at=days[0])) == {"BONUS": 0}


EXCLUDING: dict[str, object] = {
    "excluded_product_types": ["GIFT_CARD", "SHIPPING"],
    "excluded_skus": ["T-100"],
    "excluded_labels": ["TOBACCO"],
}


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("a gift card", Line("GIFT_CARD", 1, 5000)),
        ("shipping", Line("SHIPPING", 1, 5000)),
        ("an article", Line("TEA", 1, 5000, sku="T-100")),
        ("a label", Line("TEA", 1, 5000, labels=("NEW", "TOBACCO"))),
        ("what points paid", Line("TEA", 1, 5000, paid_minor=5000, paid_points=500)),
    ],
)
def test_what_is_excluded_earns_nothing_and_unlocks_nothing(case: str, line: Line):
    over = {"purchase": {"total_minor": {"at_least": 2000}}}
    shop = Shop(
        book(
            rule("RATE", rate={"points": 1, "per_amount_minor": 100}),
            rule("FIXED", points=9),
            rule("OVER", points=70, when=over),
            rule("TWICE", multiplier="2"),
            **EXCLUDING,
        )
    )

    assert shop.buy(line).points == 0
    assert by_rule(shop.buy(TEA, line)) == {"RATE": 15, "FIXED": 9, "TWICE": 15}


@pytest.mark.parametrize(
    ("excluded", "line"),
    [
        ("excluded_product_types", Line("GIFT_CARD", 1, 5000)),
        ("excluded_skus", Line("TEA", 1, 5000, sku="T-100")),
        ("excluded_labels", Line("TEA", 1, 5000, labels=("TOBACCO",))),
    ],
)
def test_what_is_excluded_by_one_thing_alone_earns_nothing(excluded: str, line: Line):
    shop = Shop(book(rule(), **{excluded: EXCLUDING[excluded]}))

    assert shop.buy(line).points == 0
    assert shop.buy(TEA).points == 15 + 50


@pytest.mark.parametrize(("counts_tax", "points"), [(False, (10, 10)), (True, (12, 12))])
def test_tax_counts_where_the_programme_says_so(*, counts_tax: bool, points: tuple[int, int]):
    shop = Shop(book(rule(rate={"points": 1, "per_amount_minor": 100}), counts_tax=counts_tax))

    earned = shop.buy(Line("TEA", 2, 500, tax_minor=200))

    assert (earned.calculation.points, by_rule(earned)["BONUS"]) == points


def test_more_points_than_a_purchase_may_earn_are_refused():
    shop = Shop(book(rule(rate={"points": 1_000_000, "per_amount_minor": 1})))

    with pytest.raises(InvalidInputError, match="a purchase earns at most"):
        shop.buy(Line("TEA", 1, 10**12))

    assert shop.counters.changed == {}


@pytest.mark.parametrize(
    ("case", "rate", "amount", "points"),
    [
        ("Square's 5 a 3.00, whole steps", (5, 300, "STEP"), 350, 5),
        ("the same by the cent", (5, 300, "PRORATA"), 350, 5),
        ("2.50 gives 5, 3.00 in whole steps", (5, 250, "STEP"), 300, 5),
        ("2.50 gives 5, 3.00 by the cent", (5, 250, "PRORATA"), 300, 6),
        ("10.00 gives 100, 1.00 in whole steps", (100, 1000, "STEP"), 100, 0),
        ("10.00 gives 100, 1.00 by the cent", (100, 1000, "PRORATA"), 100, 10),
        ("a point for every 10.00 of 105.00", (1, 1000, "STEP"), 10500, 10),
    ],
)
def test_the_golden_vectors_hold_for_rules(
    case: str, rate: tuple[int, int, str], amount: int, points: int
):
    given, per, granularity = rate
    shop = Shop(
        book(
            rule(rate={"points": given, "per_amount_minor": per, "granularity": granularity}),
            default_rate=None,
        )
    )

    assert shop.buy(Line("TEA", 1, amount)).points == points
