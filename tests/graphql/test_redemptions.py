from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id
from tests.shop import COFFEE, NOON, NOTE, giving

TEA: dict[str, Any] = {**COFFEE, "code": "TEA", "name": "Tea", "stock": 1, "code_days": 10}
FIELDS = """status points createdAt holdEndsAt issuedAt expiresAt usedAt endedAt store usedStore
    reward { code name } entry { kind points held } voucher { id } member { number }"""
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ada(api: Api) -> Member:
    """A member with 108 points."""
    api.shop = api.open_shop(giving(NOTE, TEA))
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada)
    return ada


def wish(member: Member, reward: str = "COFFEE", /, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "want", "member": {"id": member_id(member)}, "reward": reward}
    return {**given, **changes}


def redeemed(api: Api, member: Member, reward: str = "COFFEE", /, **changes: Any) -> dict[str, str]:
    """Redeem a reward and return the redemption's id and code."""
    done = api.do("redeemReward", wish(member, reward, **changes), "redemption { id code }")
    found: dict[str, str] = done["redemption"]
    return found


def step(name: str, ref: dict[str, str], /, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": name, "redemption": ref, **changes}


def test_a_reward_is_redeemed_and_its_code_found(api: Api, ada: Member):
    done = api.do(
        "redeemReward",
        wish(ada, "TEA", expectedCost=40),
        f"balance replayed entry {{ sequence }} member {{ wallet {{ available held }} }} "
        f"redemption {{ id code {FIELDS} }}",
    )
    one = done["redemption"]
    found = api.data(
        f"query ($c: String!) {{ redemption(code: $c) {{ id code {FIELDS} }} }}",
        {"c": f" {one['code'].lower().replace('-', ' ')} "},
    )

    assert (done["balance"], done["replayed"], done["entry"]) == (68, False, {"sequence": 2})
    assert done["member"]["wallet"] == {"available": 68, "held": 0}
    assert found == {"redemption": one}
    assert {key: one[key] for key in one if key not in {"id", "code"}} == {
        "status": "ISSUED",
        "points": 40,
        "createdAt": "2026-03-02T12:00:00Z",
        "holdEndsAt": None,
        "issuedAt": "2026-03-02T12:00:00Z",
        "expiresAt": "2026-03-12T23:00:00Z",
        "usedAt": None,
        "endedAt": None,
        "store": None,
        "usedStore": None,
        "reward": {"code": "TEA", "name": "Tea"},
        "entry": {"kind": "REDEEM", "points": -40, "held": 0},
        "voucher": None,
        "member": {"number": ada.number},
    }


def test_points_are_held_then_spent_and_the_code_comes_then(api: Api, ada: Member):
    shown = "redemption { status code holdEndsAt } member { wallet { available held } } replayed"
    held = api.do("redeemReward", wish(ada, holdMinutes=5), f"redemption {{ id }} {shown}")
    ref = {"id": held["redemption"]["id"]}
    early = api.refusal("useRedemption", step("early", ref))
    api.now = NOON + MINUTE

    confirmed = api.do("confirmRedemption", step("confirm", ref), shown)
    again = api.do("confirmRedemption", step("confirm", ref), shown)

    assert held["redemption"]["status"] == "HELD"
    assert held["redemption"]["code"] is None
    assert held["redemption"]["holdEndsAt"] == "2026-03-02T12:05:00Z"
    assert held["member"]["wallet"] == {"available": 68, "held": 40}
    assert early == ("REDEMPTION_HELD", "redemption")
    assert confirmed["redemption"]["status"] == "ISSUED"
    assert len(confirmed["redemption"]["code"]) == 20
    assert confirmed["member"]["wallet"] == {"available": 68, "held": 0}
    assert again == {**confirmed, "replayed": True}


def test_a_hold_that_is_over_reads_as_released(api: Api, ada: Member):
    one = redeemed(api, ada, holdMinutes=5)
    api.now = NOON + 5 * MINUTE
    node = "query ($id: ID!) { node(id: $id) { ... on Redemption { status holdEndsAt } } }"

    shown = api.data(node, {"id": one["id"]})["node"]

    assert shown == {"status": "RELEASED", "holdEndsAt": None}
    refused = api.refusal("confirmRedemption", step("confirm", {"id": one["id"]}))
    assert refused == ("REDEMPTION_RELEASED", "redemption")


def test_a_code_is_used_once_in_its_store(api: Api, ada: Member):
    one = redeemed(api, ada, store="south")
    ref = {"code": one["code"]}
    elsewhere = api.refusal("useRedemption", step("a", ref, store="north"))

    used = api.do(
        "useRedemption", step("use", ref, store="south"), "redemption { status usedStore }"
    )
    again = api.refusal("useRedemption", step("b", ref, store="south"))

    assert elsewhere == ("WRONG_STORE", "store")
    assert used["redemption"] == {"status": "USED", "usedStore": "south"}
    assert again == ("REDEMPTION_USED", "redemption")


def test_a_redemption_is_cancelled_or_refunded_with_a_reason(api: Api, ada: Member):
    shown = "balance entry { kind text redemption { id } } redemption { status }"
    one, two = redeemed(api, ada), redeemed(api, ada, idempotencyKey="two")
    api.do("useRedemption", step("use", {"id": two["id"]}), "")

    off = api.do("cancelRedemption", step("c", {"id": one["id"]}, reason="no time"), shown)
    back = api.do("refundRedemption", step("r", {"code": two["code"]}, restock=False), shown)

    assert off["redemption"] == {"status": "CANCELLED"}
    assert off["entry"] == {
        "kind": "UNREDEEM",
        "text": "no time",
        "redemption": {"id": one["id"]},
    }
    assert (back["balance"], back["redemption"]) == (108, {"status": "REFUNDED"})


@pytest.mark.parametrize(
    ("case", "changes", "expected"),
    [
        ("too dear", {"expectedCost": 39}, ("PRICE_CHANGED", "expectedCost")),
        ("unknown", {"reward": "CAKE"}, ("NOT_FOUND", "reward")),
        ("nobody", {"member": {"number": "000000000000"}}, ("NOT_FOUND", "member")),
        ("held too long", {"holdMinutes": 31}, ("INVALID_INPUT", "holdMinutes")),
        ("no key", {"idempotencyKey": ""}, ("INVALID_INPUT", "idempotencyKey")),
        ("a long store", {"store": "s" * 61}, ("INVALID_INPUT", "store")),
    ],
)
def test_what_cannot_be_had_is_refused(
    api: Api, ada: Member, case: str, changes: dict[str, Any], expected: tuple[str, str]
):
    assert api.refusal("redeemReward", {**wish(ada), **changes}) == expected


def test_what_is_sold_out_or_too_dear_is_refused(api: Api, ada: Member):
    redeemed(api, ada, "TEA")

    assert api.refusal("redeemReward", wish(ada, "TEA", idempotencyKey="b"))[0] == "OUT_OF_STOCK"
    api.do("redeemReward", wish(ada, "NOTE", idempotencyKey="c"), "")
    refused = api.refusal("redeemReward", wish(ada, idempotencyKey="d"))
    assert refused == ("INSUFFICIENT_POINTS", None)


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ({"code": "ABC"}, ("INVALID_INPUT", "code")),
        ({"code": "000000-000000-000000"}, ("NOT_FOUND", "code")),
        ({"code": "000000-000000-000001"}, ("INVALID_INPUT", "code")),
        ({"id": "x"}, ("INVALID_INPUT", "redemption.id")),
    ],
)
def test_what_names_no_redemption_is_refused(
    api: Api, ada: Member, ref: dict[str, str], expected: tuple[str, str]
):
    assert api.refusal("useRedemption", step("use", ref)) == expected


