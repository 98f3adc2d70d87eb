import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.money import Money
from loyalty_graph.purchases.errors import RefundAmountTooLargeError
from loyalty_graph.purchases.reductions import reduce, spread
from loyalty_graph.purchases.rules import Line, bring_back

LINES = st.lists(
    st.builds(
        lambda quantity, unit, percent, paid, points, tax: Line(
            "TEA",
            quantity,
            unit,
            quantity * unit * percent // 100,
            tax,
            paid_minor=(quantity * unit - quantity * unit * percent // 100) * paid // 100,
            paid_points=points,
        ),
        st.integers(1, 7),
        st.integers(0, 999),
        st.sampled_from([0, 10, 33, 100]),
        st.sampled_from([0, 30, 100]),
        st.integers(0, 500),
        st.integers(0, 90),
    ),
    min_size=1,
    max_size=4,
)


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def test_lines_share_an_amount_by_what_is_left_of_them():
    lines = [Line("TEA", 2, 300), Line("MUG", 1, 300), Line("CARD", 1, 100, refunded=1)]

    shares = spread(lines, euros(301))

    assert shares == {1: 201, 2: 100}


def test_of_equal_remainders_the_earlier_line_comes_first():
    assert spread([Line("TEA", 1, 100)] * 3, euros(100)) == {1: 34, 2: 33, 3: 33}


def test_what_became_cheaper_is_as_if_it_had_always_cost_less():
    [line] = reduce([Line("TEA", 3, 400, refunded=1)], {1: 200})

    assert line.net_minor == 600
    assert [bring_back([line], {1: 1})[0].net_minor, line.reduced_minor] == [300, 300]


def test_a_lower_price_lowers_what_money_and_points_paid_in_proportion():
    line = Line("TEA", 2, 500, tax_minor=190, paid_minor=400, paid_points=800)

    [cheaper] = reduce([line], {1: 250})

    assert (cheaper.net_minor, cheaper.money_minor) == (750, 450)
    assert (cheaper.paid_left_points, cheaper.tax_left_minor) == (600, 142)


def test_the_whole_amount_leaves_nothing_that_counts():
    line = Line("TEA", 3, 100, 50, 9, refunded=1, paid_minor=100, paid_points=7)

    [free] = reduce([line], {1: line.net_minor})

    assert (free.net_minor, free.money_minor) == (0, 0)
    assert (free.paid_left_points, free.tax_left_minor) == (0, 0)


@pytest.mark.parametrize(
    ("amount", "error", "message"),
    [
        (0, InvalidInputError, "above zero"),
        (-1, InvalidInputError, "above zero"),
        (301, RefundAmountTooLargeError, "^3.01 EUR to refund, but only 3.00 EUR are left of"),
    ],
)
def test_an_amount_that_cannot_be_given_back_is_refused(
    amount: int, error: type[LoyaltyError], message: str
):
    with pytest.raises(error, match=message):
        spread([Line("TEA", 2, 200, 100)], euros(amount))


@given(LINES, st.data())
def test_in_any_order_with_units_that_come_back_an_amount_lowers_everything_exactly(
    lines: list[Line], data: st.DataObject
):
    left = lines

    while any(line.left for line in left):
        total = sum(line.net_minor for line in left)
        if total and data.draw(st.booleans()):
            amount = data.draw(st.integers(1, total))
            shares = spread(left, euros(amount))
            after = reduce(left, shares)
            assert sum(shares.values()) == amount
            for number, share in shares.items():
                assert left[number - 1].net_minor - after[number - 1].net_minor == share
        else:
            open_ = [number for number, line in enumerate(left, 1) if line.left]
            number = data.draw(st.sampled_from(open_))
            units = data.draw(st.integers(1, left[number - 1].left))
            after = bring_back(left, {number: units})
        for one, other in zip(left, after, strict=True):
            assert 0 <= other.money_minor <= other.net_minor <= one.net_minor
            assert other.money_minor <= one.money_minor
            assert 0 <= other.paid_left_points <= one.paid_left_points
            assert 0 <= other.tax_left_minor <= one.tax_left_minor
        left = after

    assert {line.net_minor for line in left} == {0}
