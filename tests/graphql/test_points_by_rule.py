from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import Shop
from tests.usecases.test_bonuses import ruled

RULES: list[dict[str, Any]] = [
    {
        "code": "FAIR",
        "name": "Fairly traded",
        "points": 7,
        "lines": {"labels": {"has": "FAIR"}},
        "caps": [{"points": 10, "per": "DAY"}],
    },
    {
        "code": "APP",
        "name": "By app and card",
        "points": 50,
        "pending": {"days": 14},
        "when": {
            "purchase": {"channel": "MOBILE", "payment": "CARD", "source": "till"},
            "store": {"code": "Main Street"},
        },
    },
]
BY_RULE = """points pointsByRule { code name points wanted activatesAt
    cuts { kind per limit taken } }"""
SIMULATE = f"""query ($input: SimulatePurchaseInput!) {{ simulatePurchase(input: $input) {{
    {BY_RULE} explanation {{ steps {{ text points }} }} }} }}"""
RECORD = f"{BY_RULE} balance replayed entry {{ points }} purchase {{ {BY_RULE} }}"
TEA = {"productType": "TEA", "quantity": 1, "unitAmount": "10", "labels": ["FAIR"]}
ASKED = {"source": "till", "store": "Main Street", "channel": "MOBILE", "payment": "CARD"}
FAIR = {"code": "FAIR", "name": "Fairly traded", "points": 7, "wanted": 7, "cuts": []}
CUT = {"kind": "POINTS", "per": "DAY", "limit": 10, "taken": 4}
APP = {"code": "APP", "name": "By app and card", "points": 50, "wanted": 50, "cuts": []}
FIRST = [
    {**FAIR, "activatesAt": None},
    {**APP, "activatesAt": "2026-03-15T23:00:00Z"},
]


@pytest.fixture
def shop(api: Api) -> Shop:
    return api.open_shop(ruled(*RULES))


@pytest.fixture
def ada(api: Api, shop: Shop) -> Member:
    return api.run(shop.enrol, email="ada@example.com")


def bought(ada: Member, **changes: Any) -> dict[str, Any]:
    return receipt(ada, lines=[TEA], **{**ASKED, **changes})


def test_points_are_told_rule_by_rule_before_and_after(api: Api, ada: Member):
    basket = {"lines": [TEA], "member": {"id": member_id(ada)}, **ASKED}
    given = bought(ada)

    simulated = api.data(SIMULATE, {"input": basket})["simulatePurchase"]
    recorded = api.do("recordPurchase", given, RECORD)
    again = api.do("recordPurchase", given, RECORD)

    assert (simulated["points"], simulated["pointsByRule"]) == (67, FIRST)
    assert simulated["explanation"]["steps"][1:] == [
        {"text": "Fairly traded: 7 beans", "points": 7},
        {"text": "By app and card: 50 beans", "points": 50},
    ]
    assert (recorded["points"], recorded["balance"], recorded["entry"]) == (67, 17, {"points": 17})
    assert recorded["pointsByRule"] == recorded["purchase"]["pointsByRule"] == FIRST
    assert again == {**recorded, "replayed": True}


def test_a_cap_says_what_it_took(api: Api, ada: Member):
    api.do("recordPurchase", bought(ada), "")
    basket = {"lines": [TEA], "member": {"id": member_id(ada)}}

    simulated = api.data(SIMULATE, {"input": basket})["simulatePurchase"]
    of_somebody = api.data(SIMULATE, {"input": {"lines": [TEA]}})["simulatePurchase"]
    recorded = api.do("recordPurchase", bought(ada, payment=None), RECORD)

    cut = {**FAIR, "points": 3, "cuts": [CUT], "activatesAt": None}
    assert simulated["pointsByRule"] == recorded["pointsByRule"] == [cut]
    assert (simulated["points"], of_somebody["points"], recorded["points"]) == (13, 17, 13)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payment": "x" * 21}, "INVALID_INPUT"),
        ({"payment": "A\nB"}, "INVALID_INPUT"),
        ({"store": "x" * 61}, "INVALID_INPUT"),
        ({"source": "x" * 41}, "INVALID_INPUT"),
        ({"lines": [{**TEA, "labels": [""]}]}, "INVALID_INPUT"),
        ({"channel": "PIGEON"}, "BAD_REQUEST"),
    ],
)
def test_a_basket_that_could_not_be_a_purchase_is_refused(
    api: Api, shop: Shop, changes: dict[str, Any], code: str
):
    assert api.error(SIMULATE, {"input": {"lines": [TEA], **changes}}) == code


def test_a_token_for_one_store_asks_for_that_store(api: Api, ada: Member):
    token = api.token("admin", store="Main Street")
    asked = {name: value for name, value in ASKED.items() if name != "store"}

    here = api.data(SIMULATE, {"input": {"lines": [TEA], **asked}}, token=token)
    elsewhere = {"lines": [TEA], **asked, "store": "Side Street"}

    assert here["simulatePurchase"]["points"] == 67
    assert api.error(SIMULATE, {"input": elsewhere}, token=token) == "WRONG_STORE"


def test_a_little_more_that_earns_more_is_told(api: Api):
    large = {
        "code": "LARGE",
        "name": "Large baskets",
        "points": 40,
        "when": {"purchase": {"total_minor": {"at_least": 1250}}},
    }
    api.open_shop(ruled(large))
    query = """query ($input: SimulatePurchaseInput!) { simulatePurchase(input: $input) {
        points upsells { addAmount { amount currencyCode } extraPoints unlocks } } }"""

    small = api.data(query, {"input": {"lines": [TEA]}})["simulatePurchase"]
    two = api.data(query, {"input": {"lines": [TEA, TEA]}})["simulatePurchase"]

    more = {"amount": "2.50", "currencyCode": "EUR"}
    assert small["upsells"] == [{"addAmount": more, "extraPoints": 40, "unlocks": ["LARGE"]}]
    assert (two["points"], two["upsells"]) == (60, [])


def test_what_caps_on_all_points_took_is_told_with_the_purchase_and_after_it(api: Api):
    data = ruled()
    data["earning"] = {**data["earning"], "caps": [{"points": 100, "per": "DAY"}]}
    shop = api.open_shop(data)
    ada = api.run(shop.enrol)
    shown = "capped { wanted cuts { kind per limit taken } }"
    token = api.token("admin", shop=shop)
    entry = "entry { explanation { steps { text points } } }"
    fields = f"points {shown} purchase {{ {shown} }} {entry}"

    first = api.do("recordPurchase", receipt(ada), fields, token=token)
    second = api.do("recordPurchase", receipt(ada), f"points entry {{ id }} {shown}", token=token)

    cut = {"kind": "MEMBER_TOTAL", "per": "DAY", "limit": 100, "taken": 8}
    assert (first["points"], first["capped"]) == (100, {"wanted": 108, "cuts": [cut]})
    assert first["purchase"]["capped"] == first["capped"]
    assert first["entry"]["explanation"]["steps"][-1] == {
        "text": "In all: 108 beans, 8 of them over the cap on all points of 100 a day are left out",
        "points": -8,
    }
    assert (second["points"], second["entry"]) == (0, None)
    assert second["capped"] == {"wanted": 108, "cuts": [{**cut, "taken": 108}]}