def test_a_code_nobody_has_is_null(api: Api, ada: Member):
    query = "query ($c: String!) { redemption(code: $c) { id } }"

    assert api.data(query, {"c": "000000-000000-000000"}) == {"redemption": None}
    assert api.error(query, {"c": "nonsense"}) == "INVALID_INPUT"


def test_who_may_only_read_sees_no_code(api: Api, ada: Member):
    redeemed(api, ada)
    reader = api.token("members:read")
    query = "{ members { nodes { redemptions { nodes { status } } } } }"

    [member] = api.data(query, token=reader)["members"]["nodes"]

    assert member["redemptions"]["nodes"] == [{"status": "ISSUED"}]
    assert api.error(query.replace("status", "status code"), token=reader) == "FORBIDDEN"


def test_a_members_redemptions_come_newest_first_page_by_page(api: Api, ada: Member):
    ids = []
    for reward in ("COFFEE", "TEA"):
        ids.append(redeemed(api, ada, reward, idempotencyKey=reward)["id"])
        api.now += MINUTE
    query = """query ($r: MemberRef!, $after: String) { member(ref: $r) {
        redemptions(first: 1, after: $after) {
          totalCount nodes { id } pageInfo { endCursor hasNextPage } } } }"""
    ref = {"id": member_id(ada)}

    first = api.data(query, {"r": ref})["member"]["redemptions"]
    cursor = first["pageInfo"]["endCursor"]
    second = api.data(query, {"r": ref, "after": cursor})["member"]["redemptions"]

    assert (first["totalCount"], first["nodes"]) == (2, [{"id": ids[1]}])
    assert second["nodes"] == [{"id": ids[0]}]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
