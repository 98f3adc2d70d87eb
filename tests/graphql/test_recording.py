import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.usecases.purchases import record_gathered
from tests.api import GOLDEN_LINES, Api, member_id, receipt
from tests.shop import program

SIMULATE = """query ($input: SimulatePurchaseInput!) { simulatePurchase(input: $input) {
    points total { amount currencyCode } expiresAt
    lines { number productType quantity amount { amount } points }
    explanation { summary steps { text productType amount { amount } points } } } }"""
RECORD = "points balance replayed purchase { id } entry { sequence }"
MANY = "results { userErrors { code field } points balance replayed }"
RECEIPT = """purchase { source externalId store channel payment purchasedAt recordedAt points
    total { amount currencyCode } tax { amount } member { number } entry { points }
    lines { number productType sku labels quantity refundedQuantity points unitAmount { amount }
    discount { amount } tax { amount } } refunds { amount { amount } } }"""


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol, email="ada@example.com")


def changed_line(**changes: object) -> dict[str, Any]:
    return {"lines": [{**GOLDEN_LINES[0], **changes}]}


def test_a_simulation_tells_points_and_why_and_writes_nothing(api: Api):
    till = api.token("purchases:write")
    before = api.everything()

    done = api.data(SIMULATE, {"input": {"lines": GOLDEN_LINES}}, token=till)["simulatePurchase"]

    assert api.everything() == before
    assert done["points"] == 108
    assert done["total"] == {"amount": "60.99", "currencyCode": "EUR"}
    assert done["expiresAt"] == "2026-09-02T22:00:00Z"
    assert done["lines"][1] == {
        "number": 2,
        "productType": "MUG",
        "quantity": 1,
        "amount": {"amount": "14.99"},
        "points": 74,
    }
    assert done["explanation"]["summary"] == "108 beans for a purchase of €60.99."
    assert [step["text"] for step in done["explanation"]["steps"]] == [
        "COFFEE: €13.50 at 2 per €1.00, rounded down = 27",
        "MUG: €14.99 at 5 per €1.00, rounded down = 74",
        "GIFT_CARD: €25.00 earns nothing here = 0",
        "TEA: €7.50 at 1 per €1.00, rounded down = 7",
    ]


def test_points_that_never_expire_have_no_date(api: Api):
    data = program(expiry_months=None)
    shop = api.open_shop({**data, "program": {**data["program"], "slug": "for-ever"}})
    given = {"input": {"lines": GOLDEN_LINES}}

    done = api.data(SIMULATE, given, token=api.token("admin", shop=shop))

    assert done["simulatePurchase"]["expiresAt"] is None


def test_a_purchase_is_recorded_as_it_was_simulated(api: Api, ada: Member):
    given = receipt(
        ada,
        store="Market Square",
        channel="MOBILE",
        payment=" CARD ",
        purchasedAt="2026-03-02T10:00:00+01:00",
        lines=[
            {
                "productType": "COFFEE",
                "quantity": 3,
                "unitAmount": "4.50",
                "discount": "1.50",
                "tax": "0.84",
                "sku": "C-1",
                "labels": ["ORGANIC", " FAIR ", "ORGANIC"],
            }
        ],
    )

    done = api.do("recordPurchase", given, f"points balance replayed {RECEIPT}")

    assert (done["userErrors"], done["points"], done["balance"], done["replayed"]) == (
        [],
        24,
        24,
        False,
    )
    assert done["purchase"] == {
        "source": "till",
        "externalId": given["externalId"],
        "store": "Market Square",
        "channel": "MOBILE",
        "payment": "CARD",
        "purchasedAt": "2026-03-02T09:00:00Z",
        "recordedAt": "2026-03-02T12:00:00Z",
        "points": 24,
        "total": {"amount": "12.00", "currencyCode": "EUR"},
        "tax": {"amount": "0.84"},
        "member": {"number": ada.number},
        "entry": {"points": 24},
        "lines": [
            {
                "number": 1,
                "productType": "COFFEE",
                "sku": "C-1",
                "labels": ["ORGANIC", "FAIR"],
                "quantity": 3,
                "refundedQuantity": 0,
                "points": 24,
                "unitAmount": {"amount": "4.50"},
                "discount": {"amount": "1.50"},
                "tax": {"amount": "0.84"},
            }
        ],
        "refunds": [],
    }


