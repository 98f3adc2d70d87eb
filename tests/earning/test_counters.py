from datetime import date

import pytest

from loyalty_graph.earning.counters import (
    CARRY,
    NO_COUNTERS,
    BudgetKey,
    Count,
    CounterKey,
    Counters,
    period_key,
)
from loyalty_graph.earning.outcomes import Carry, GivenBack, Outcome
from loyalty_graph.earning.rule_settings import CapPeriod
from tests.earning.books import ADA, BOB

GAVE = Outcome("BONUS", "Bonus", 50, 30, periods=("2026-11-22", "2026"), budget="EVER")


@pytest.mark.parametrize(
    ("per", "day", "key"),
    [
        (CapPeriod.DAY, date(2026, 11, 22), "2026-11-22"),
        (CapPeriod.WEEK, date(2026, 11, 22), "2026-W47"),
        (CapPeriod.WEEK, date(2027, 1, 1), "2026-W53"),
        (CapPeriod.WEEK, date(2025, 12, 29), "2026-W01"),
        (CapPeriod.MONTH, date(2026, 2, 28), "2026-02"),
        (CapPeriod.YEAR, date(2026, 1, 1), "2026"),
        (CapPeriod.EVER, date(2026, 1, 1), "EVER"),
    ],
)
def test_a_period_has_a_name(per: CapPeriod, day: date, key: str):
    assert period_key(per, day) == key


def test_a_single_purchase_is_no_period():
    with pytest.raises(AssertionError, match="is not counted"):
        period_key(CapPeriod.PURCHASE, date(2026, 1, 1))


def test_only_what_changed_is_to_be_stored():
    known = CounterKey(ADA, "BONUS", "2026")
    counters = Counters(
        {known: Count(70, 2), CounterKey(ADA, "OTHER", "2026"): Count(5, 1)},
        {BudgetKey("BONUS", "EVER"): 900},
    )

    counters.of(ADA).take([GAVE, Outcome("PLAIN", "Plain", 7, 7)])

    assert counters.changed == {
        (ADA, "BONUS", "2026-11-22"): Count(30, 1),
        (ADA, "BONUS", "2026"): Count(100, 3),
    }
    assert counters.spent == {("BONUS", "EVER"): 30}
    assert counters.of(ADA).budget_used("BONUS", "EVER") == 930
    assert counters.of(BOB).count("BONUS", "2026") == Count(0, 0)


def test_what_limits_cut_to_nothing_counts_neither_points_nor_times():
    counters = Counters()

    counters.of(ADA).take([GAVE._replace(points=0)])

    assert (counters.changed, counters.spent) == ({}, {})


def test_what_is_given_back_is_room_again_but_never_more_than_there_was():
    counters = Counters({CounterKey(ADA, "BONUS", "2026"): Count(20, 1)})
    back = GivenBack("BONUS", 30, is_all=True, periods=("2026",), budget=None, carry_minor=0)

    counters.of(ADA).give_back([back])

    assert counters.changed == {(ADA, "BONUS", "2026"): Count(0, 0)}
    assert counters.spent == {}


def test_what_is_given_back_whole_counts_one_time_less():
    known = {CounterKey(ADA, "BONUS", "2026"): Count(80, 3)}
    whole, part = Counters(known), Counters(known)
    back = GivenBack("BONUS", 30, is_all=True, periods=("2026",))

    whole.of(ADA).give_back([back])
    part.of(ADA).give_back([back._replace(is_all=False)])

    assert whole.changed == {(ADA, "BONUS", "2026"): Count(50, 2)}
    assert part.changed == {(ADA, "BONUS", "2026"): Count(50, 3)}


def test_what_is_carried_stands_in_a_row_of_its_own():
    counters = Counters({CounterKey(ADA, "BONUS", CARRY): Count(500)})

    counters.of(ADA).take([Outcome("BONUS", "Bonus", 1, 1, carry=Carry(500, 200, 700))])

    assert counters.of(ADA).carried("BONUS") == 200
    assert counters.changed == {(ADA, "BONUS", CARRY): Count(200)}


def test_nobody_has_counted_anything():
    assert NO_COUNTERS.carried("BONUS") == 0
