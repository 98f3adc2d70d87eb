from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import program

REFUNDED = """amount { amount currencyCode } pointsDue pointsTakenBack shortfall balance replayed
    entry { kind points } member { number } purchase { points lines { refundedQuantity }
    refunds { externalId refundedAt amount { amount } pointsDue pointsTakenBack shortfall
    entry { sequence } } }"""


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol)


@pytest.fixture
def purchase_id(api: Api, ada: Member) -> str:
    given = receipt(ada, externalId="r-1")
    done = api.do("recordPurchase", given, "purchase { id }")
    return str(done["purchase"]["id"])


def refund(**changes: object) -> dict[str, Any]:
    receipt_of_it = {"receipt": {"source": "till", "externalId": "r-1"}}
    return {"idempotencyKey": "back", "purchase": receipt_of_it, **changes}


def test_a_part_takes_back_what_it_had_earned(api: Api, ada: Member, purchase_id: str):
    given = refund(
        lines=[{"number": 1, "quantity": 2}, {"number": 2, "quantity": 1}],
        refundedAt="2026-03-02T13:00:00+01:00",
        externalId="return-1",
        reason="Too many",
    )

    done = api.do("refundPurchase", given, REFUNDED)

    assert done == {
        "userErrors": [],
        "amount": {"amount": "23.99", "currencyCode": "EUR"},
        "pointsDue": 92,
        "pointsTakenBack": 92,
        "shortfall": 0,
        "balance": 16,
        "replayed": False,
        "entry": {"kind": "REVERSE", "points": -92},
        "member": {"number": ada.number},
        "purchase": {
            "points": 108,
            "lines": [{"refundedQuantity": units} for units in (2, 1, 0, 0)],
            "refunds": [
                {
                    "externalId": "return-1",
                    "refundedAt": "2026-03-02T12:00:00Z",
                    "amount": {"amount": "23.99"},
                    "pointsDue": 92,
                    "pointsTakenBack": 92,
                    "shortfall": 0,
                    "entry": {"sequence": 2},
                }
            ],
        },
    }


def test_without_lines_everything_that_is_left_comes_back(api: Api, ada: Member, purchase_id: str):
    api.do("refundPurchase", refund(lines=[{"number": 1, "quantity": 1}]), "")

    rest = refund(idempotencyKey="rest", purchase={"id": purchase_id})
    done = api.do("refundPurchase", rest, "pointsTakenBack balance")

    assert done == {"userErrors": [], "pointsTakenBack": 99, "balance": 0}


def test_an_amount_is_given_back_of_all_that_is_left(api: Api, ada: Member, purchase_id: str):
    given = refund(amount="10.50", reason="A scratch")
    fields = """amount { amount currencyCode } pointsDue balance replayed
        purchase { lines { refundedQuantity refundedAmount { amount } } }"""

    done = api.do("refundPurchase", given, fields)
    again = api.do("refundPurchase", given, fields)

    assert done == {
        "userErrors": [],
        "amount": {"amount": "10.50", "currencyCode": "EUR"},
        "pointsDue": 18,
        "balance": 90,
        "replayed": False,
        "purchase": {
            "lines": [
                {"refundedQuantity": 0, "refundedAmount": {"amount": amount}}
                for amount in ("2.33", "2.58", "4.30", "1.29")
            ]
        },
    }
    assert again == {**done, "replayed": True}
    other = refund(amount="10.51", reason="A scratch")
    assert api.refusal("refundPurchase", other) == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")


def test_what_was_spent_is_a_shortfall(api: Api, ada: Member, purchase_id: str):
    api.run(api.shop.redeem, ada, 100)

    done = api.do("refundPurchase", refund(), "pointsDue pointsTakenBack shortfall balance")

    assert done == {
        "userErrors": [],
        "pointsDue": 108,
        "pointsTakenBack": 8,
        "shortfall": 100,
        "balance": 0,
    }


def test_a_programme_may_let_what_was_spent_become_debt(api: Api):
    data = program(clawback="ALLOW_NEGATIVE")
    shop = api.open_shop({**data, "program": {**data["program"], "slug": "debt-club"}})
    bob, token = api.run(shop.enrol), api.token("admin", shop=shop)
    api.run(shop.buy, bob, external_id="r-1")
    api.run(shop.redeem, bob, 100)

    done = api.do(
        "refundPurchase",
        refund(),
        "pointsTakenBack shortfall balance member { wallet { available balance debt } }",
        token=token,
    )

    assert done == {
        "userErrors": [],
        "pointsTakenBack": 108,
        "shortfall": 0,
        "balance": -100,
        "member": {"wallet": {"available": 0, "balance": -100, "debt": 100}},
    }


def test_a_refund_that_had_earned_nothing_has_no_entry(api: Api, ada: Member, purchase_id: str):
    done = api.do(
        "refundPurchase", refund(lines=[{"number": 3, "quantity": 1}]), "pointsDue entry { id }"
    )

    assert (done["pointsDue"], done["entry"]) == (0, None)


def test_of_what_came_back_as_a_whole_nothing_is_left(api: Api, ada: Member, purchase_id: str):
    api.do("refundPurchase", refund(), "")

    refused = api.refusal("refundPurchase", refund(idempotencyKey="again"))

    assert refused == ("INVALID_INPUT", "purchase")


