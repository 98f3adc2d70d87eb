"""What one programme holds, another programme's token can neither see nor move."""

from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.matrix import rows
from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members.models import Member
from tests.api import GOLDEN_LINES, OTHER_PROGRAM, Api, card_link, member_id, receipt
from tests.shop import NOTE, giving

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODE_TYPES = {
    *("Program", "Member", "Purchase", "LedgerEntry", "CardLink", "MemberSubscription"),
    *("Reward", "Redemption", "Voucher", "Pass", "Activity", "PointsHold"),
    *("Reward", "Redemption", "Voucher", "Pass", "Activity", "Lot"),
}


@pytest.fixture
def stranger(api: Api) -> str:
    """A token of another programme, with the same rewards, that may do everything there."""
    other = {**giving(NOTE), "program": OTHER_PROGRAM["program"]}
    return api.token("admin", shop=api.open_shop(other))


def refs(ada: Member) -> list[dict[str, str]]:
    return [
        {"id": member_id(ada)},
        {"number": ada.number},
        {"email": "ada@example.com"},
        {"phone": "+4915112345678"},
        {"externalId": "crm-7"},
    ]


def test_every_type_of_node_is_tried_here(ids: dict[str, str]):
    kinds = SCHEMA._schema.type_map.values()

    found = {
        kind.name for kind in kinds if "Node" in map(str, getattr(kind, "interfaces", None) or ())
    }

    assert found == NODE_TYPES == set(ids)


def test_a_node_is_found_by_its_own_programme(api: Api, ids: dict[str, str]):
    for kind, one in ids.items():
        assert api.data(NODE, {"id": one}) == {"node": {"__typename": kind, "id": one}}


def test_a_node_of_another_programme_is_null(api: Api, ids: dict[str, str], stranger: str):
    for one in ids.values():
        assert api.data(NODE, {"id": one}, token=stranger) == {"node": None}


@pytest.mark.parametrize(
    "one",
    [
        pytest.param("???", id="no base64"),
        pytest.param(encode_id("Tier", "x"), id="another type"),
        pytest.param(encode_id("Member", "x"), id="no uuid"),
        pytest.param(encode_id("LedgerEntry", "x", 1), id="half a key"),
        pytest.param(encode_id("LedgerEntry", str(2**70), -1), id="a number below zero"),
        pytest.param(
            encode_id("LedgerEntry", "0" * 32, 2**31), id="a number the database cannot hold"
        ),
        pytest.param(encode_id("Purchase", "0" * 32), id="a short key"),
    ],
)
def test_a_malformed_id_is_refused(api: Api, one: str):
    assert api.error(NODE, {"id": one}) == "INVALID_INPUT"


@pytest.fixture
def eve_asks(api: Api) -> str:
    """A member of another programme."""
    eve = api.run(api.open_shop(OTHER_PROGRAM).enrol)
    return api.member_token(eve, slug="tea-club")


def test_a_member_finds_every_node_that_is_hers(api: Api, ids: dict[str, str], ada_asks: str):
    for kind, one in ids.items():
        found = api.data(NODE, {"id": one}, token=ada_asks)
        assert found == {"node": {"__typename": kind, "id": one}}


def test_to_other_members_every_node_of_hers_is_null(
    api: Api, ids: dict[str, str], bob_asks: str, eve_asks: str
):
    for kind, one in ids.items():
        assert api.data(NODE, {"id": one}, token=eve_asks) == {"node": None}
        seen_by_bob = api.data(NODE, {"id": one}, token=bob_asks)["node"]
        assert (seen_by_bob is None) == (kind not in {"Program", "Reward"})