def test_a_purchase_that_earns_nothing_has_no_entry(api: Api, ada: Member):
    given = receipt(ada, lines=[GOLDEN_LINES[2]])

    done = api.do("recordPurchase", given, "points entry { sequence } purchase { entry { id } }")

    assert (done["points"], done["entry"], done["purchase"]) == (0, None, {"entry": None})


def test_a_retry_gets_the_first_answer_though_time_has_passed(api: Api, ada: Member):
    given = receipt(ada)
    first = api.do("recordPurchase", given, RECORD)
    api.run(api.shop.buy, ada)
    before = api.everything()

    api.now += timedelta(minutes=2)
    again = api.do("recordPurchase", given, RECORD)

    assert again == {**first, "replayed": True}
    assert api.everything() == before


def test_a_till_without_members_read_that_asks_for_the_member_records_nothing(
    api: Api, ada: Member
):
    token = api.token("purchases:write")
    query = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
        balance member { email } purchase { member { email } } } }"""

    before = api.everything()

    answer = api.ask(query, {"input": receipt(ada)}, token=token)

    assert "data" not in answer
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"] * 2
    assert api.everything() == before


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param(
            changed_line(productType="CIGAR"), "UNKNOWN_PRODUCT_TYPE", "lines", id="unknown type"
        ),
        pytest.param(changed_line(productType=""), "INVALID_INPUT", "lines.0", id="no type"),
        pytest.param(changed_line(quantity=0), "INVALID_INPUT", "lines.0", id="none"),
        pytest.param(changed_line(quantity=-1), "INVALID_INPUT", "lines.0", id="fewer than none"),
        pytest.param(
            changed_line(unitAmount="0.001"),
            "INVALID_INPUT",
            "lines.0.unitAmount",
            id="a tenth of a cent",
        ),
        pytest.param(
            changed_line(unitAmount="92233720368547758.08"),
            "INVALID_INPUT",
            "lines.0.unitAmount",
            id="beyond 64 bits",
        ),
        pytest.param(
            changed_line(tax="9" * 30), "INVALID_INPUT", "lines.0.tax", id="far beyond 64 bits"
        ),
        pytest.param(changed_line(unitAmount="-1"), "INVALID_INPUT", "lines.0", id="below zero"),
        pytest.param(changed_line(discount="99"), "INVALID_INPUT", "lines.0", id="discount"),
        pytest.param(changed_line(sku="x" * 61), "INVALID_INPUT", "lines.0.sku", id="sku"),
        pytest.param(changed_line(labels=["x" * 41]), "INVALID_INPUT", "lines.0", id="label"),
        pytest.param(changed_line(labels=[" "]), "INVALID_INPUT", "lines.0", id="empty label"),
        pytest.param(changed_line(labels=["A\nB"]), "INVALID_INPUT", "lines.0", id="torn label"),
        pytest.param(
            changed_line(labels=list(map(str, range(21)))), "INVALID_INPUT", "lines.0", id="labels"
        ),
        pytest.param({"payment": "x" * 21}, "INVALID_INPUT", "payment", id="payment"),
        pytest.param({"payment": "A\nB"}, "INVALID_INPUT", "payment", id="unprintable payment"),
        pytest.param({"lines": []}, "INVALID_INPUT", "lines", id="no lines"),
        pytest.param({"store": "x" * 61}, "INVALID_INPUT", "store", id="store"),
        pytest.param({"source": " "}, "INVALID_INPUT", "source", id="no source"),
        pytest.param({"externalId": "x" * 101}, "INVALID_INPUT", "externalId", id="receipt"),
        pytest.param({"idempotencyKey": ""}, "INVALID_INPUT", "idempotencyKey", id="no key"),
        pytest.param(
            {"purchasedAt": "2026-03-02T12:05:01Z"}, "INVALID_INPUT", "purchasedAt", id="ahead"
        ),
        pytest.param(
            {"purchasedAt": "2025-03-02T11:59:59Z"}, "INVALID_INPUT", "purchasedAt", id="too old"
        ),
        pytest.param({"member": {"email": "bob@example.com"}}, "NOT_FOUND", "member", id="nobody"),
        pytest.param({"member": {"id": "x"}}, "INVALID_INPUT", "member.id", id="no id"),
    ],
)
def test_a_refused_purchase_changes_nothing(
    api: Api, ada: Member, changes: dict[str, object], code: str, field: str
):
    given = receipt(ada, **changes)

    assert api.refusal("recordPurchase", given) == (code, field)


def test_the_answer_to_a_refusal_holds_nothing_else(api: Api, ada: Member):
    fields = "points balance replayed purchase { id } entry { id } member { id }"

    done = api.do("recordPurchase", receipt(ada, lines=[]), fields)

    assert done == {
        "userErrors": [
            {
                "code": "INVALID_INPUT",
                "field": "lines",
                "message": "A purchase needs 1 to 500 lines.",
            }
        ],
        "points": None,
        "balance": None,
        "replayed": False,
        "purchase": None,
        "entry": None,
        "member": None,
    }


def test_a_simulation_is_refused_as_the_purchase_would_be(api: Api):
    given = {"input": changed_line(productType="CIGAR")}

    assert api.error(SIMULATE, given) == "UNKNOWN_PRODUCT_TYPE"


async def _close(member: Member) -> None:
    from loyalty_graph.ledger.models import AccountRow

    await AccountRow.filter(member_id=member.id).update(status="CLOSED")


def test_a_closed_member_earns_nothing(api: Api, ada: Member):
    api.run(_close, ada)

    assert api.refusal("recordPurchase", receipt(ada)) == ("MEMBER_NOT_ACTIVE", "member")


def test_one_receipt_counts_for_one_member_once(api: Api, ada: Member):
    bob = api.run(api.shop.enrol)
    api.do("recordPurchase", receipt(ada, externalId="r-1"), "")

    refused = api.refusal("recordPurchase", receipt(bob, externalId="r-1"))

    assert refused == ("DUPLICATE_PURCHASE", "externalId")


def test_a_key_stands_for_one_input(api: Api, ada: Member):
    api.do("recordPurchase", receipt(ada, idempotencyKey="k"), "")

    refused = api.refusal("recordPurchase", receipt(ada, idempotencyKey="k"))

    assert refused == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")


def test_a_batch_answers_each_in_its_place(api: Api, ada: Member):
    good = receipt(ada, lines=[GOLDEN_LINES[0]])
    given = [
        good,
        receipt(ada, member={"number": "12"}),
        receipt(ada, lines=[{**GOLDEN_LINES[0], "quantity": 0}]),
        receipt(ada, member={"email": "bob@example.com"}),
        good,
        receipt(ada, lines=[GOLDEN_LINES[3]]),
    ]

    done = api.do("recordPurchases", {"purchases": given}, MANY)

    nothing = {"points": None, "balance": None, "replayed": False}
    assert done["userErrors"] == []
    assert done["results"] == [
        {"userErrors": [], "points": 27, "balance": 27, "replayed": False},
        {"userErrors": [{"code": "INVALID_INPUT", "field": "member.number"}], **nothing},
        {"userErrors": [{"code": "INVALID_INPUT", "field": "lines.0"}], **nothing},
        {"userErrors": [{"code": "NOT_FOUND", "field": "member"}], **nothing},
        {"userErrors": [], "points": 27, "balance": 27, "replayed": True},
        {"userErrors": [], "points": 7, "balance": 34, "replayed": False},
    ]


@pytest.mark.parametrize("number", [0, 501])
def test_a_batch_has_one_to_five_hundred_purchases(api: Api, ada: Member, number: int):
    line = [{"productType": "TEA", "quantity": 1, "unitAmount": 1}]
    given = {"purchases": [receipt(ada, lines=line) for _ in range(number)]}

    assert api.refusal("recordPurchases", given) == ("INVALID_INPUT", "purchases")


def test_single_calls_at_one_time_are_gathered_and_do_not_disturb_each_other(
    api: Api, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    view = next(route.endpoint for route in api.client.app.routes if route.path == "/graphql")
    gatherer, sizes = view._record_purchase, []
    given = [receipt(ada, lines=[GOLDEN_LINES[0]]) for _ in range(5)]
    given[1]["lines"] = [{**GOLDEN_LINES[0], "quantity": 0}]
    given[2]["member"] = {"email": "bob@example.com"}
    token = api.token("purchases:write")

    async def begun_when_all_have_come(calls: Any) -> Any:
        sizes.append(len(calls))
        while sum(sizes) + gatherer._waiting.qsize() < len(given):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
        return await record_gathered(calls)

    def buy(one: dict[str, Any]) -> dict[str, Any]:
        return api.do("recordPurchase", one, "points", token=token)

    monkeypatch.setattr(gatherer, "_run_batch", begun_when_all_have_come)
    with ThreadPoolExecutor(len(given)) as tills:
        answers = list(tills.map(buy, given))

    codes = [error["code"] for answer in answers for error in answer["userErrors"]]
    assert codes == ["INVALID_INPUT", "NOT_FOUND"]
    assert [answer["points"] for answer in answers] == [27, None, None, 27, 27]
    assert sum(sizes) == len(given)
    assert len(sizes) < len(given)
    assert api.run(api.shop.balance, ada) == 3 * 27


def test_a_purchase_is_found_by_its_id_and_by_its_receipt(api: Api, ada: Member):
    done = api.do("recordPurchase", receipt(ada, externalId="r-1"), "purchase { id }")
    query = "query ($ref: PurchaseRef!) { purchase(ref: $ref) { id points } }"

    for ref in (
        {"id": done["purchase"]["id"]},
        {"receipt": {"source": "till", "externalId": "r-1"}},
    ):
        found = api.data(query, {"ref": ref}, token=api.token("members:read"))
        assert found == {"purchase": {"id": done["purchase"]["id"], "points": 108}}


def test_an_unknown_receipt_is_null_and_an_id_of_something_else_is_refused(api: Api, ada: Member):
    query = "query ($ref: PurchaseRef!) { purchase(ref: $ref) { id } }"
    unknown = {"receipt": {"source": "till", "externalId": "r-2"}}

    assert api.data(query, {"ref": unknown}) == {"purchase": None}
    assert api.error(query, {"ref": {"id": member_id(ada)}}) == "INVALID_INPUT"
    assert api.error(query, {"ref": {"id": "???"}}) == "INVALID_INPUT"
    assert api.error(query, {"ref": {}}) == "BAD_REQUEST"


def test_a_token_for_one_store_records_there_and_nowhere_else(api: Api, ada: Member):
    token = api.token("admin", store="Main Street")
    fields = "purchase { store }"

    here = api.do("recordPurchase", receipt(ada), fields, token=token)
    named = api.do("recordPurchase", receipt(ada, store="Main Street"), fields, token=token)
    elsewhere = api.refusal("recordPurchase", receipt(ada, store="Side Street"), token=token)

    assert here["purchase"] == named["purchase"] == {"store": "Main Street"}
    assert elsewhere == ("WRONG_STORE", "store")
