"""Members who are one person, through the API."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.shop import DAY, NOTE, giving

DONE = """balance replayed entry { kind points text explanation { summary } }
    member { number status wallet { available qualifying } }"""
WHO = "query ($r: MemberRef!) { member(ref: $r) { id status mergedInto { id } } }"


@pytest.fixture
def ada(api: Api) -> Member:
    """A member with the 108 points of the golden basket, who lives on as Bea."""
    ada = api.run(api.shop.enrol, email="ada@example.com", external_id="crm-7")
    api.run(api.shop.buy, ada)
    api.now += DAY
    return ada


@pytest.fixture
def bea(api: Api) -> Member:
    return api.run(api.shop.enrol, email="bea@example.com", external_id="crm-8")


def merge(ada: Member, bea: Member, **changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": "k",
        "from": {"id": member_id(ada)},
        "into": {"id": member_id(bea)},
        "reason": "Two cards",
        **changes,
    }


def unmerge(ada: Member, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "u", "memberId": member_id(ada), "reason": "Father and son"}
    return {**given, **changes}


def who(api: Api, **ref: str) -> dict[str, Any]:
    found: dict[str, Any] = api.data(WHO, {"r": ref})["member"]
    return found


def test_one_member_lives_on_as_the_other(api: Api, ada: Member, bea: Member):
    token = api.token("members:write", "members:read")

    done = api.do("mergeMembers", merge(ada, bea), DONE, token=token)
    again = api.do("mergeMembers", merge(ada, bea), DONE, token=token)

    assert done == {
        "userErrors": [],
        "balance": 108,
        "replayed": False,
        "entry": {
            "kind": "MERGE_IN",
            "points": 108,
            "text": "Two cards",
            "explanation": {"summary": "108 beans from the account that was joined to this one."},
        },
        "member": {
            "number": bea.number,
            "status": "ACTIVE",
            "wallet": {"available": 108, "qualifying": 108},
        },
    }
    assert again == {**done, "replayed": True}
    merged = {"id": member_id(ada), "status": "MERGED", "mergedInto": {"id": member_id(bea)}}
    survivor = {"id": member_id(bea), "status": "ACTIVE", "mergedInto": None}
    assert who(api, id=member_id(ada)) == merged
    for ref in ({"number": ada.number}, {"email": "ada@example.com"}, {"externalId": "crm-7"}):
        assert who(api, **ref) == survivor


def test_they_can_be_parted_again(api: Api, ada: Member, bea: Member):
    api.do("mergeMembers", merge(ada, bea), "")
    api.now += 30 * DAY

    done = api.do("unmergeMembers", unmerge(ada), DONE)
    again = api.do("unmergeMembers", unmerge(ada), DONE)

    assert (done["userErrors"], done["balance"]) == ([], 108)
    assert done["entry"] == {
        "kind": "MERGE_IN",
        "points": 108,
        "text": "Father and son",
        "explanation": {
            "summary": "108 beans back from the account that this one was parted from."
        },
    }
    assert done["member"] == {
        "number": ada.number,
        "status": "ACTIVE",
        "wallet": {"available": 108, "qualifying": 108},
    }
    assert again == {**done, "replayed": True}
    assert who(api, number=ada.number) == {
        "id": member_id(ada),
        "status": "ACTIVE",
        "mergedInto": None,
    }


def test_goods_that_come_back_are_paid_by_who_lives_on(api: Api, ada: Member, bea: Member):
    bought = api.run(api.shop.buy, ada, external_id="r-2")
    api.do("mergeMembers", merge(ada, bea), "")

    receipt = {"receipt": {"source": "till", "externalId": "r-2"}}
    given = {"idempotencyKey": "back", "purchase": receipt}
    done = api.do("refundPurchase", given, "pointsTakenBack shortfall balance entry { points }")

    assert done == {
        "userErrors": [],
        "pointsTakenBack": bought.points,
        "shortfall": 0,
        "balance": 108,
        "entry": None,
    }


def test_a_merged_member_is_signed_out_and_the_survivor_signs_in(
    api: Api, ada: Member, bea: Member
):
    token = api.member_token(ada)
    api.do("mergeMembers", merge(ada, bea), "")

    assert api.client.post(
        "/graphql",
        json={"query": "{ me { id } }"},
        headers={"Authorization": f"Bearer {token}"},
    ).json()["errors"][0]["extensions"]["code"] == ("UNAUTHENTICATED")
    me = api.data("{ me { wallet { available } } }", token=api.member_token(bea))["me"]
    assert me == {"wallet": {"available": 108}}


@pytest.mark.parametrize(
    ("case", "changes", "refused"),
    [
        ("no reason", {"reason": "  "}, ("INVALID_INPUT", "reason")),
        ("into herself", {"into": {"externalId": "crm-7"}}, ("MERGE_WITH_SELF", "into")),
        ("nobody", {"from": {"externalId": "crm-9"}}, ("NOT_FOUND", "from")),
        ("into nobody", {"into": {"externalId": "crm-9"}}, ("NOT_FOUND", "into")),
        ("a wrong id", {"into": {"id": "x"}}, ("INVALID_INPUT", "into.id")),
        ("no key", {"idempotencyKey": ""}, ("INVALID_INPUT", "idempotencyKey")),
    ],
)
def test_what_is_refused_changes_nothing(
    api: Api, ada: Member, bea: Member, case: str, changes: dict[str, Any], refused: Any
):
    assert api.refusal("mergeMembers", merge(ada, bea, **changes)) == refused


def test_a_key_is_for_one_merge(api: Api, ada: Member, bea: Member):
    api.do("mergeMembers", merge(ada, bea), "")
    mismatch = ("IDEMPOTENCY_MISMATCH", "idempotencyKey")

    assert api.refusal("mergeMembers", merge(ada, bea, reason="Another")) == mismatch
    assert api.refusal("unmergeMembers", unmerge(ada, idempotencyKey="k")) == mismatch


def test_codes_that_were_not_used_have_to_end_first(api: Api, ada: Member, bea: Member):
    api.open_shop(giving(NOTE))
    wish = {"idempotencyKey": "w", "member": {"id": member_id(ada)}, "reward": "COFFEE"}
    code = api.do("redeemReward", wish, "redemption { code }")["redemption"]["code"]

    assert api.refusal("mergeMembers", merge(ada, bea)) == ("MERGE_BLOCKED", "from")

    api.do("cancelRedemption", {"idempotencyKey": "c", "redemption": {"code": code}}, "")
    assert api.do("mergeMembers", merge(ada, bea), "balance")["balance"] == 108


@pytest.mark.parametrize(
    ("case", "changes", "refused"),
    [
        ("never merged", {}, ("NOT_MERGED", "memberId")),
        ("no reason", {"reason": ""}, ("INVALID_INPUT", "reason")),
        ("no id", {"memberId": "x"}, ("INVALID_INPUT", "memberId")),
    ],
)
def test_a_parting_that_is_refused_changes_nothing(
    api: Api, ada: Member, case: str, changes: dict[str, Any], refused: Any
):
    assert api.refusal("unmergeMembers", unmerge(ada, **changes)) == refused


def test_after_thirty_days_they_stay_one(api: Api, ada: Member, bea: Member):
    api.do("mergeMembers", merge(ada, bea), "")
    api.now += 31 * DAY

    assert api.refusal("unmergeMembers", unmerge(ada)) == ("UNMERGE_TOO_LATE", "memberId")


def test_members_merge_nobody(api: Api, ada: Member, bea: Member):
    query = "mutation ($i: MergeMembersInput!) { mergeMembers(input: $i) { balance } }"

    assert api.error(query, {"i": merge(ada, bea)}, token=api.member_token(ada)) == "FORBIDDEN"
    assert api.error("{ me { mergedInto { id } } }", token=api.member_token(ada)) == "FORBIDDEN"


def test_members_of_two_programmes_stay_two(api: Api, ada: Member):
    eve = api.run(api.open_shop(OTHER_PROGRAM).enrol, external_id="eve")

    for one in ({"id": member_id(eve)}, {"number": eve.number}):
        assert api.refusal("mergeMembers", merge(ada, ada, into=one)) == ("NOT_FOUND", "into")
        swapped = {"from": one, "into": {"id": member_id(ada)}}
        assert api.refusal("mergeMembers", merge(ada, ada, **swapped)) == ("NOT_FOUND", "from")


def test_who_is_closed_stays_closed(api: Api, ada: Member, bea: Member):
    api.do("closeMember", {"idempotencyKey": "c", "member": {"id": member_id(ada)}}, "")

    assert api.refusal("mergeMembers", merge(ada, bea)) == ("MEMBER_NOT_ACTIVE", "from")
    assert who(api, id=member_id(ada))["status"] == MemberStatus.CLOSED
