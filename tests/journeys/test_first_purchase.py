"""The main story: join, see what a basket earns, buy, look at the phone, bring something back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty_graph.usecases import proof
from tests.api import GOLDEN_LINES, Api, open_api

SIMULATE = """query ($input: SimulatePurchaseInput!) {
    simulatePurchase(input: $input) { points explanation { summary } } }"""
HOME_SCREEN = """query ($ref: MemberRef!) {
    program { name pointNamePlural branding { background } }
    member(ref: $ref) {
        firstName purchaseCount spend { amount currencyCode }
        wallet { available expirations { points expiresAt } }
        entries(first: 10) { nodes { kind points balanceAfter
            explanation { summary } purchase { store lines { productType points } } } } } }"""
INTEGRITY = "{ ledgerIntegrity { ok accounts transfers differences } }"


@pytest.fixture
def api(database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with open_api(database_url, data_dir, monkeypatch) as api:
        yield api


def test_from_joining_to_a_proven_balance(api: Api):
    till = api.token("members:write", "purchases:write")
    phone = api.token("members:read")
    service = api.token("points:adjust")
    ada = {"email": "ada@example.com"}

    # At the till somebody joins, and hears what the basket is worth.
    api.do("enrolMember", {**ada, "firstName": "Ada", "consents": ["TERMS"]}, "", token=till)
    simulated = api.data(SIMULATE, {"input": {"lines": GOLDEN_LINES}}, token=till)
    assert simulated["simulatePurchase"] == {
        "points": 108,
        "explanation": {"summary": "108 beans for a purchase of €60.99."},
    }

    # The purchase is recorded; the network fails, the till tries again.
    bought = {
        "idempotencyKey": "till-7-0001",
        "member": ada,
        "source": "till-7",
        "externalId": "0001",
        "store": "Market Square",
        "lines": GOLDEN_LINES,
    }
    first = api.do("recordPurchase", bought, "points balance replayed", token=till)
    again = api.do("recordPurchase", bought, "points balance replayed", token=till)
    assert first == {"userErrors": [], "points": 108, "balance": 108, "replayed": False}
    assert again == {**first, "replayed": True}

    # The mug comes back, and somebody is kind.
    returned = {
        "idempotencyKey": "till-7-0002",
        "purchase": {"receipt": {"source": "till-7", "externalId": "0001"}},
        "lines": [{"number": 2, "quantity": 1}],
    }
    back = api.do("refundPurchase", returned, "pointsTakenBack balance", token=till)
    gift = {"idempotencyKey": "case-1", "member": ada, "points": 6, "reason": "Sorry"}
    given = api.do("adjustPoints", gift, "balance", token=service)
    assert back == {"userErrors": [], "pointsTakenBack": 74, "balance": 34}
    assert given == {"userErrors": [], "balance": 40}

    # One query draws the home screen, and says why every point moved.
    screen = api.data(HOME_SCREEN, {"ref": ada}, token=phone)
    purchase = {
        "store": "Market Square",
        "lines": [
            {"productType": kind, "points": points}
            for kind, points in (("COFFEE", 27), ("MUG", 74), ("GIFT_CARD", 0), ("TEA", 7))
        ],
    }
    assert screen == {
        "program": {
            "name": "Bean Club",
            "pointNamePlural": "beans",
            "branding": {"background": "rgb(18, 54, 42)"},
        },
        "member": {
            "firstName": "Ada",
            "purchaseCount": 1,
            "spend": {"amount": "46.00", "currencyCode": "EUR"},
            "wallet": {
                "available": 40,
                "expirations": [{"points": 40, "expiresAt": "2026-09-02T22:00:00Z"}],
            },
            "entries": {
                "nodes": [
                    {
                        "kind": "ADJUST",
                        "points": 6,
                        "balanceAfter": 40,
                        "explanation": {"summary": "6 beans added by hand: Sorry"},
                        "purchase": None,
                    },
                    {
                        "kind": "REVERSE",
                        "points": -74,
                        "balanceAfter": 34,
                        "explanation": {
                            "summary": "74 beans taken back: after a refund the purchase is "
                            "worth 34 instead of 108."
                        },
                        "purchase": purchase,
                    },
                    {
                        "kind": "EARN",
                        "points": 108,
                        "balanceAfter": 108,
                        "explanation": {"summary": "108 beans for a purchase of €60.99."},
                        "purchase": purchase,
                    },
                ]
            },
        },
    }

    # The books are audited, and anybody can see the outcome.
    api.run(proof.verify, api.shop.program_id, now=api.now)
    assert api.data(INTEGRITY, token=None) == {
        "ledgerIntegrity": {"ok": True, "accounts": 1, "transfers": 3, "differences": 0}
    }