def test_a_retry_gets_the_first_answer_though_time_has_passed(
    api: Api, ada: Member, purchase_id: str
):
    first = api.do("refundPurchase", refund(), REFUNDED)
    before = api.everything()

    api.now += timedelta(minutes=2)
    again = api.do("refundPurchase", refund(), REFUNDED)

    assert again == {**first, "replayed": True}
    assert api.everything() == before


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param(
            {"lines": [{"number": 1, "quantity": 4}]}, "REFUND_TOO_LARGE", "lines", id="too large"
        ),
        pytest.param(
            {"lines": [{"number": 5, "quantity": 1}]}, "INVALID_INPUT", "lines", id="no such line"
        ),
        pytest.param(
            {"lines": [{"number": 1, "quantity": 0}]}, "INVALID_INPUT", "lines", id="no units"
        ),
        pytest.param(
            {"lines": [{"number": 1, "quantity": 1}] * 2}, "INVALID_INPUT", "lines", id="twice"
        ),
        pytest.param({"lines": []}, "INVALID_INPUT", "lines", id="no lines"),
        pytest.param({"amount": "61"}, "REFUND_AMOUNT_TOO_LARGE", "amount", id="too much"),
        pytest.param({"amount": "0"}, "INVALID_INPUT", "amount", id="no amount"),
        pytest.param({"amount": "-1"}, "INVALID_INPUT", "amount", id="below zero"),
        pytest.param({"amount": "1.005"}, "INVALID_INPUT", "amount", id="half a cent"),
        pytest.param({"amount": "1", "lines": []}, "INVALID_INPUT", "amount", id="both"),
        pytest.param(
            {"refundedAt": "2026-03-02T12:05:01Z"}, "INVALID_INPUT", "refundedAt", id="ahead"
        ),
        pytest.param(
            {"refundedAt": "2026-03-02T11:59:59Z"}, "INVALID_INPUT", "refundedAt", id="too early"
        ),
        pytest.param({"externalId": "x" * 101}, "INVALID_INPUT", "externalId", id="refund's id"),
        pytest.param({"reason": "x" * 501}, "INVALID_INPUT", "reason", id="reason"),
        pytest.param({"idempotencyKey": ""}, "INVALID_INPUT", "idempotencyKey", id="no key"),
        pytest.param({"purchase": {"id": "?"}}, "INVALID_INPUT", "purchase.id", id="no id"),
        pytest.param(
            {"purchase": {"receipt": {"source": "till", "externalId": "r-2"}}},
            "NOT_FOUND",
            "purchase",
            id="unknown receipt",
        ),
    ],
)
def test_a_refused_refund_changes_nothing(
    api: Api, purchase_id: str, changes: dict[str, object], code: str, field: str
):
    assert api.refusal("refundPurchase", refund(**changes)) == (code, field)


def test_the_id_of_a_member_is_no_purchase(api: Api, ada: Member):
    given = refund(purchase={"id": member_id(ada)})

    assert api.refusal("refundPurchase", given) == ("INVALID_INPUT", "purchase.id")


def test_one_refund_of_a_till_counts_once(api: Api, purchase_id: str):
    part = {"lines": [{"number": 1, "quantity": 1}], "externalId": "return-1"}
    api.do("refundPurchase", refund(**part), "")

    refused = api.refusal("refundPurchase", refund(**part, idempotencyKey="another"))

    assert refused == ("DUPLICATE_REFUND", "externalId")


VOIDED = """amount { amount } pointsDue pointsTakenBack pointsReturned balance replayed
    entry { kind points } purchase { status refunds { isVoid amount { amount } } }"""


def test_a_void_undoes_a_purchase_as_a_whole(api: Api, ada: Member, purchase_id: str):
    given = {"idempotencyKey": "void", "purchase": {"id": purchase_id}, "reason": "Wrong card"}

    done = api.do("voidPurchase", given, VOIDED)
    again = api.do("voidPurchase", given, VOIDED)

    assert done == {
        "userErrors": [],
        "amount": {"amount": "60.99"},
        "pointsDue": 108,
        "pointsTakenBack": 108,
        "pointsReturned": 0,
        "balance": 0,
        "replayed": False,
        "entry": {"kind": "REVERSE", "points": -108},
        "purchase": {
            "status": "VOIDED",
            "refunds": [{"isVoid": True, "amount": {"amount": "60.99"}}],
        },
    }
    assert again == {**done, "replayed": True}
    mismatch = api.refusal("voidPurchase", {**given, "reason": "Another"})
    assert mismatch == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")
    assert api.refusal("refundPurchase", refund()) == ("PURCHASE_VOIDED", "purchase")
    assert api.refusal("voidPurchase", {**given, "idempotencyKey": "2"}) == (
        "PURCHASE_VOIDED",
        "purchase",
    )


def test_a_purchase_says_where_it_stands(api: Api, purchase_id: str):
    states = [api.data(STATUS, {"id": purchase_id})["purchase"]["status"]]

    for key, what in (("part", {"amount": "1"}), ("rest", {})):
        given = refund(idempotencyKey=key, **what)
        done = api.do("refundPurchase", given, "purchase { status }")
        states.append(done["purchase"]["status"])

    assert states == ["RECORDED", "PARTIALLY_REFUNDED", "REFUNDED"]
    void = {"idempotencyKey": "void", "purchase": {"id": purchase_id}}
    assert api.refusal("voidPurchase", void) == ("PURCHASE_REFUNDED", "purchase")


STATUS = "query ($id: ID!) { purchase(ref: {id: $id}) { status } }"
