from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import InvalidInputError, RefundTooLargeError
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases.rules import (
    AMOUNT_MINOR_MAX,
    LINES_MAX,
    QUANTITY_MAX,
    ActivityKind,
    Deed,
    Line,
    bring_back,
    check_deed,
    check_lines,
    check_payment,
    check_receipt,
)

TEA = Line("TEA", 1, 100)


def test_a_line_costs_what_is_left_of_it():
    assert [Line("TEA", 3, 450, 100, refunded=n).net_minor for n in range(4)] == [1250, 834, 417, 0]


def test_a_discount_of_everything_leaves_nothing():
    assert [Line("TEA", 3, 5, 15, refunded=n).net_minor for n in range(4)] == [0, 0, 0, 0]


@given(st.integers(1, 50), st.integers(0, 10**6), st.data())
def test_each_unit_brought_back_is_worth_its_price_less_its_share(
    quantity: int, unit: int, data: st.DataObject
):
    discount = data.draw(st.integers(0, quantity * unit))
    lines = [Line("TEA", quantity, unit, discount, refunded=n) for n in range(quantity + 1)]
    amounts = [line.net_minor for line in lines]

    steps = [more - less for more, less in pairwise(amounts)]
    assert all(0 <= step <= unit for step in steps)
    assert max(steps) - min(steps) <= 1
    assert sum(steps) == quantity * unit - discount


@pytest.mark.parametrize(
    "lines",
    [
        [TEA],
        [TEA] * LINES_MAX,
        [Line("TEA", QUANTITY_MAX, 0)],
        [Line("TEA", 1, AMOUNT_MINOR_MAX)],
        [Line("TEA", 1, AMOUNT_MINOR_MAX, 1), Line("TEA", 1, 1)],
        [Line("TEA", 2, 50, 100)],
        [Line("T" * 40, 1, 1, sku="s" * 60)],
    ],
)
def test_what_just_fits_is_a_receipt(lines: list[Line]):
    check_lines(lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (Line("TEA", 0, 1), "the quantity is 0"),
        (Line("TEA", QUANTITY_MAX + 1, 1), "use 1 to 1000000"),
        (Line("TEA", 1, -1), "not below zero"),
        (Line("TEA", 1, 1, -1), "not below zero"),
        (Line("TEA", 1, 1, 0, -1), "not below zero"),
        (Line("TEA", 1, AMOUNT_MINOR_MAX + 1), "too large"),
        (Line("TEA", 2, AMOUNT_MINOR_MAX), "too large"),
        (Line("TEA", 1, 1, AMOUNT_MINOR_MAX + 1), "too large"),
        (Line("TEA", 1, 1, 0, AMOUNT_MINOR_MAX + 1), "too large"),
        (Line("TEA", 2, 50, 101), "discount is larger"),
        (Line("", 1, 1), "product type needs 1 to 40"),
        (Line(" ", 1, 1), "product type needs 1 to 40"),
        (Line("T" * 41, 1, 1), "product type needs 1 to 40"),
        (Line("T\0", 1, 1), "product type needs 1 to 40"),
        (Line("TEA", 1, 1, sku=""), "SKU needs 1 to 60"),
        (Line("TEA", 1, 1, sku="s" * 61), "SKU needs 1 to 60"),
        (Line("TEA", 1, 1, labels=("L",) * 21), "at most 20 labels"),
        (Line("TEA", 1, 1, labels=("L", "")), "a label needs 1 to 40"),
        (Line("TEA", 1, 1, labels=("l" * 41,)), "a label needs 1 to 40"),
        (Line("TEA", 1, 1, labels=("L\n",)), "a label needs 1 to 40"),
    ],
)
def test_a_line_that_cannot_be_is_named(line: Line, message: str):
    with pytest.raises(InvalidInputError, match=f"^Line 2: .*{message}") as refusal:
        check_lines([TEA, line, line])

    assert refusal.value.field == "lines.1"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "needs 1 to 500 lines"),
        ([TEA] * (LINES_MAX + 1), "needs 1 to 500 lines"),
        ([Line("TEA", 1, AMOUNT_MINOR_MAX), Line("TEA", 1, 1)], "total is too large"),
    ],
    ids=["none", "too many", "too dear"],
)
def test_lines_that_cannot_be_a_receipt_are_refused(lines: list[Line], message: str):
    with pytest.raises(InvalidInputError, match=message) as refusal:
        check_lines(lines)

    assert refusal.value.field == "lines"


