"""What a member may do in an app that asks in her name: for herself, and only for herself."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    get_named_type,
    is_required_input_field,
)

from loyalty_graph.graphql.needs import permission_of
from loyalty_graph.graphql.permissions import Everybody, NeedsMember, NeedsScope
from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.members.models import Member
from tests.api import Api, card_link, member_id

FOR_MEMBERS = {
    "exportMemberData",
    *("updateMember", "setConsent", "issuePass", "createCardLink", "revokeCardLink"),
    *("redeemReward", "confirmRedemption", "cancelRedemption"),
    *("subscribe", "pauseSubscription", "resumeSubscription", "cancelSubscription"),
    *("reactivateSubscription", "changePlan", "activateOffer", "transferPoints"),
    "claimPurchase",
}
"""What an app lets her do herself."""
FOR_TILLS = {
    *("recordPurchase", "recordPurchases", "refundPurchase", "recordSubscriptionPayment"),
    *("recordActivity", "recordActivities", "voidPurchase"),
    *("useRedemption", "refundRedemption", "useVoucher", "refundVoucher", "useEntitlement"),
    *("holdPoints", "captureHold", "releaseHold", "activatePending"),
}
"""What happens where she pays; her word for it is not enough."""
FOR_THE_PROGRAMME = {
    *("mergeMembers", "unmergeMembers"),
    *(
        "enrolMember",
        "closeMember",
        "eraseMember",
        "lockMember",
        "unlockMember",
        "approveAdjustment",
        "rejectAdjustment",
        "adjustPoints",
        "cancelPending",
        "reverseEntry",
        "reinstateExpired",
        "overrideTier",
        "voidPass",
        "refreshPass",
    ),
    *("pauseRollout", "resumeRollout", "applyProgram", "importBalances"),
}
"""Closing forfeits all points for good: more than a borrowed phone should be able to do."""
SAID = {
    "plan": "PLUS",
    "reward": "NOTE",
    "consents": [],
    "offer": "BREAD",
    "points": 5,
    "to": {"number": "900000000009"},
    "code": "000000-000000-000000",
}
"""Values of inputs that must be given and name nothing of a member."""


def fields_of(root: str) -> dict[str, GraphQLField]:
    fields: dict[str, GraphQLField] = SCHEMA._schema.type_map[root].fields
    return fields


def own_fields(root: str) -> list[str]:
    """The root fields that members may ask for without a scope, for what is theirs."""
    return [
        name
        for name, field in fields_of(root).items()
        if isinstance(wanted := permission_of(field), NeedsScope) and wanted.member == "own"
    ]


def input_of(mutation: str) -> GraphQLInputObjectType:
    kind = get_named_type(fields_of("Mutation")[mutation].args["input"].type)
    assert isinstance(kind, GraphQLInputObjectType)
    return kind


@pytest.fixture
def things(api: Api, ada: Member, ids: dict[str, str]) -> dict[str, list[Any]]:
    """The ways to name what is Ada's: by the type of the input, or an id's name."""
    query = "query ($id: ID!) { member(ref: {id: $id}) { redemptions { nodes { code } } } }"
    shown = api.data(query, {"id": member_id(ada)})["member"]
    [redemption] = shown["redemptions"]["nodes"]
    return {
        "MemberRef": [{"id": member_id(ada)}, {"number": ada.number}, {"externalId": "crm-7"}],
        "RedemptionRef": [{"id": ids["Redemption"]}, redemption],
        "subscriptionId": [ids["MemberSubscription"]],
        "linkId": [ids["CardLink"]],
    }


def naming(mutation: str, things: dict[str, list[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield inputs that name something of Ada's, each with the field that does so."""
    fields = input_of(mutation).fields
    said = {name: SAID[name] for name in SAID if name in fields}
    if "idempotencyKey" in fields:
        said["idempotencyKey"] = "k"
    for name, given in fields.items():
        kind = get_named_type(given.type).name
        for one in things.get(name if kind == "ID" else kind, []):
            yield name, {**said, name: one}


def test_for_every_mutation_it_is_decided_whether_it_is_for_members():
    assert set(own_fields("Mutation")) == FOR_MEMBERS
    assert set(fields_of("Mutation")) == FOR_MEMBERS | FOR_TILLS | FOR_THE_PROGRAMME


def test_every_mutation_for_members_names_whose_it_is(things: dict[str, list[Any]]):
    for mutation in own_fields("Mutation"):
        required = {
            name
            for name, given in input_of(mutation).fields.items()
            if is_required_input_field(given)
        }
        assert required & {name for name, _ in naming(mutation, things)}, mutation


@pytest.mark.parametrize("mutation", own_fields("Mutation"))
def test_what_is_somebody_elses_is_not_found_and_stays_as_it_is(
    api: Api, things: dict[str, list[Any]], bob_asks: str, mutation: str
):
    for field, given in naming(mutation, things):
        assert api.refusal(mutation, given, token=bob_asks) == ("NOT_FOUND", field)


