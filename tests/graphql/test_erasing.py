"""eraseMember through the API: once, for whom it may, and for good."""

from typing import Any

import orjson

from loyalty_graph.db import personal
from loyalty_graph.members.models import Member
from tests.api import OTHER_PROGRAM, Api, member_id, receipt

ANSWER = "forfeited replayed member { status firstName email phone externalId birthday number }"


def wish(member: Member, /, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "forget", "member": {"id": member_id(member)}, **changes}


def test_a_person_is_erased_and_a_retry_gets_the_same_answer(
    api: Api, ada: Member, ids: dict[str, str]
):
    first = api.do("eraseMember", wish(ada), ANSWER)
    again = api.do("eraseMember", wish(ada), ANSWER)

    assert first == {
        "userErrors": [],
        "forfeited": 108,
        "replayed": False,
        "member": {
            "status": "ERASED",
            "firstName": None,
            "email": None,
            "phone": None,
            "externalId": None,
            "birthday": None,
            "number": ada.number,
        },
    }
    assert again == {**first, "replayed": True}


def test_the_whole_history_can_still_be_read(api: Api, ada: Member, ids: dict[str, str]):
    api.do("eraseMember", wish(ada), "")
    shown = """query ($id: ID!) { member(ref: {id: $id}) {
        entries { nodes { kind points text explanation { summary } purchase { id } } }
        passes { state } cardLinks { id } redemptions { nodes { status } } } }"""

    found = api.data(shown, {"id": member_id(ada)})["member"]

    assert {one["text"] for one in found["entries"]["nodes"]} == {""}
    assert found["passes"] == [{"state": "VOIDED"}]
    assert found["cardLinks"] == []


def test_the_same_key_for_somebody_else_is_a_mismatch(api: Api, ada: Member):
    bob = api.run(api.shop.enrol)
    api.do("eraseMember", wish(ada), "")

    assert api.refusal("eraseMember", wish(bob)) == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")


def test_whoever_was_erased_neither_earns_nor_asks(api: Api, ada: Member, ada_asks: str):
    api.do("eraseMember", wish(ada), "")

    assert api.refusal("recordPurchase", receipt(ada)) == ("MEMBER_NOT_ACTIVE", "member")
    assert api.error("{ me { id } }", token=ada_asks) == "UNAUTHENTICATED"


def test_nobody_erases_members_of_another_programme(api: Api, ada: Member):
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))

    assert api.refusal("eraseMember", wish(ada), token=stranger) == ("NOT_FOUND", "member")


def test_members_and_tills_without_the_scope_erase_nobody(api: Api, ada: Member, ada_asks: str):
    query = "mutation ($i: EraseMemberInput!) { eraseMember(input: $i) { replayed } }"

    assert api.error(query, {"i": wish(ada)}, token=ada_asks) == "FORBIDDEN"
    till = api.token("purchases:write")
    assert api.error(query, {"i": wish(ada)}, token=till) == "FORBIDDEN"
    assert api.error(query, {"i": wish(ada)}, token=None) == "UNAUTHENTICATED"


def test_without_a_key_nobody_is_erased(api: Api, ada: Member):
    given = {"member": {"id": member_id(ada)}}

    assert api.refusal("eraseMember", given) == ("INVALID_INPUT", "idempotencyKey")


def exported(api: Api, member: Member, **named: Any) -> dict[str, Any]:
    given = {"member": {"id": member_id(member)}}
    done = api.do("exportMemberData", given, "data", **named)
    found: dict[str, Any] = orjson.loads(done["data"])
    return found


def test_a_member_takes_along_everything_that_is_kept(
    api: Api, ada: Member, ids: dict[str, str], ada_asks: str
):
    bob = api.run(api.shop.enrol, email="bob@example.com")
    api.run(api.shop.buy, bob)

    found = exported(api, ada, token=ada_asks)

    async def kept() -> dict[str, int]:
        rows = {
            model._meta.db_table: await model.filter(member_id=ada.id).count()
            for model in personal.models()
            if "member_id" in model._meta.fields_db_projection
        }
        return {**rows, "member": 1}

    counts = {table: len(rows) for table, rows in found["tables"].items()}
    told = api.run(kept)
    assert counts == {table: count for table, count in told.items() if count} | {
        "fact": told["fact"] - 1
    }
    [member] = found["tables"]["member"]
    assert (member["email"], member["number"]) == ("ada@example.com", ada.number)
    assert {one["external_id"] for one in found["tables"]["purchase"]} == {"r-1"}
    text = str(found)
    assert "bob@example.com" not in text
    assert not [one for one in ("code_hash", "token_sha256", "'salt'", "'head'") if one in text]


def test_after_erasing_the_export_holds_nothing_of_the_person(
    api: Api, ada: Member, ids: dict[str, str]
):
    api.do("eraseMember", wish(ada), "")

    text = str(exported(api, ada)).lower()

    assert "ada@example.com" not in text
    assert "crm-7" not in text


def test_nobody_takes_along_what_is_anothers(api: Api, ada: Member, bob_asks: str):
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))
    given = {"member": {"id": member_id(ada)}}

    assert api.refusal("exportMemberData", given, token=bob_asks) == ("NOT_FOUND", "member")
    assert api.refusal("exportMemberData", given, token=stranger) == ("NOT_FOUND", "member")