def test_a_member_sees_all_of_herself_and_nobody_else(
    api: Api, ada: Member, ids: dict[str, str], ada_asks: str, bob_asks: str
):
    query = """{ me { id email spend { amount } wallet { balance } consents { purpose }
        entries { nodes { points purchase { member { id } } } totalCount }
        tier { progress } entitlements { used } availableRewards { cost reward { code } }
        redemptions { nodes { code member { id } } } vouchers { code member { id } }
        activities { nodes { kind member { id } } }
        subscription { status member { id } } cardLinks { url member { id } } cardUrl } }"""

    me = api.data(query, token=ada_asks)["me"]
    bob = api.data(query, token=bob_asks)["me"]

    her = {"id": member_id(ada)}
    assert me["entries"]["nodes"] == [
        {"points": -1, "purchase": None},
        {"points": -50, "purchase": None},
        {"points": 108, "purchase": {"member": her}},
    ]
    [redemption], [voucher] = me["redemptions"]["nodes"], me["vouchers"]
    assert redemption == voucher == {"code": redemption["code"], "member": her}
    assert len(redemption["code"].replace("-", "")) == 18
    assert me["activities"]["nodes"] == [{"kind": "NEWSLETTER", "member": her}]
    assert me["subscription"] == {"status": "TRIALING", "member": her}
    assert me["cardLinks"] == [{"url": me["cardUrl"], "member": her}]
    assert bob["entries"] == {"nodes": [], "totalCount": 0}
    assert (bob["redemptions"]["nodes"], bob["vouchers"], bob["cardLinks"]) == ([], [], [])
    assert bob["activities"]["nodes"] == []
    assert bob["subscription"] is None


def test_a_member_may_name_only_herself(
    api: Api, ada: Member, ids: dict[str, str], ada_asks: str, bob_asks: str
):
    find = "query ($ref: MemberRef!) { member(ref: $ref) { id } }"
    unknown = [{"email": "nobody@example.com"}, {"id": encode_id("Member", "0" * 32)}]

    for ref in refs(ada):
        assert api.data(find, {"ref": ref}, token=ada_asks) == {"member": {"id": member_id(ada)}}
    for ref in [*refs(ada), *unknown]:
        assert api.error(find, {"ref": ref}, token=bob_asks) == "NOT_FOUND"
        assert api.refusal("issuePass", {"member": ref}, token=bob_asks) == ("NOT_FOUND", "member")
    find_purchase = "query ($ref: PurchaseRef!) { purchase(ref: $ref) { id } }"
    of_receipt = {"receipt": {"source": "till", "externalId": "r-1"}}
    for ref in ({"id": ids["Purchase"]}, of_receipt):
        assert api.data(find_purchase, {"ref": ref}, token=bob_asks) == {"purchase": None}
        found = api.data(find_purchase, {"ref": ref}, token=ada_asks)
        assert found == {"purchase": {"id": ids["Purchase"]}}


def test_a_member_gets_her_own_card(api: Api, ada: Member, ada_asks: str):
    given = {"member": {"id": member_id(ada)}}

    issued = api.do("issuePass", given, "pass { platform }", token=ada_asks)

    assert issued == {"userErrors": [], "pass": {"platform": "APPLE"}}


def test_members_of_another_programme_are_unknown(
    api: Api, ada: Member, ids: dict[str, str], stranger: str
):
    find = "query ($ref: MemberRef!) { member(ref: $ref) { number } }"

    for ref in refs(ada):
        assert api.data(find, {"ref": ref}, token=stranger) == {"member": None}
    listed = api.data("{ members { nodes { id } totalCount } }", token=stranger)
    assert listed == {"members": {"nodes": [], "totalCount": 0}}


def test_purchases_of_another_programme_are_unknown(api: Api, ids: dict[str, str], stranger: str):
    find = "query ($ref: PurchaseRef!) { purchase(ref: $ref) { id } }"
    of_receipt = {"receipt": {"source": "till", "externalId": "r-1"}}

    for ref in ({"id": ids["Purchase"]}, of_receipt):
        assert api.data(find, {"ref": ref}, token=stranger) == {"purchase": None}