def test_codes_that_nobody_has_and_codes_of_others_cannot_be_told_apart(
    api: Api, things: dict[str, list[Any]], bob_asks: str
):
    _, of_ada = things["RedemptionRef"]

    def told(code: str) -> Any:
        given = {"idempotencyKey": "k", "redemption": {"code": code}}
        return api.do("cancelRedemption", given, "replayed redemption { id }", token=bob_asks)

    assert told(of_ada["code"]) == told("000000-000000-000000")


QUERIES: dict[str, tuple[str, bool]] = {
    "member": ("id", False),
    "purchase": ("id", True),
    "tierHistory": ("totalCount", False),
    "subscription": ("id", True),
    "availableRewards": ("cost", False),
    "redemption": ("id", True),
    "vouchers": ("id", False),
    "entitlements": ("left", False),
    "node": ("id", True),
}
"""What to ask for, and whether what is another's is null rather than refused."""


def test_every_query_about_what_is_hers_is_tried_here():
    about_her = set(own_fields("Query")) - {"simulatePurchase"}
    open_to_all = {
        name
        for name, field in fields_of("Query").items()
        if isinstance(permission_of(field), Everybody | NeedsMember)
    }

    assert about_her == set(QUERIES)
    assert set(fields_of("Query")) - about_her - open_to_all == {
        *("members", "simulatePurchase", "deliveryStats", "cardRollouts"),
        *("programDiff", "programVersions", "backtestRule", "backtestProgram"),
        *("segments", "exchangeRates", "balanceImport", "balanceImports"),
        *("pointsFlow", "pointsFlowEntries"),
        "approvals",
        "auditLog",
    }


@pytest.mark.parametrize("query", QUERIES)
def test_she_finds_what_is_hers_and_others_do_not(
    api: Api,
    ids: dict[str, str],
    things: dict[str, list[Any]],
    ada_asks: str,
    bob_asks: str,
    query: str,
):
    fields, is_null = QUERIES[query]
    receipt = {"receipt": {"source": "till", "externalId": "r-1"}}
    keys = {
        "subscription": things["subscriptionId"],
        "redemption": [things["RedemptionRef"][1]["code"]],
        "node": list({**ids, "Program": ids["Member"], "Reward": ids["Member"]}.values()),
        "purchase": [{"id": ids["Purchase"]}, receipt],
    }
    name, given = next(iter(fields_of("Query")[query].args.items()))
    asked = f"query ($one: {given.type}) {{ {query}({name}: $one) {{ {fields} }} }}"

    for one in keys.get(query, things["MemberRef"]):
        assert api.data(asked, {"one": one}, token=ada_asks)[query] is not None
        if is_null:
            assert api.data(asked, {"one": one}, token=bob_asks) == {query: None}
        else:
            assert api.error(asked, {"one": one}, token=bob_asks) == "NOT_FOUND"


def test_a_basket_is_simulated_for_whoever_fills_it(api: Api, ada: Member, bob_asks: str):
    query = "query ($i: SimulatePurchaseInput!) { simulatePurchase(input: $i) { points } }"
    lines = [{"productType": "COFFEE", "quantity": 3, "unitAmount": "4.50"}]

    found = api.data(query, {"i": {"lines": lines}}, token=bob_asks)
    of_ada = {"lines": lines, "member": {"id": member_id(ada)}}

    assert found == {"simulatePurchase": {"points": 27}}
    assert api.error(query, {"i": of_ada}, token=bob_asks) == "NOT_FOUND"


def test_she_redeems_sees_her_code_and_calls_it_off(
    api: Api, ada: Member, ids: dict[str, str], ada_asks: str
):
    wish = {"idempotencyKey": "r", "member": {"id": member_id(ada)}, "reward": "NOTE"}
    shown = "balance redemption { id code status } member { id } entry { points }"

    done = api.do("redeemReward", wish, shown, token=ada_asks)
    given = {"idempotencyKey": "c", "redemption": {"code": done["redemption"]["code"]}}
    back = api.do("cancelRedemption", given, shown, token=ada_asks)

    assert (done["userErrors"], done["balance"], done["member"]) == ([], 7, wish["member"])
    assert done["entry"] == {"points": -50}
    assert (back["userErrors"], back["balance"]) == ([], 57)
    assert back["redemption"] == {**done["redemption"], "status": "CANCELLED"}


