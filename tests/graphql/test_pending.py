from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind
from tests.api import Api, member_id
from tests.delays import waiting
from tests.shop import DAY, NOON, PROGRAM
from tests.usecases.test_activities import earning_by

SHOWN = """points balance replayed
    entry { kind points pending at text explanation { summary } purchase { externalId } }
    member { wallet { available pending qualifying } }"""


@pytest.fixture
def receipt_of(api: Api, ada: Member) -> dict[str, Any]:
    """A purchase of Ada's of whose points 8 can be spent, and 100 wait."""
    with waiting(lambda points: [(points - 100, 0), (60, 14), (40, 30)]):
        api.run(api.shop.buy, ada, external_id="r-1")
    return {"purchase": {"receipt": {"source": "till", "externalId": "r-1"}}}


def entry(ada: Member, sequence: int) -> dict[str, Any]:
    return {"entryId": encode_id("LedgerEntry", ada.id, sequence)}


def cancelling(pending: dict[str, Any], /, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "k", "pending": pending, "reason": "a mistake", **changes}


def test_points_are_activated_when_the_goods_were_delivered(
    api: Api, ada: Member, receipt_of: dict[str, Any]
):
    token = api.token("purchases:write", "members:read")
    api.now = NOON + 2 * DAY
    given = {"idempotencyKey": "k", "pending": receipt_of, "at": "2026-03-03T12:00:00Z"}

    done = api.do("activatePending", {**given, "reason": "delivered"}, SHOWN, token=token)
    again = api.do("activatePending", {**given, "reason": "delivered"}, SHOWN, token=token)

    assert done == {
        "userErrors": [],
        "points": 100,
        "balance": 108,
        "replayed": False,
        "entry": {
            "kind": "ACTIVATE",
            "points": 60,
            "pending": -60,
            "at": "2026-03-03T12:00:00Z",
            "text": "delivered",
            "explanation": {"summary": "60 beans are yours now: they waited until Mar 3, 2026."},
            "purchase": {"externalId": "r-1"},
        },
        "member": {"wallet": {"available": 108, "pending": 0, "qualifying": 108}},
    }
    assert again == {**done, "replayed": True}


def test_points_that_wait_are_cancelled_with_a_reason(
    api: Api, ada: Member, receipt_of: dict[str, Any]
):
    token = api.token("points:adjust", "members:read")
    given = cancelling(entry(ada, 2), points=20)

    done = api.do("cancelPending", given, SHOWN, token=token)
    again = api.do("cancelPending", given, SHOWN, token=token)

    assert done == {
        "userErrors": [],
        "points": 20,
        "balance": 8,
        "replayed": False,
        "entry": {
            "kind": "CANCEL",
            "points": 0,
            "pending": -20,
            "at": "2026-03-02T12:00:00Z",
            "text": "a mistake",
            "explanation": {
                "summary": "20 beans that were waiting are cancelled by hand: a mistake"
            },
            "purchase": {"externalId": "r-1"},
        },
        "member": {"wallet": {"available": 8, "pending": 80, "qualifying": 88}},
    }
    assert again == {**done, "replayed": True}


def test_points_that_await_an_event_say_so_and_only_they_are_activated(api: Api, ada: Member):
    review = {"code": "LATER", "name": "Later", "points": 5, "pending": {"days": 3}}
    earning = {**earning_by(review)["earning"]}
    earning["pending"] = {"event": "DELIVERY", "latest_days": 60}
    api.open_shop({**PROGRAM, "earning": earning})
    bought = api.run(api.shop.buy, ada)
    shown = """query ($id: ID!) { member(ref: {id: $id}) {
        wallet { activations { points awaits activatesAt } lots { nodes { points awaits } } }
        entries(first: 9) { nodes { explanation { summary } } } } }"""

    before = api.data(shown, {"id": member_id(ada)})["member"]
    purchase = {"purchase": {"id": encode_id("Purchase", ada.id, bought.purchase_id)}}
    given = {"idempotencyKey": "k", "pending": purchase, "event": "DELIVERY"}
    done = api.do("activatePending", given, "points balance")
    after = api.data(shown, {"id": member_id(ada)})["member"]["wallet"]

    at_the_latest = {"points": 108, "awaits": "DELIVERY", "activatesAt": "2026-04-30T22:00:00Z"}
    in_days = {"points": 5, "awaits": None, "activatesAt": "2026-03-04T23:00:00Z"}
    assert before["wallet"]["activations"] == [in_days, at_the_latest]
    assert before["wallet"]["lots"]["nodes"] == [
        {"points": 108, "awaits": "DELIVERY"},
        {"points": 5, "awaits": None},
    ]
    assert [one["explanation"]["summary"] for one in before["entries"]["nodes"]] == [
        "108 beans are waiting for delivery, until May 1, 2026 at the latest.",
        "5 beans are waiting until Mar 5, 2026: Later.",
    ]
    assert done == {"userErrors": [], "points": 108, "balance": 108}
    assert after["activations"] == [in_days]
    too_long = {**given, "idempotencyKey": "l", "event": "X" * 31}
    assert api.refusal("activatePending", too_long) == ("INVALID_INPUT", "event")


