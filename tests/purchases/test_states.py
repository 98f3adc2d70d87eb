import pytest

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.purchases.errors import PurchaseRefundedError, PurchaseVoidedError
from loyalty_graph.purchases.rules import Line
from loyalty_graph.purchases.states import PurchaseState, state_after

WHOLE = Line("TEA", 2, 300)


@pytest.mark.parametrize(
    ("case", "lines", "state"),
    [
        ("a unit", [Line("TEA", 2, 300, refunded=1)], "PARTIALLY_REFUNDED"),
        ("a line", [Line("TEA", 2, 300, refunded=2), WHOLE], "PARTIALLY_REFUNDED"),
        ("some money", [Line("TEA", 2, 300, reduced_minor=599)], "PARTIALLY_REFUNDED"),
        ("all money", [Line("TEA", 2, 300, reduced_minor=600)], "REFUNDED"),
        ("all units", [Line("TEA", 2, 300, refunded=2)], "REFUNDED"),
        ("one of two gifts", [Line("TEA", 2, 0, refunded=1)], "PARTIALLY_REFUNDED"),
        ("both gifts", [Line("TEA", 2, 0, refunded=2)], "REFUNDED"),
        (
            "some money of one line, all of another",
            [Line("TEA", 2, 300, reduced_minor=600), WHOLE],
            "PARTIALLY_REFUNDED",
        ),
    ],
)
def test_what_came_back_says_where_a_purchase_stands(case: str, lines: list[Line], state: str):
    assert state_after(lines, is_void=False) == state


def test_a_void_is_a_state_of_its_own():
    assert state_after([Line("TEA", 2, 300, refunded=2)], is_void=True) == "VOIDED"


@pytest.mark.parametrize(
    ("state", "of_refund", "of_void"),
    [
        ("RECORDED", None, None),
        ("PARTIALLY_REFUNDED", None, PurchaseRefundedError),
        ("REFUNDED", None, PurchaseRefundedError),
        ("VOIDED", PurchaseVoidedError, PurchaseVoidedError),
    ],
)
def test_a_state_says_what_may_be_done(
    state: str, of_refund: type[LoyaltyError] | None, of_void: type[LoyaltyError] | None
):
    stands = PurchaseState(state)

    for check, error in ((stands.check_refundable, of_refund), (stands.check_voidable, of_void)):
        if error is None:
            check()
        else:
            with pytest.raises(error):
                check()