def test_she_subscribes_pauses_and_ends_it_by_herself(api: Api, ids: dict[str, str], ada_asks: str):
    key = ids["MemberSubscription"]

    def status(mutation: str, number: int, **more: Any) -> str:
        given = {"idempotencyKey": f"{number}", "subscriptionId": key, **more}
        done = api.do(mutation, given, "subscription { status member { id } }", token=ada_asks)
        assert done["userErrors"] == []
        assert done["subscription"]["member"] == {"id": ids["Member"]}
        found: str = done["subscription"]["status"]
        return found

    assert status("cancelSubscription", 1) == "CANCELLED"
    assert status("reactivateSubscription", 2) == "TRIALING"
    assert status("changePlan", 3, plan="PLUS") == "TRIALING"
    assert status("cancelSubscription", 4, atOnce=True) == "EXPIRED"
    wanted = {"idempotencyKey": "5", "member": {"id": ids["Member"]}, "plan": "PLUS"}
    begun = api.do("subscribe", wanted, "subscription { status }", token=ada_asks)
    assert begun == {"userErrors": [], "subscription": {"status": "INCOMPLETE"}}


def test_she_makes_and_revokes_links_to_her_own_card(api: Api, ada: Member, ada_asks: str):
    fields = "link { id url revokedAt member { id } }"

    made = api.do("createCardLink", card_link(ada), fields, token=ada_asks)["link"]
    gone = api.do("revokeCardLink", {"linkId": made["id"]}, fields, token=ada_asks)["link"]

    assert (made["member"], made["revokedAt"]) == ({"id": member_id(ada)}, None)
    assert gone == {**made, "url": None, "revokedAt": "2026-03-02T12:00:00Z"}


def test_she_keeps_her_particulars_and_consents_but_not_your_id_of_her(
    api: Api, ada: Member, ada_asks: str
):
    her = {"id": member_id(ada)}
    fields = "member { firstName externalId consents { purpose granted source } }"
    answer = {"purpose": "PROFILING", "granted": False}

    api.do("updateMember", {"member": her, "firstName": "Ada"}, "", token=ada_asks)
    consents = {"member": her, "consents": [answer], "source": "app"}
    done = api.do("setConsent", consents, fields, token=ada_asks)

    assert done == {
        "userErrors": [],
        "member": {
            "firstName": "Ada",
            "externalId": "crm-7",
            "consents": [{**answer, "source": "app"}],
        },
    }
    update = "mutation ($i: UpdateMemberInput!) { updateMember(input: $i) { member { id } } }"
    for other in ("crm-8", None):
        given = {"member": her, "externalId": other}
        assert api.error(update, {"i": given}, token=ada_asks) == "FORBIDDEN"


def test_she_gives_her_birthday_once_and_the_shop_mends_it(api: Api, ada: Member, ada_asks: str):
    given = {"member": {"id": member_id(ada)}, "birthday": "1990-12-10"}
    other = {**given, "birthday": "1990-12-11"}
    told = "member { birthday }"

    for _ in range(2):
        done = api.do("updateMember", given, told, token=ada_asks)
        assert done == {"userErrors": [], "member": {"birthday": "1990-12-10"}}
    refused = api.refusal("updateMember", other, token=ada_asks)
    removed = api.refusal("updateMember", {**given, "birthday": None}, token=ada_asks)
    mended = api.do("updateMember", other, told)

    assert refused == removed == ("INVALID_INPUT", "birthday")
    assert mended["member"] == {"birthday": "1990-12-11"}


def test_her_keys_are_not_the_keys_of_the_shop(api: Api, ada: Member, ada_asks: str):
    given = {"idempotencyKey": "same", "member": {"id": member_id(ada)}}

    of_shop = api.do("createCardLink", given, "link { id } replayed")
    hers = api.do("createCardLink", given, "link { id } replayed", token=ada_asks)
    again = api.do("createCardLink", given, "link { id } replayed", token=ada_asks)

    assert of_shop["replayed"] is hers["replayed"] is False
    assert hers["link"] != of_shop["link"]
    assert again == {**hers, "replayed": True}


def test_a_token_for_one_store_uses_codes_and_vouchers_there_only(api: Api, ids: dict[str, str]):
    north = api.token("rewards:redeem", store="north")
    voucher = {"id": ids["Voucher"]}
    given = {"idempotencyKey": "u", "voucher": voucher, "amount": "5.00"}
    back = {"idempotencyKey": "b", "voucher": voucher, "use": 1}
    code = {"idempotencyKey": "c", "redemption": {"id": ids["Redemption"]}, "store": "south"}

    elsewhere = api.refusal("useVoucher", {**given, "store": "south"}, token=north)
    used = api.do("useVoucher", given, "voucher { uses { store } }", token=north)

    assert elsewhere == ("WRONG_STORE", "store")
    assert used == {"userErrors": [], "voucher": {"uses": [{"store": "north"}]}}
    assert api.refusal("refundVoucher", {**back, "store": "south"}, token=north) == elsewhere
    assert api.refusal("useRedemption", code, token=north) == elsewhere
