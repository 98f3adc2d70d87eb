from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import GOLDEN_LINES, Api, member_id
from tests.shop import PROGRAM

CLAIMED = {**PROGRAM, "program": {**PROGRAM["program"], "claim_days": 30}}
KEPT = "points claimCode claimExpiresAt replayed balance purchase { id }"
SHOWN = "points pointsByRule { code } balance replayed entry { points } purchase { externalId }"


@pytest.fixture
def ada(api: Api) -> Member:
    api.shop = api.open_shop(CLAIMED)
    return api.run(api.shop.enrol)


def unclaimed(**changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "keep", "source": "till", "externalId": "r-1"}
    return {**given, "lines": GOLDEN_LINES, **changes}


def claiming(member: Member, code: str, **changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": "claim",
        "member": {"id": member_id(member)},
        "code": code,
        **changes,
    }


def test_a_receipt_without_a_member_is_claimed_with_its_code(api: Api, ada: Member):
    kept = api.do("recordPurchase", unclaimed(), KEPT)
    again = api.do("recordPurchase", unclaimed(), KEPT)

    code = kept["claimCode"]
    assert kept == {
        "userErrors": [],
        "points": None,
        "claimCode": code,
        "claimExpiresAt": "2026-04-01T12:00:00Z",
        "replayed": False,
        "balance": None,
        "purchase": None,
    }
    assert again == {**kept, "replayed": True}

    her = api.member_token(ada)
    done = api.do("claimPurchase", claiming(ada, code.lower().replace("-", " ")), SHOWN, token=her)
    same = api.do("claimPurchase", claiming(ada, code), SHOWN, token=her)

    assert done == {
        "userErrors": [],
        "points": 108,
        "pointsByRule": [],
        "balance": 108,
        "replayed": False,
        "entry": {"points": 108},
        "purchase": {"externalId": "r-1"},
    }
    assert same == {**done, "replayed": True}
    another = claiming(ada, code, idempotencyKey="2")
    assert api.refusal("claimPurchase", another) == ("CLAIMED", "code")


def test_what_nobody_has_claimed_is_not_refunded(api: Api, ada: Member):
    api.do("recordPurchase", unclaimed(), KEPT)
    receipt = {"source": "till", "externalId": "r-1"}

    given = {"idempotencyKey": "undo", "purchase": {"receipt": receipt}}
    refused = api.refusal("refundPurchase", given)

    assert refused == ("RECEIPT_UNCLAIMED", "purchase")
    asked = "query ($ref: PurchaseRef!) { purchase(ref: $ref) { id } }"
    assert api.data(asked, {"ref": {"receipt": receipt}}) == {"purchase": None}


def test_what_nobody_has_claimed_can_be_voided(api: Api, ada: Member):
    code = api.do("recordPurchase", unclaimed(), KEPT)["claimCode"]
    receipt = {"source": "till", "externalId": "r-1"}
    given = {"idempotencyKey": "undo", "purchase": {"receipt": receipt}, "reason": "goods back"}
    fields = (
        "amount { amount currencyCode } paidWithPoints { amount } vouchersReturned { amount }"
        " pointsReturned pointsDue pointsTakenBack shortfall balance replayed"
        " purchase { id } entry { id }"
    )

    done = api.do("voidPurchase", given, fields)
    again = api.do("voidPurchase", given, fields)

    none = {"pointsReturned": 0, "pointsDue": 0, "pointsTakenBack": 0, "shortfall": 0}
    assert done == {
        "userErrors": [],
        "amount": {"amount": "60.99", "currencyCode": "EUR"},
        "paidWithPoints": {"amount": "0.00"},
        "vouchersReturned": {"amount": "0.00"},
        **none,
        "balance": None,
        "replayed": False,
        "purchase": None,
        "entry": None,
    }
    assert again == {**done, "replayed": True}
    assert api.refusal("claimPurchase", claiming(ada, code)) == ("PURCHASE_VOIDED", "code")
    other = {**given, "idempotencyKey": "2"}
    assert api.refusal("voidPurchase", other) == ("PURCHASE_VOIDED", "purchase")


def test_many_may_be_kept_among_others(api: Api, ada: Member):
    batch = {
        "purchases": [
            unclaimed(),
            {**unclaimed(idempotencyKey="b", externalId="r-2"), "member": {"id": member_id(ada)}},
            unclaimed(idempotencyKey="c", externalId="r-3", lines=[]),
        ]
    }

    done = api.do("recordPurchases", batch, "results { claimCode points userErrors { code } }")

    first, second, third = done["results"]
    assert (len(first["claimCode"]), first["points"], first["userErrors"]) == (20, None, [])
    assert second == {"claimCode": None, "points": 108, "userErrors": []}
    assert third["userErrors"] == [{"code": "INVALID_INPUT"}]


def test_nobody_pays_with_the_points_of_nobody(api: Api, ada: Member):
    given = unclaimed(payWithPoints="5")

    assert api.refusal("recordPurchase", given) == ("INVALID_INPUT", "member")


def test_a_programme_that_keeps_none_wants_the_member(api: Api):
    assert api.refusal("recordPurchase", unclaimed()) == ("INVALID_INPUT", "member")


def test_codes_can_only_be_tried_so_often(api: Api, ada: Member):
    her = api.member_token(ada)
    unknown = claiming(ada, "000000-000000-000000")

    refusals = [api.refusal("claimPurchase", unknown, token=her) for _ in range(61)]

    assert refusals == [("CLAIM_CODE_UNKNOWN", "code")] * 60 + [("TOO_MANY_CLAIMS", "code")]
    assert api.refusal("claimPurchase", unknown) == ("CLAIM_CODE_UNKNOWN", "code")