def test_a_receipt_may_do_without_a_store():
    check_receipt("s" * 40, "x" * 100, None)
    check_receipt("till", "R 1", "s" * 60)


@pytest.mark.parametrize(
    ("source", "external_id", "store", "field"),
    [
        ("", "R1", None, "source"),
        ("s" * 41, "R1", None, "source"),
        ("till", " ", None, "externalId"),
        ("till", "x" * 101, None, "externalId"),
        ("till", "R\n1", None, "externalId"),
        ("till", "R1", "", "store"),
        ("till", "R1", "s" * 61, "store"),
    ],
)
def test_a_receipt_without_a_usable_name_is_refused(
    source: str, external_id: str, store: str | None, field: str
):
    with pytest.raises(InvalidInputError, match="needs 1 to") as refusal:
        check_receipt(source, external_id, store)

    assert refusal.value.field == field


def test_a_way_of_paying_has_a_short_name():
    check_payment("p" * 20)

    for payment in ("", " ", "p" * 21, "CARD\n"):
        with pytest.raises(InvalidInputError, match="payment needs 1 to 20") as refusal:
            check_payment(payment)
        assert refusal.value.field == "payment"


def test_units_are_brought_back_line_by_line():
    lines = [Line("TEA", 3, 100), Line("MUG", 2, 500, refunded=1), TEA]

    after = bring_back(lines, {1: 2, 2: 1})

    assert [line.refunded for line in after] == [2, 2, 0]
    assert [line.refunded for line in lines] == [0, 1, 0]


@pytest.mark.parametrize(
    ("quantities", "error", "message"),
    [
        ({}, InvalidInputError, "at least one line"),
        ({0: 1}, InvalidInputError, "no line 0"),
        ({3: 1}, InvalidInputError, "no line 3"),
        ({-1: 1}, InvalidInputError, "no line -1"),
        ({1: 0}, InvalidInputError, "Line 1: the quantity is 0"),
        ({1: -1}, InvalidInputError, "Line 1: the quantity is -1"),
        ({1: 1, 2: 2}, RefundTooLargeError, "Line 2: 2 units to refund, but only 1 is left"),
    ],
    ids=str,
)
def test_what_cannot_be_brought_back_is_refused(
    quantities: dict[int, int], error: type[Exception], message: str
):
    lines = [Line("TEA", 3, 100), Line("MUG", 2, 500, refunded=1)]

    with pytest.raises(error, match=message):
        bring_back(lines, quantities)


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(Deed(ActivityKind.CUSTOM, name="WORKOUT_DONE"), id="custom"),
        pytest.param(Deed(ActivityKind.SOCIAL_SHARE, network="x"), id="social"),
        pytest.param(Deed(ActivityKind.CHECK_IN, store="mitte"), id="in a store"),
        pytest.param(Deed(ActivityKind.REVIEW, proof="order-7", store="mitte"), id="with a proof"),
    ],
)
def test_an_activity_says_what_its_kind_needs(deed: Deed):
    check_deed(deed)


@given(st.integers(1, 50), st.integers(0, 10**6), st.decimals("0.0001", "500", places=4))
def test_what_units_count_for_in_another_currency_adds_up(quantity: int, unit: int, rate: Decimal):
    exchange = Exchange("JPY", "EUR", str(rate), date(2026, 3, 2))
    lines = [
        Line("TEA", quantity, unit, unit // 2, refunded=n, exchange=exchange)
        for n in range(quantity + 1)
    ]

    worth = [line.earning_minor for line in lines]

    assert worth == sorted(worth, reverse=True)
    assert worth[0] == exchange.floor_minor(lines[0].net_minor)
    assert worth[-1] == 0
