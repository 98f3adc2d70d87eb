"""What a purchase is decided by."""

import pytest

from loyalty_graph.earning.basket import Basket
from loyalty_graph.purchases.rules import Line
from tests.earning.books import NOON

TEA, MUG = Line("TEA", 1, 300), Line("MUG", 1, 1200)


def test_each_line_of_a_basket_stands_beside_its_amount():
    basket = Basket([TEA, MUG], [250, 1200], NOON)

    assert (basket.total_minor, basket.rows) == (1450, [(TEA, 250), (MUG, 1200)])


@pytest.mark.parametrize("amounts", [[250], [250, 1200, 1]])
def test_a_basket_has_as_many_amounts_as_lines(amounts: list[int]):
    with pytest.raises(ValueError, match="argument 2 is"):
        Basket([TEA, MUG], amounts, NOON)