def test_members_of_another_programme_cannot_be_touched(
    api: Api, ada: Member, ids: dict[str, str], stranger: str
):
    for number, ref in enumerate(refs(ada)):
        bought = receipt(ada, member=ref)
        adjusted = {"idempotencyKey": f"{number}", "member": ref, "points": 5, "reason": "x"}
        overridden = {"idempotencyKey": f"o{number}", "member": ref, "reason": "x"}
        used = {"idempotencyKey": f"u{number}", "member": ref, "benefit": "CAKE"}

        assert api.refusal("recordPurchase", bought, token=stranger) == ("NOT_FOUND", "member")
        assert api.refusal("adjustPoints", adjusted, token=stranger) == ("NOT_FOUND", "member")
        one_person = {"idempotencyKey": f"m{number}", "from": ref, "into": ref, "reason": "x"}
        assert api.refusal("mergeMembers", one_person, token=stranger) == ("NOT_FOUND", "into")
        parted = {"idempotencyKey": f"p{number}", "memberId": member_id(ada), "reason": "x"}
        assert api.refusal("unmergeMembers", parted, token=stranger) == ("NOT_MERGED", "memberId")
        moved = {"idempotencyKey": f"t{number}", "member": ref, "to": ref, "points": 5}
        assert api.refusal("transferPoints", moved, token=stranger) == ("NOT_FOUND", "member")
        assert api.refusal("overrideTier", overridden, token=stranger) == ("NOT_FOUND", "member")
        assert api.refusal("useEntitlement", used, token=stranger) == ("NOT_FOUND", "member")
        wanted = {"idempotencyKey": f"s{number}", "member": ref, "plan": "TRY"}
        assert api.refusal("subscribe", wanted, token=stranger) == ("NOT_FOUND", "member")
        history = "query ($r: MemberRef!) { tierHistory(member: $r) { totalCount } }"
        assert api.error(history, {"r": ref}, token=stranger) == "NOT_FOUND"
        wanted = {"idempotencyKey": f"w{number}", "member": ref, "reward": "COFFEE"}
        assert api.refusal("redeemReward", wanted, token=stranger) == ("NOT_FOUND", "member")
        clipped = {"idempotencyKey": f"o{number}", "member": ref, "offer": "BREAD"}
        assert api.refusal("activateOffer", clipped, token=stranger) == ("NOT_FOUND", "member")
        did = {"idempotencyKey": f"a{number}", "member": ref, "kind": "REVIEW"}
        assert api.refusal("recordActivity", did, token=stranger) == ("NOT_FOUND", "member")
        for field in (
            "availableRewards(member: $r) { cost }",
            "vouchers(member: $r) { id }",
            "entitlements(member: $r) { left }",
        ):
            query = f"query ($r: MemberRef!) {{ {field} }}"
            assert api.error(query, {"r": ref}, token=stranger) == "NOT_FOUND"
        before = api.everything()
        [result] = api.do(
            "recordPurchases",
            {"purchases": [bought]},
            "results { userErrors { code } }",
            token=stranger,
        )["results"]
        assert result == {"userErrors": [{"code": "NOT_FOUND"}]}
        assert api.everything() == before


def test_purchases_of_another_programme_cannot_be_refunded(
    api: Api, ids: dict[str, str], stranger: str
):
    of_receipt = {"receipt": {"source": "till", "externalId": "r-1"}}

    for ref in ({"id": ids["Purchase"]}, of_receipt):
        given = {"idempotencyKey": "back", "purchase": ref}
        for mutation in ("refundPurchase", "voidPurchase"):
            code, _field = api.refusal(mutation, given, token=stranger)
            assert code == "NOT_FOUND"


def test_links_of_another_programme_can_neither_be_made_nor_revoked(
    api: Api, ada: Member, ids: dict[str, str], stranger: str
):
    making = api.refusal("createCardLink", card_link(ada), token=stranger)
    revoking = api.refusal("revokeCardLink", {"linkId": ids["CardLink"]}, token=stranger)

    assert making == ("NOT_FOUND", "member")
    assert revoking == ("NOT_FOUND", "linkId")


@pytest.mark.parametrize(
    "mutation",
    [
        "pauseSubscription",
        "resumeSubscription",
        "cancelSubscription",
        "reactivateSubscription",
        "changePlan",
        "recordSubscriptionPayment",
    ],
)
def test_subscriptions_of_another_programme_cannot_be_touched(
    api: Api, ids: dict[str, str], stranger: str, mutation: str
):
    given = {"idempotencyKey": "k", "subscriptionId": ids["MemberSubscription"]}
    if mutation == "changePlan":
        given["plan"] = "PLUS"
    if mutation == "recordSubscriptionPayment":
        given |= {"provider": "stripe", "externalId": "pi-1", "amount": "5.00"}

    assert api.refusal(mutation, given, token=stranger) == ("NOT_FOUND", "subscriptionId")


