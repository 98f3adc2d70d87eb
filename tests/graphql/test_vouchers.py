from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import NOON, NOTE, giving

FIELDS = """status faceValue { amount currencyCode } remaining { amount } issuedAt expiresAt
    uses { number amount { amount } ofNumber at store reference } member { number }"""


@pytest.fixture
def ada(api: Api) -> Member:
    api.shop = api.open_shop(giving({**NOTE, "code_days": 10}))
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada)
    return ada


@pytest.fixture
def note(api: Api, ada: Member) -> dict[str, str]:
    """The code and id of a voucher over 20 euros."""
    wish = {"idempotencyKey": "want", "member": {"id": member_id(ada)}, "reward": "NOTE"}
    done = api.do("redeemReward", wish, "redemption { code voucher { id code } }")
    voucher: dict[str, str] = done["redemption"]["voucher"]
    assert voucher["code"] == done["redemption"]["code"]
    return voucher


def using(note: dict[str, str], amount: str, /, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "use", "voucher": {"code": note["code"]}, "amount": amount}
    return {**given, **changes}


def returning(note: dict[str, str], use: int, /, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "back", "voucher": {"id": note["id"]}, "use": use, **changes}


def test_money_is_used_and_given_back(api: Api, ada: Member, note: dict[str, str]):
    shown = "number amount { amount } remaining { amount } replayed"

    used = api.do("useVoucher", using(note, "12.50", store="south", reference="r 7"), shown)
    again = api.do("useVoucher", using(note, "12.50", store="south", reference="r 7"), shown)
    back = api.do("refundVoucher", returning(note, 1, amount="2.50"), shown)
    rest = api.do(
        "refundVoucher",
        returning(note, 1, idempotencyKey="rest"),
        f"{shown} voucher {{ {FIELDS} }}",
    )

    money = {"amount": {"amount": "12.50"}, "remaining": {"amount": "7.50"}}
    assert used == {"userErrors": [], "number": 1, **money, "replayed": False}
    assert again == {**used, "replayed": True}
    assert (back["number"], back["remaining"]) == (2, {"amount": "10.00"})
    assert rest["amount"] == {"amount": "10.00"}
    at = "2026-03-02T12:00:00Z"
    assert rest["voucher"] == {
        "status": "ACTIVE",
        "faceValue": {"amount": "20.00", "currencyCode": "EUR"},
        "remaining": {"amount": "20.00"},
        "issuedAt": at,
        "expiresAt": "2026-03-12T23:00:00Z",
        "uses": [
            {
                "number": number,
                "amount": {"amount": amount},
                "ofNumber": of,
                "at": at,
                "store": store,
                "reference": reference,
            }
            for number, amount, of, store, reference in [
                (1, "12.50", None, "south", "r 7"),
                (2, "-2.50", 1, None, ""),
                (3, "-10.00", 1, None, ""),
            ]
        ],
        "member": {"number": ada.number},
    }


def test_a_refund_brings_the_money_back_that_a_voucher_paid(
    api: Api, ada: Member, note: dict[str, str]
):
    named = {"source": "till", "externalId": "r-9"}
    api.do("useVoucher", using(note, "12.50", receipt=named), "number")
    api.do("recordPurchase", receipt(ada, **named), "points")
    given = {"idempotencyKey": "back-9", "purchase": {"receipt": named}}

    done = api.do("refundPurchase", given, "amount { amount } vouchersReturned { amount }")

    assert done["amount"] == {"amount": "60.99"}
    assert done["vouchersReturned"] == {"amount": "12.50"}
    other = using(note, "12.50", receipt={**named, "externalId": "r-8"})
    assert api.refusal("useVoucher", other) == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")


def test_a_member_sees_the_vouchers(api: Api, ada: Member, note: dict[str, str]):
    query = """query ($r: MemberRef!) { vouchers(member: $r) { id status }
        member(ref: $r) { vouchers { id status } } }"""
    api.do("useVoucher", using(note, "1"), "")
    ref = {"r": {"id": member_id(ada)}}

    now = api.data(query, ref)
    api.now = NOON + timedelta(days=11)
    later = api.data(query, ref)

    assert now["vouchers"] == [{"id": note["id"], "status": "PARTIALLY_USED"}]
    assert now["member"] == {"vouchers": now["vouchers"]}
    assert later["vouchers"] == [{"id": note["id"], "status": "EXPIRED"}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": "20.01"}, ("VOUCHER_AMOUNT", "amount")),
        ({"amount": "0"}, ("INVALID_INPUT", "amount")),
        ({"amount": "1.001"}, ("INVALID_INPUT", "amount")),
        ({"voucher": {"code": "000000000000000000"}}, ("NOT_FOUND", "code")),
        ({"voucher": {"id": "x"}}, ("INVALID_INPUT", "voucher.id")),
        ({"idempotencyKey": ""}, ("INVALID_INPUT", "idempotencyKey")),
        ({"reference": "r" * 101}, ("INVALID_INPUT", "reference")),
    ],
)
def test_what_cannot_be_used_is_refused(
    api: Api, note: dict[str, str], changes: dict[str, Any], expected: tuple[str, str]
):
    assert api.refusal("useVoucher", {**using(note, "1.00"), **changes}) == expected


def test_what_was_not_used_cannot_be_given_back(api: Api, note: dict[str, str]):
    api.do("useVoucher", using(note, "1.00"), "")

    assert api.refusal("refundVoucher", returning(note, 2)) == ("NOT_FOUND", "use")
    too_much = returning(note, 1, amount="1.01")
    assert api.refusal("refundVoucher", too_much) == ("VOUCHER_AMOUNT", "amount")


def test_a_code_of_something_else_is_no_voucher(api: Api, ada: Member, note: dict[str, str]):
    coffee = api.run(api.shop.want, ada, "COFFEE")
    ref = {"id": encode_id("Voucher", ada.id, coffee.redemption_id)}

    refused = api.refusal("useVoucher", {**using(note, "1.00"), "voucher": ref})
    assert refused == ("NOT_FOUND", "voucher")
