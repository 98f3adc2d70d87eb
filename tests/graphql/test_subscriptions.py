from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import DAY, PROGRAM
from tests.usecases.subscribing import PLANS

GIFT = {"code": "SHIPPING", "kind": "FREE_SHIPPING", "name": "Free shipping"}
WITH_GIFT: dict[str, Any] = {
    **PROGRAM,
    "benefits": [GIFT],
    "subscription_plans": [{**PLANS[0], "benefits": ["SHIPPING"]}, *PLANS[1:]],
}
STATE = "subscription { id status amountDue { amount } credit { amount } plan { code } }"


@pytest.fixture
def ada(api: Api) -> Member:
    api.shop = api.open_shop(WITH_GIFT)
    return api.run(api.shop.enrol)


@pytest.fixture
def mine(api: Api, ada: Member) -> str:
    """The id of a subscription whose first month is paid."""
    done = api.do("subscribe", wanted(ada), STATE)
    key: str = done["subscription"]["id"]
    api.do("recordSubscriptionPayment", payment(key), "replayed")
    return key


def wanted(ada: Member, **changes: str) -> dict[str, Any]:
    return {"idempotencyKey": "s", "member": {"id": member_id(ada)}, "plan": "PLUS", **changes}


def payment(key: str, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "p", "subscriptionId": key, "provider": "stripe"}
    return {**given, "externalId": "pi-1", "amount": "10.00", **changes}