def test_redemptions_and_vouchers_of_another_programme_cannot_be_touched(
    api: Api, ids: dict[str, str], stranger: str
):
    fields = "nodes { redemptions { nodes { code } } }"
    [member] = api.data(f"{{ members {{ {fields} }} }}")["members"]["nodes"]
    code = member["redemptions"]["nodes"][0]["code"]

    found = api.data("query ($c: String!) { redemption(code: $c) { id } }", {"c": code})
    asked = api.data(
        "query ($c: String!) { redemption(code: $c) { id } }", {"c": code}, token=stranger
    )
    for ref in ({"id": ids["Redemption"]}, {"code": code}):
        for name in ("confirm", "use", "cancel", "refund"):
            given = {"idempotencyKey": name, "redemption": ref}
            refused, _ = api.refusal(f"{name}Redemption", given, token=stranger)
            assert refused == "NOT_FOUND"
    for ref in ({"id": ids["Voucher"]}, {"code": code}):
        used = {"idempotencyKey": "u", "voucher": ref, "amount": "1.00"}
        back = {"idempotencyKey": "b", "voucher": ref, "use": 1}
        assert api.refusal("useVoucher", used, token=stranger)[0] == "NOT_FOUND"
        assert api.refusal("refundVoucher", back, token=stranger)[0] == "NOT_FOUND"

    assert found == {"redemption": {"id": ids["Redemption"]}}
    assert asked == {"redemption": None}


def test_points_of_another_programme_cannot_be_set_aside_or_spent(
    api: Api, ada: Member, ids: dict[str, str], stranger: str
):
    for number, ref in enumerate(refs(ada)):
        aside = {"idempotencyKey": f"h{number}", "member": ref, "points": 1, "minutes": 5}
        aside["reason"] = "x"
        assert api.refusal("holdPoints", aside, token=stranger) == ("NOT_FOUND", "member")
    entry = {"entryId": ids["LedgerEntry"]}
    for mutation, pending in (
        ("activatePending", entry),
        ("cancelPending", entry),
        ("activatePending", {"purchase": {"id": ids["Purchase"]}}),
    ):
        given = {"idempotencyKey": "p", "pending": pending}
        if mutation == "cancelPending":
            given["reason"] = "x"
        assert api.refusal(mutation, given, token=stranger)[0] == "NOT_FOUND"
    for mutation in ("captureHold", "releaseHold"):
        given = {"idempotencyKey": "k", "holdId": ids["PointsHold"]}
        assert api.refusal(mutation, given, token=stranger)[0] == "NOT_FOUND"


def test_keys_receipts_and_addresses_of_another_programme_are_free(
    api: Api, ada: Member, ids: dict[str, str], stranger: str
):
    given = receipt(ada, externalId="r-1")
    api.do("recordPurchase", {**given, "externalId": "r-2"}, "")
    enrolled = api.do(
        "enrolMember",
        {"email": "ada@example.com", "phone": "+4915112345678", "externalId": "crm-7"},
        "member { id number }",
        token=stranger,
    )
    theirs = {**given, "member": {"email": "ada@example.com"}}
    done = api.do("recordPurchase", theirs, "balance replayed", token=stranger)

    assert enrolled["userErrors"] == []
    assert done == {"userErrors": [], "balance": 108, "replayed": False}


