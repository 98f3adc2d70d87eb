"""Purchases in other currencies through the API."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import PROGRAM

DOLLARS = {"currency": "USD", "from": "2026-03-01", "rate": "0.9214"}
MONEY = "{ amount currencyCode }"
BOUGHT = f"""points paidWithPoints {MONEY} purchase {{ total {MONEY} tax {MONEY} spend {MONEY}
    exchangeRate {{ rate day }} lines {{ unitAmount {MONEY} }} }}
    entry {{ explanation {{ summary steps {{ text amount {MONEY} }} }} }}
    member {{ spend {MONEY} }}"""
TEA = [{"productType": "TEA", "quantity": 2, "unitAmount": "5.50", "tax": "0.19"}]


def money(amount: str, currency: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": currency}


@pytest.fixture
def ada(api: Api) -> Member:
    api.shop = api.open_shop({**PROGRAM, "exchange_rates": [DOLLARS]})
    return api.run(api.shop.enrol)


def bought(api: Api, member: Member, **changes: Any) -> dict[str, Any]:
    given = receipt(member, lines=TEA, currencyCode="USD", **changes)
    return api.do("recordPurchase", given, BOUGHT)


def test_a_purchase_tells_its_own_amounts_and_what_they_are_worth(api: Api, ada: Member):
    done = bought(api, ada)

    assert done == {
        "userErrors": [],
        "points": 10,
        "paidWithPoints": money("0.00", "USD"),
        "purchase": {
            "total": money("11.00", "USD"),
            "tax": money("0.19", "USD"),
            "spend": money("10.13", "EUR"),
            "exchangeRate": {"rate": "0.9214", "day": "2026-03-01"},
            "lines": [{"unitAmount": money("5.50", "USD")}],
        },
        "entry": {
            "explanation": {
                "summary": "10 beans for a purchase of $11.00 (€10.13).",
                "steps": [
                    {
                        "text": "TEA: $11.00 at 0.9214 = €10.13; at 1 per €1.00, rounded down = 10",
                        "amount": money("10.13", "EUR"),
                    }
                ],
            }
        },
        "member": {"spend": money("10.13", "EUR")},
    }


def test_the_programmes_own_currency_can_be_named(api: Api, ada: Member):
    given = receipt(ada, lines=TEA)
    fields = f"points purchase {{ spend {MONEY} exchangeRate {{ rate }} }} replayed"

    named = api.do("recordPurchase", {**given, "currencyCode": "EUR"}, fields)
    again = api.do("recordPurchase", given, fields)

    told = {"spend": money("11.00", "EUR"), "exchangeRate": None}
    assert (named["points"], named["purchase"]) == (11, told)
    assert again["replayed"]


def test_several_purchases_may_be_in_several_currencies(api: Api, ada: Member):
    given = [
        receipt(ada, lines=TEA, **changes)
        for changes in ({}, {"currencyCode": "USD"}, {"currencyCode": "GBP"})
    ]
    fields = f"results {{ userErrors {{ code field }} points paidWithPoints {MONEY} }}"

    done = api.do("recordPurchases", {"purchases": given}, fields)["results"]

    assert done == [
        {"userErrors": [], "points": 11, "paidWithPoints": money("0.00", "EUR")},
        {"userErrors": [], "points": 10, "paidWithPoints": money("0.00", "USD")},
        {
            "userErrors": [{"code": "RATE_MISSING", "field": "currencyCode"}],
            "points": None,
            "paidWithPoints": None,
        },
    ]


def test_a_refund_is_told_in_the_purchases_currency(api: Api, ada: Member):
    given = receipt(ada, lines=TEA, currencyCode="USD")
    made = api.do("recordPurchase", given, "purchase { id }")["purchase"]
    back = {
        "idempotencyKey": "back",
        "purchase": {"id": made["id"]},
        "lines": [{"number": 1, "quantity": 1}],
    }

    done = api.do("refundPurchase", back, f"amount {MONEY} paidWithPoints {MONEY} pointsDue")
    [refund] = api.data(
        f"query ($p: PurchaseRef!) {{ purchase(ref: $p) {{ refunds {{ amount {MONEY} }} }} }}",
        {"p": {"id": made["id"]}},
    )["purchase"]["refunds"]

    # 5.50 USD are 5.06 EUR and left earn 5 of the 10.
    assert done["amount"] == refund["amount"] == money("5.50", "USD")
    assert (done["paidWithPoints"], done["pointsDue"]) == (money("0.00", "USD"), 5)


def test_a_simulation_tells_both_currencies(api: Api, ada: Member):
    query = f"""query ($i: SimulatePurchaseInput!) {{ simulatePurchase(input: $i) {{ points
        total {MONEY} exchangeRate {{ rate day }} lines {{ amount {MONEY} }} }} }}"""
    basket = {"member": {"id": member_id(ada)}, "lines": TEA}

    abroad = api.data(query, {"i": {**basket, "currencyCode": "USD"}})["simulatePurchase"]
    at_home = api.data(query, {"i": basket})["simulatePurchase"]

    assert abroad == {
        "points": 10,
        "total": money("11.00", "USD"),
        "exchangeRate": {"rate": "0.9214", "day": "2026-03-01"},
        "lines": [{"amount": money("10.13", "EUR")}],
    }
    assert (at_home["total"], at_home["exchangeRate"]) == (money("11.00", "EUR"), None)
    assert api.error(query, {"i": {**basket, "currencyCode": "GBP"}}) == "RATE_MISSING"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"currencyCode": "GBP"}, ("RATE_MISSING", "currencyCode")),
        ({"currencyCode": "usd"}, ("INVALID_INPUT", "currencyCode")),
        ({"currencyCode": ""}, ("INVALID_INPUT", "currencyCode")),
        ({"currencyCode": "JPY"}, ("INVALID_INPUT", "lines.0.unitAmount")),
        ({"currencyCode": "USD", "payWithPoints": 1}, ("INVALID_INPUT", "payWithPoints")),
    ],
    ids=["no rate", "no currency", "nothing", "too many decimals", "points"],
)
def test_what_cannot_be_converted_is_refused(
    api: Api, ada: Member, *, changes: dict[str, Any], refusal: tuple[str, str]
):
    assert api.refusal("recordPurchase", receipt(ada, lines=TEA, **changes)) == refusal