@pytest.mark.parametrize("mutation", ["activatePending", "cancelPending"])
def test_points_that_wait_no_more_are_refused_with_a_code_of_their_own(
    api: Api, ada: Member, receipt_of: dict[str, Any], mutation: str
):
    def refusal(pending: dict[str, Any]) -> tuple[str, str | None]:
        given = {"idempotencyKey": "x", "pending": pending}
        more = {"reason": "x"} if mutation == "cancelPending" else {}
        return api.refusal(mutation, {**given, **more})

    api.do("cancelPending", cancelling(entry(ada, 2)), "")
    activated = {"idempotencyKey": "a", "pending": entry(ada, 3)}
    api.do("activatePending", activated, "")
    unknown = {"purchase": {"receipt": {"source": "till", "externalId": "r-9"}}}

    assert refusal(entry(ada, 1)) == ("NOT_PENDING", "pending")
    assert refusal(entry(ada, 2)) == ("PENDING_CANCELLED", "pending")
    assert refusal(entry(ada, 3)) == ("PENDING_ACTIVATED", "pending")
    assert refusal(entry(ada, 99)) == ("NOT_FOUND", "pending")
    assert refusal({"entryId": "x"}) == ("INVALID_INPUT", "pending.entryId")
    assert refusal({"entryId": member_id(ada)}) == ("INVALID_INPUT", "pending.entryId")
    assert refusal(unknown)[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param({"points": 0}, "INVALID_INPUT", "points", id="nothing"),
        pytest.param({"points": -1}, "INVALID_INPUT", "points", id="below nothing"),
        pytest.param({"points": 2**62}, "INVALID_INPUT", "points", id="too many"),
        pytest.param({"points": 101}, "PENDING_AMOUNT", "points", id="more than wait"),
        pytest.param({"reason": " "}, "INVALID_INPUT", "reason", id="no reason"),
        pytest.param({"reason": "x" * 501}, "INVALID_INPUT", "reason", id="a long reason"),
        pytest.param(
            {"idempotencyKey": "used"}, "IDEMPOTENCY_MISMATCH", "idempotencyKey", id="key"
        ),
    ],
)
def test_a_refused_cancellation_changes_nothing(
    api: Api,
    receipt_of: dict[str, Any],
    changes: dict[str, Any],
    code: str,
    field: str,
):
    if code == "IDEMPOTENCY_MISMATCH":
        api.do("cancelPending", cancelling(receipt_of, idempotencyKey="used", points=1), "")

    assert api.refusal("cancelPending", cancelling(receipt_of, **changes)) == (code, field)


@pytest.mark.parametrize("at", ["2026-03-02T11:59:59Z", "2026-03-02T12:06:00Z"])
def test_points_are_activated_neither_before_they_were_earned_nor_ahead(
    api: Api, receipt_of: dict[str, Any], at: str
):
    given = {"idempotencyKey": "k", "pending": receipt_of, "at": at}

    assert api.refusal("activatePending", given) == ("INVALID_INPUT", "at")


def test_what_was_cancelled_is_not_reversed_again(api: Api, ada: Member):
    """An activity whose points wait; the entry is reversed less what was cancelled."""
    review = {"code": "REVIEWS", "name": "Tell others", "on": "REVIEW"}
    api.open_shop(earning_by({**review, "points": 50, "pending": {"days": 14}}))
    for _ in range(2):
        api.run(api.shop.do, ada, ActivityKind.REVIEW)
    api.do("cancelPending", cancelling(entry(ada, 1), points=20), "")
    api.do("cancelPending", cancelling(entry(ada, 2), idempotencyKey="l"), "")

    back = {"idempotencyKey": "r", "entryId": entry(ada, 1)["entryId"], "reason": "x"}
    done = api.do("reverseEntry", back, "pointsTakenBack member { wallet { pending qualifying } }")
    gone = {"idempotencyKey": "s", "entryId": entry(ada, 2)["entryId"], "reason": "x"}

    assert (done["userErrors"], done["pointsTakenBack"]) == ([], 30)
    assert done["member"]["wallet"] == {"pending": 0, "qualifying": 0}
    assert api.refusal("reverseEntry", gone) == ("PENDING_CANCELLED", "entryId")
