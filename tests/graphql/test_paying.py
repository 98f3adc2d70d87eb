"""Paying a part of a purchase with points, through the API."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from tests.api import Api, receipt
from tests.shop import program

CUPS = [{"productType": "COFFEE", "quantity": 10, "unitAmount": "1.00"}]


@pytest.fixture
def ada(api: Api) -> Member:
    """A member with 600 points, each worth a cent, for half of a basket."""
    payment = {"points": 1, "worth_minor": 1, "basket_percent_max": 50}
    api.shop = api.open_shop(program(payment=payment))
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada, (Line("TEA", 1, 60000),))
    return ada


def paying(member: Member, points: int, /, **changes: Any) -> dict[str, Any]:
    return receipt(member, lines=CUPS, payWithPoints=points, **changes)


def test_points_pay_a_part_and_come_back_with_the_goods(api: Api, ada: Member):
    simulated = api.data(
        """query ($i: SimulatePurchaseInput!) { simulatePurchase(input: $i) {
            points paidPoints paidWithPoints { amount } lines { amount { amount } } } }""",
        {"i": {"lines": CUPS, "payWithPoints": 400}},
    )["simulatePurchase"]

    bought = api.do(
        "recordPurchase",
        paying(ada, 400),
        """points balance paidPoints paidWithPoints { amount }
        purchase { id total { amount } paidPoints paidWithPoints { amount }
          lines { paidPoints paidWithPoints { amount } } }""",
    )
    purchase = bought["purchase"]
    given = {
        "idempotencyKey": "back",
        "purchase": {"id": purchase["id"]},
        "lines": [{"number": 1, "quantity": 3}],
    }
    back = api.do(
        "refundPurchase",
        given,
        """amount { amount } pointsReturned paidWithPoints { amount } balance
        purchase { refunds { pointsReturned paidWithPoints { amount } } }
        member { entries { nodes { kind explanation { summary } purchase { id } } } }""",
    )

    assert simulated == {
        "points": 12,
        "paidPoints": 400,
        "paidWithPoints": {"amount": "4.00"},
        "lines": [{"amount": {"amount": "6.00"}}],
    }
    assert (bought["points"], bought["balance"], bought["paidPoints"]) == (12, 212, 400)
    assert purchase["total"] == {"amount": "10.00"}
    paid = {"paidPoints": 400, "paidWithPoints": {"amount": "4.00"}}
    assert purchase["lines"] == [paid]
    assert {name: purchase[name] for name in paid} == paid
    assert (back["amount"], back["pointsReturned"]) == ({"amount": "3.00"}, 120)
    assert back["paidWithPoints"] == {"amount": "1.20"}
    assert back["balance"] == 212 + 120 - 4
    assert back["purchase"]["refunds"] == [
        {"pointsReturned": 120, "paidWithPoints": {"amount": "1.20"}}
    ]
    entries = back["member"]["entries"]["nodes"]
    told = [(one["kind"], one["explanation"]["summary"]) for one in entries[1:4]]
    assert told == [
        (
            "UNREDEEM",
            "120 beans given back: they had paid €1.20 of goods that were brought back.",
        ),
        ("EARN", "12 beans for a purchase of €6.00."),
        ("REDEEM", "400 beans paid €4.00 of a purchase."),
    ]
    assert {one["purchase"]["id"] for one in entries[:4]} == {purchase["id"]}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (501, ("PAYMENT_TOO_LARGE", "payWithPoints")),
        (-1, ("INVALID_INPUT", "payWithPoints")),
    ],
)
def test_a_payment_that_cannot_be_is_refused(
    api: Api, ada: Member, points: int, expected: tuple[str, str]
):
    assert api.refusal("recordPurchase", paying(ada, points)) == expected


def test_points_that_are_not_there_pay_nothing(api: Api, ada: Member):
    lines = [{"productType": "COFFEE", "quantity": 1, "unitAmount": "99.00"}]

    refused = api.refusal("recordPurchase", {**paying(ada, 601), "lines": lines})

    assert refused == ("INSUFFICIENT_POINTS", None)