ON_A_SUBSCRIPTION = {"idempotencyKey": "k", "subscriptionId": "x"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("members:read", NODE, {"id": "x"}),
    ("members:read", "query ($r: MemberRef!) { member(ref: $r) { id } }", {"r": {"id": "x"}}),
    ("members:read", "{ members { totalCount } }", {}),
    ("members:read", "query ($r: PurchaseRef!) { purchase(ref: $r) { id } }", {"r": {"id": "x"}}),
    (
        "members:read",
        "query ($r: MemberRef!) { tierHistory(member: $r) { totalCount } }",
        {"r": {"id": "x"}},
    ),
    (
        "members:write",
        "mutation ($i: PauseSubscriptionInput!) { pauseSubscription(input: $i) { replayed } }",
        {"i": ON_A_SUBSCRIPTION},
    ),
    (
        "members:write",
        "mutation ($i: ResumeSubscriptionInput!) { resumeSubscription(input: $i) { replayed } }",
        {"i": ON_A_SUBSCRIPTION},
    ),
    (
        "members:write",
        "mutation ($i: CancelSubscriptionInput!) { cancelSubscription(input: $i) { replayed } }",
        {"i": ON_A_SUBSCRIPTION},
    ),
    (
        "members:write",
        (
            "mutation ($i: ReactivateSubscriptionInput!)"
            " { reactivateSubscription(input: $i) { replayed } }"
        ),
        {"i": ON_A_SUBSCRIPTION},
    ),
    (
        "members:write",
        "mutation ($i: ChangePlanInput!) { changePlan(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "subscriptionId": "x", "plan": "X"}},
    ),
    (
        "members:write",
        "mutation ($i: SubscribeInput!) { subscribe(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "plan": "X"}},
    ),
    (
        "purchases:write",
        (
            "mutation ($i: RecordSubscriptionPaymentInput!)"
            " { recordSubscriptionPayment(input: $i) { replayed } }"
        ),
        {
            "i": {
                "idempotencyKey": "k",
                "subscriptionId": "x",
                "provider": "p",
                "externalId": "x",
                "amount": "1",
            }
        },
    ),
    ("members:read", "query ($id: ID!) { subscription(id: $id) { id } }", {"id": "x"}),
    (
        "members:write",
        "mutation ($i: OverrideTierInput!) { overrideTier(input: $i) { tier } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "reason": "x"}},
    ),
    (
        "rewards:redeem",
        "mutation ($i: UseEntitlementInput!) { useEntitlement(input: $i) { left } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "benefit": "X"}},
    ),
    (
        "members:read",
        "query ($r: MemberRef!) { availableRewards(member: $r) { cost } }",
        {"r": {"id": "x"}},
    ),
    ("members:read", "query ($r: MemberRef!) { vouchers(member: $r) { id } }", {"r": {"id": "x"}}),
    (
        "members:read",
        "query ($r: MemberRef!) { entitlements(member: $r) { left } }",
        {"r": {"id": "x"}},
    ),
    ("rewards:redeem", "query ($c: String!) { redemption(code: $c) { id } }", {"c": "x"}),
    (
        "rewards:redeem",
        "mutation ($i: HoldPointsInput!) { holdPoints(input: $i) { balance } }",
        {
            "i": {
                "idempotencyKey": "k",
                "member": {"id": "x"},
                "points": 1,
                "minutes": 5,
                "reason": "x",
            }
        },
    ),
    (
        "purchases:write",
        "mutation ($i: ActivatePendingInput!) { activatePending(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "pending": {"entryId": "x"}}},
    ),
    (
        "points:adjust",
        "mutation ($i: CancelPendingInput!) { cancelPending(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "pending": {"entryId": "x"}, "reason": "x"}},
    ),
    (
        "rewards:redeem",
        "mutation ($i: CaptureHoldInput!) { captureHold(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "holdId": "x"}},
    ),
    (
        "rewards:redeem",
        "mutation ($i: ReleaseHoldInput!) { releaseHold(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "holdId": "x"}},
    ),
    (
        "rewards:redeem",
        "mutation ($i: RedeemRewardInput!) { redeemReward(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "reward": "X"}},
    ),
    *(
        (
            "rewards:redeem",
            (
                f"mutation ($i: {name}RedemptionInput!)"
                f" {{ {name.lower()}Redemption(input: $i) {{ balance }} }}"
            ),
            {"i": {"idempotencyKey": "k", "redemption": {"code": "x"}}},
        )
        for name in ("Confirm", "Use", "Cancel", "Refund")
    ),
    (
        "rewards:redeem",
        "mutation ($i: UseVoucherInput!) { useVoucher(input: $i) { number } }",
        {"i": {"idempotencyKey": "k", "voucher": {"code": "x"}, "amount": "1"}},
    ),
    (
        "rewards:redeem",
        "mutation ($i: RefundVoucherInput!) { refundVoucher(input: $i) { number } }",
        {"i": {"idempotencyKey": "k", "voucher": {"code": "x"}, "use": 1}},
    ),
    (
        "purchases:write",
        "query ($i: SimulatePurchaseInput!) { simulatePurchase(input: $i) { points } }",
        {"i": {"lines": GOLDEN_LINES}},
    ),
    (
        "members:write",
        "mutation ($i: EnrolMemberInput!) { enrolMember(input: $i) { userErrors { code } } }",
        {"i": {}},
    ),
    (
        "members:write",
        "mutation ($i: UpdateMemberInput!) { updateMember(input: $i) { userErrors { code } } }",
        {"i": {"member": {"id": "x"}}},
    ),
    (
        "members:write",
        "mutation ($i: SetConsentInput!) { setConsent(input: $i) { userErrors { code } } }",
        {"i": {"member": {"id": "x"}, "consents": []}},
    ),
    (
        "members:write",
        "mutation ($i: CloseMemberInput!) { closeMember(input: $i) { forfeited } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}}},
    ),
    (
        "purchases:write",
        "mutation ($i: RecordPurchaseInput!) { recordPurchase(input: $i) { points } }",
        {
            "i": {
                "idempotencyKey": "k",
                "member": {"id": "x"},
                "source": "till",
                "externalId": "r",
                "lines": GOLDEN_LINES,
            }
        },
    ),
    (
        "purchases:write",
        (
            "mutation ($i: RecordPurchasesInput!)"
            " { recordPurchases(input: $i) { results { points } } }"
        ),
        {"i": {"purchases": []}},
    ),
    (
        "purchases:write",
        "mutation ($i: RecordActivityInput!) { recordActivity(input: $i) { points } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "kind": "REVIEW"}},
    ),
    (
        "purchases:write",
        (
            "mutation ($i: RecordActivitiesInput!)"
            " { recordActivities(input: $i) { results { points } } }"
        ),
        {"i": {"activities": []}},
    ),
    (
        "purchases:write",
        "mutation ($i: ActivateOfferInput!) { activateOffer(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "offer": "BREAD"}},
    ),
    (
        "purchases:write",
        "mutation ($i: RefundPurchaseInput!) { refundPurchase(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "purchase": {"id": "x"}}},
    ),
    (
        "purchases:write",
        "mutation ($i: ClaimPurchaseInput!) { claimPurchase(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "code": "x"}},
    ),
    (
        "purchases:write",
        "mutation ($i: VoidPurchaseInput!) { voidPurchase(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "purchase": {"id": "x"}}},
    ),
    (
        "points:adjust",
        "mutation ($i: ReverseEntryInput!) { reverseEntry(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "entryId": "x", "reason": "x"}},
    ),
    (
        "points:adjust",
        "mutation ($i: ReinstateExpiredInput!) { reinstateExpired(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "entryId": "x", "reason": "x"}},
    ),
    (
        "points:adjust",
        "mutation ($i: AdjustPointsInput!) { adjustPoints(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "points": 1, "reason": "x"}},
    ),
    (
        "members:write",
        "mutation ($i: MergeMembersInput!) { mergeMembers(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "from": {"id": "x"}, "into": {"id": "x"}, "reason": "x"}},
    ),
    (
        "members:write",
        "mutation ($i: UnmergeMembersInput!) { unmergeMembers(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "memberId": "x", "reason": "x"}},
    ),
    (
        "points:adjust",
        "mutation ($i: TransferPointsInput!) { transferPoints(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "to": {"id": "x"}, "points": 1}},
    ),
    (
        "passes:issue",
        "mutation ($i: IssuePassInput!) { issuePass(input: $i) { pass { url } } }",
        {"i": {"member": {"id": "x"}}},
    ),
    (
        "passes:issue",
        "mutation ($i: RefreshPassInput!) { refreshPass(input: $i) { pass { id } } }",
        {"i": {"passId": "x"}},
    ),
    (
        "passes:issue",
        "mutation ($i: VoidPassInput!) { voidPass(input: $i) { pass { id } } }",
        {"i": {"passId": "x"}},
    ),
    ("program:write", "query ($n: Int!) { cardRollouts(first: $n) { marked } }", {"n": 1}),
    ("program:write", "query ($n: Int!) { programVersions(first: $n) { number } }", {"n": 1}),
    (
        "program:write",
        "query ($i: ProgramDiffInput!) { programDiff(input: $i) { diff { cards } } }",
        {"i": {"toml": ""}},
    ),
    (
        "program:write",
        "query ($i: BacktestRuleInput!) { backtestRule(input: $i) { purchases } }",
        {"i": {"rule": ""}},
    ),
    (
        "program:write",
        "query ($i: BacktestProgramInput!) { backtestProgram(input: $i) { purchases } }",
        {"i": {"toml": ""}},
    ),
    ("members:read", "query { segments { code } }", {}),
    (
        "members:write",
        "mutation ($i: EraseMemberInput!) { eraseMember(input: $i) { forfeited } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}}},
    ),
    (
        "members:write",
        "mutation ($i: LockMemberInput!) { lockMember(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "reason": "x"}},
    ),
    (
        "members:write",
        "mutation ($i: UnlockMemberInput!) { unlockMember(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}, "reason": "x"}},
    ),
    (
        "members:read",
        "mutation ($i: ExportMemberDataInput!) { exportMemberData(input: $i) { data } }",
        {"i": {"member": {"id": "x"}}},
    ),
    ("audit:read", "query { auditLog { totalCount } }", {}),
    ("points:adjust", "query { approvals { totalCount } }", {}),
    (
        "points:approve",
        "mutation ($i: ApproveAdjustmentInput!) { approveAdjustment(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "approvalId": "x"}},
    ),
    (
        "points:approve",
        "mutation ($i: RejectAdjustmentInput!) { rejectAdjustment(input: $i) { balance } }",
        {"i": {"idempotencyKey": "k", "approvalId": "x", "note": "x"}},
    ),
    (
        "program:write",
        "mutation ($i: ApplyProgramInput!) { applyProgram(input: $i) { program { id } } }",
        {"i": {"toml": ""}},
    ),
    (
        "program:write",
        "mutation ($i: PauseRolloutInput!) { pauseRollout(input: $i) { rollout { id } } }",
        {"i": {"rolloutId": "x"}},
    ),
    (
        "program:write",
        "mutation ($i: ResumeRolloutInput!) { resumeRollout(input: $i) { rollout { id } } }",
        {"i": {"rolloutId": "x"}},
    ),
    ("admin", "query ($days: Int!) { deliveryStats(days: $days) { staleCards } }", {"days": 1}),
    (
        "admin",
        "mutation ($i: ImportBalancesInput!) { importBalances(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "rows": []}},
    ),
    ("admin", "query ($id: ID!) { balanceImport(id: $id) { done } }", {"id": "x"}),
    ("admin", "query { balanceImports { done } }", {}),
    (
        "admin",
        "query ($d: Date!) { pointsFlow(from: $d, to: $d) { closing } }",
        {"d": "2026-03-02"},
    ),
    (
        "admin",
        "query ($o: PointsFlowEntriesInput!) { pointsFlowEntries(of: $o) { totalCount } }",
        {"o": {"from": "2026-03-02", "to": "2026-03-02"}},
    ),
    (
        "purchases:write",
        "query ($of: String!) { exchangeRates(currencyCode: $of) { rate } }",
        {"of": "USD"},
    ),
    (
        "passes:issue",
        "mutation ($i: CreateCardLinkInput!) { createCardLink(input: $i) { replayed } }",
        {"i": {"idempotencyKey": "k", "member": {"id": "x"}}},
    ),
    (
        "passes:issue",
        "mutation ($i: RevokeCardLinkInput!) { revokeCardLink(input: $i) { link { id } } }",
        {"i": {"linkId": "x"}},
    ),
]