def on(key: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": f"on-{number}", "subscriptionId": key, **changes}


def test_everybody_may_see_the_plans(api: Api, ada: Member):
    fields = """code name interval price { amount currencyCode } trialDays graceDays welcomePoints
        multiplier version benefits { code name }"""

    found = api.data(f"{{ subscriptionPlans {{ {fields} }} }}", token=None)["subscriptionPlans"]

    assert [one["code"] for one in found] == ["PLUS", "PLUS_YEAR", "TRY"]
    assert found[0] == {
        "code": "PLUS",
        "name": "Bean Plus",
        "interval": "MONTH",
        "price": {"amount": "10.00", "currencyCode": "EUR"},
        "trialDays": 0,
        "graceDays": 6,
        "welcomePoints": 50,
        "multiplier": "3/2",
        "version": 2,
        "benefits": [{"code": "SHIPPING", "name": "Free shipping"}],
    }


def test_a_member_subscribes_pays_and_is_entitled(api: Api, ada: Member):
    begun = api.do("subscribe", wanted(ada), f"replayed {STATE}")
    key = begun["subscription"]["id"]
    paid = api.do("recordSubscriptionPayment", payment(key), f"replayed {STATE}")

    assert begun["userErrors"] == paid["userErrors"] == []
    assert begun["subscription"]["status"] == "INCOMPLETE"
    assert begun["subscription"]["amountDue"] == {"amount": "10.00"}
    assert paid["subscription"] == {
        "id": key,
        "status": "ACTIVE",
        "amountDue": {"amount": "0.00"},
        "credit": {"amount": "0.00"},
        "plan": {"code": "PLUS"},
    }
    found = api.data(
        """query ($r: MemberRef!) { member(ref: $r) {
          subscription { status periodStartsAt periodEndsAt benefitsEndAt lapsesAt
            feesPaid { amount } member { id } }
          entitlements { benefit { code } sources { source code until } }
          wallet { available }
          entries { nodes { kind points explanation { summary } } } } }""",
        {"r": {"id": member_id(ada)}},
    )["member"]
    assert found["subscription"] == {
        "status": "ACTIVE",
        "periodStartsAt": "2026-03-02T12:00:00Z",
        "periodEndsAt": "2026-04-02T11:00:00Z",
        "benefitsEndAt": "2026-04-02T11:00:00Z",
        "lapsesAt": None,
        "feesPaid": {"amount": "10.00"},
        "member": {"id": member_id(ada)},
    }
    source = {"source": "SUBSCRIPTION", "code": "PLUS", "until": "2026-04-02T11:00:00Z"}
    assert found["entitlements"] == [{"benefit": {"code": "SHIPPING"}, "sources": [source]}]
    assert found["wallet"] == {"available": 50}
    [entry] = found["entries"]["nodes"]
    assert entry["explanation"] == {"summary": "50 beans to welcome you to Bean Plus."}


def test_retries_are_answered_and_not_done_again(api: Api, ada: Member, mine: str):
    before = api.everything()

    again = api.do("subscribe", wanted(ada), f"replayed {STATE}")
    told = api.do("recordSubscriptionPayment", payment(mine), "replayed")
    other_key = api.do(
        "recordSubscriptionPayment", payment(mine, idempotencyKey="other"), "replayed"
    )

    assert (again["replayed"], told["replayed"], other_key["replayed"]) == (True, True, True)
    assert api.everything() == before


def test_a_membership_goes_through_all_its_states(api: Api, mine: str):
    def status(mutation: str, number: int, **changes: Any) -> str:
        payload = api.do(mutation, on(mine, number, **changes), STATE)
        assert payload["userErrors"] == []
        found: str = payload["subscription"]["status"]
        return found

    assert status("pauseSubscription", 1) == "PAUSED"
    assert status("resumeSubscription", 2) == "ACTIVE"
    assert status("cancelSubscription", 3) == "CANCELLED"
    assert status("reactivateSubscription", 4) == "ACTIVE"
    assert status("changePlan", 5, plan="PLUS_YEAR") == "PAST_DUE"
    assert status("cancelSubscription", 6, atOnce=True) == "EXPIRED"


def test_what_was_not_used_pays_for_another_plan(api: Api, mine: str):
    done = api.do("changePlan", on(mine, plan="PLUS_YEAR"), STATE)

    assert done["subscription"]["credit"] == {"amount": "10.00"}
    assert done["subscription"]["amountDue"] == {"amount": "90.00"}


def test_benefits_end_with_the_grace(api: Api, ada: Member, mine: str):
    ask = """query ($r: MemberRef!) { member(ref: $r) {
        subscription { status } entitlements { until } } }"""
    found = []
    for days in (30, 31, 36, 37):
        api.now = api.shop.now + days * DAY
        member = api.data(ask, {"r": {"id": member_id(ada)}})["member"]
        found.append((member["subscription"]["status"], len(member["entitlements"])))

    assert found == [("ACTIVE", 1), ("PAST_DUE", 1), ("PAST_DUE", 1), ("EXPIRED", 0)]


def test_purchases_earn_by_the_plan_had_when_they_were_made(api: Api, ada: Member, mine: str):
    def points(at: str) -> int:
        payload = api.do("recordPurchase", receipt(ada, purchasedAt=at), "points")
        found: int = payload["points"]
        return found

    simulate = """query ($i: SimulatePurchaseInput!) { simulatePurchase(input: $i) { points } }"""
    lines = receipt(ada)["lines"]
    api.now = api.shop.now + 60 * DAY

    assert points("2026-03-01T12:00:00Z") == 108
    assert points("2026-03-02T12:00:00Z") == 162
    assert points("2026-04-08T10:59:59Z") == 162
    assert points("2026-04-08T11:00:00Z") == 108
    for at, expected in (("2026-03-05T12:00:00Z", 162), ("2026-04-20T12:00:00Z", 108)):
        given = {"lines": lines, "purchasedAt": at, "member": {"id": member_id(ada)}}
        assert api.data(simulate, {"i": given})["simulatePurchase"]["points"] == expected


def test_what_a_benefit_saved_is_compared_with_the_fee(api: Api, ada: Member, mine: str):
    for number, saved in enumerate(("4.90", "3.00", None)):
        used = {"idempotencyKey": f"u{number}", "member": {"id": member_id(ada)}}
        given = {**used, "benefit": "SHIPPING", "saved": saved}
        assert api.do("useEntitlement", given, "used")["userErrors"] == []

    found = api.data(
        """query ($id: ID!) { subscription(id: $id) {
          savedValue { amount } feesPaid { amount } } }""",
        {"id": mine},
    )["subscription"]
    assert found == {"savedValue": {"amount": "7.90"}, "feesPaid": {"amount": "10.00"}}
    bad = {"idempotencyKey": "b", "member": {"id": member_id(ada)}, "benefit": "SHIPPING"}
    assert api.refusal("useEntitlement", {**bad, "saved": "-1"}) == ("INVALID_INPUT", "saved")


def test_refusals_say_what_is_wrong(api: Api, ada: Member, mine: str):
    def refusal(mutation: str, given: dict[str, Any]) -> tuple[str, str | None]:
        return api.refusal(mutation, given)

    assert refusal("subscribe", wanted(ada, idempotencyKey="s2")) == (
        "SUBSCRIPTION_EXISTS",
        "member",
    )
    assert refusal("subscribe", wanted(ada, idempotencyKey="s3", plan="GOLD")) == (
        "NOT_FOUND",
        "plan",
    )
    assert refusal("subscribe", wanted(ada, idempotencyKey="s4", card="gold")) == (
        "INVALID_INPUT",
        "card",
    )
    assert refusal("resumeSubscription", on(mine)) == ("SUBSCRIPTION_STATE", None)
    assert refusal("pauseSubscription", on(member_id(ada))) == ("INVALID_INPUT", "subscriptionId")
    assert refusal("changePlan", on(mine, plan="PLUS")) == ("INVALID_INPUT", "plan")
    assert refusal("changePlan", on(mine, plan="GOLD")) == ("NOT_FOUND", "plan")
    other = payment(mine, idempotencyKey="p2", amount="9.00")
    assert refusal("recordSubscriptionPayment", other) == ("DUPLICATE_PAYMENT", "externalId")
    too_exact = payment(mine, idempotencyKey="p3", externalId="pi-2", amount="9.005")
    assert refusal("recordSubscriptionPayment", too_exact) == ("INVALID_INPUT", "amount")


def test_a_payment_for_a_cancelled_membership_is_refused(api: Api, mine: str):
    api.do("cancelSubscription", on(mine), "replayed")
    late = payment(mine, idempotencyKey="p2", externalId="pi-2")

    assert api.refusal("recordSubscriptionPayment", late) == ("SUBSCRIPTION_CANCELLED", None)


def test_a_payment_for_a_membership_that_ended_is_refused(api: Api, mine: str):
    api.now = api.shop.now + 60 * DAY
    late = payment(mine, idempotencyKey="p2", externalId="pi-2")

    assert api.refusal("recordSubscriptionPayment", late) == ("SUBSCRIPTION_EXPIRED", None)


def test_a_failed_payment_is_counted(api: Api, mine: str):
    api.now = api.shop.now + 32 * DAY
    failed = payment(mine, idempotencyKey="p2", externalId="try-1", outcome="FAILED")

    done = api.do("recordSubscriptionPayment", failed, "subscription { status failedAttempts }")

    assert done["subscription"] == {"status": "PAST_DUE", "failedAttempts": 1}


def test_a_payload_of_a_refusal_holds_nothing(api: Api, ada: Member, mine: str):
    given = on(mine)

    assert api.do("resumeSubscription", given, STATE)["subscription"] is None


def test_a_subscription_that_is_not_there_is_null(api: Api, ada: Member):
    ask = "query ($id: ID!) { subscription(id: $id) { id } }"

    gone = encode_id("MemberSubscription", ada.id, ada.id)
    assert api.data(ask, {"id": gone}) == {"subscription": None}
    find = "query ($r: MemberRef!) { member(ref: $r) { subscription { id } } }"
    assert api.data(find, {"r": {"id": member_id(ada)}}) == {"member": {"subscription": None}}