@pytest.mark.parametrize("scope", sorted({scope for scope, _, _ in REQUESTS}))
def test_without_its_scope_nothing_is_answered(api: Api, scope: str):
    others = api.token(*(one.value for one in Scope if one not in (scope, Scope.ADMIN)))

    for asked, query, variables in REQUESTS:
        if asked == scope:
            assert api.error(query, variables, token=None) == "UNAUTHENTICATED", query
            assert api.error(query, variables, token=others) == "FORBIDDEN", query


def test_members_are_refused_what_is_not_for_them(api: Api, bob_asks: str):
    table = {row.field: row.cells[1] for row in rows(SCHEMA._schema)}
    not_for_members = {
        field.partition(".")[2]
        for field, cell in table.items()
        if field.startswith(("Query.", "Mutation.")) and cell == "-"
    }

    for _, query, variables in REQUESTS:
        if any(f" {name}(" in query for name in not_for_members):
            assert api.error(query, variables, token=bob_asks) == "FORBIDDEN"


def test_every_guarded_root_field_is_tried_without_its_scope():
    core = SCHEMA._schema
    fields = {
        name
        for root in (core.query_type, core.mutation_type)
        if root is not None
        for name in root.fields
    }

    asked = [query for _, query, _ in REQUESTS]
    tried = {
        name
        for name in fields
        if any(f"{name}(" in query or f"query {{ {name} {{" in query for query in asked)
    }

    open_to_all = {"version", "program", "tiers", "subscriptionPlans", "rewards"}
    open_to_all |= {"ledgerIntegrity", "ledgerCheckpoints"}
    assert fields - tried == {*open_to_all, "members", "me"}


def test_a_body_that_is_not_json_is_refused(api: Api):
    before = api.everything()

    answer = api.client.post(
        "/graphql", content=b"{not json", headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert api.everything() == before
