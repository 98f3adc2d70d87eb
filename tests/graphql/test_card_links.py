from datetime import timedelta

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from tests.api import Api, card_link, member_id

LINK = "link { id url createdAt revokedAt member { id } } "
OF_MEMBER = "query ($id: ID!) { member(ref: {id: $id}) { cardUrl cardLinks { id url } } }"


def made(api: Api, member: Member) -> dict[str, str]:
    payload = api.do("createCardLink", card_link(member), LINK + "replayed")
    assert (payload["userErrors"], payload["replayed"]) == ([], False)
    link: dict[str, str] = payload["link"]
    return link


def of_member(api: Api, member: Member) -> dict[str, object]:
    shown: dict[str, object] = api.data(OF_MEMBER, {"id": member_id(member)})["member"]
    return shown


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_a_link_opens_the_page_until_it_is_revoked(api: Api):
    ada = api.run(api.shop.enrol, first_name="Ada")
    link = made(api, ada)

    before = api.client.get(path_of(link["url"]))
    revoked = api.do("revokeCardLink", {"linkId": link["id"]}, LINK)
    after = api.client.get(path_of(link["url"]))

    assert (before.status_code, after.status_code) == (200, 404)
    assert revoked["link"] == {**link, "url": None, "revokedAt": "2026-03-02T12:00:00Z"}
    assert link["member"] == {"id": member_id(ada)}


def test_a_retry_returns_the_same_link(api: Api):
    given = card_link(api.run(api.shop.enrol))

    first, again = [api.do("createCardLink", given, LINK + "replayed") for _ in range(2)]

    assert again == {**first, "replayed": True}


def test_a_member_has_none_then_the_newest_of_several(api: Api):
    ada = api.run(api.shop.enrol)

    none = of_member(api, ada)
    first = made(api, ada)
    api.now += timedelta(seconds=1)
    second = made(api, ada)
    both = of_member(api, ada)
    api.do("revokeCardLink", {"linkId": second["id"]}, LINK)

    assert none == {"cardUrl": None, "cardLinks": []}
    assert both["cardUrl"] == second["url"]
    assert [one["id"] for one in both["cardLinks"]] == [second["id"], first["id"]]
    assert of_member(api, ada)["cardUrl"] == first["url"]


def test_revoking_twice_changes_nothing_more(api: Api):
    link = made(api, api.run(api.shop.enrol))
    first = api.do("revokeCardLink", {"linkId": link["id"]}, LINK)
    before = api.everything()

    again = api.do("revokeCardLink", {"linkId": link["id"]}, LINK)

    assert again == first
    assert api.everything() == before


def test_what_cannot_be_done_is_refused(api: Api):
    ada = api.run(api.shop.enrol)
    nobody, no_link = "00000000-0000-0000-0000-000000000007", encode_id("CardLink", ada.id, ada.id)

    assert api.refusal("createCardLink", card_link(ada, idempotencyKey="")) == (
        "INVALID_INPUT",
        "idempotencyKey",
    )
    given = card_link(ada, member={"id": encode_id("Member", nobody)})
    assert api.refusal("createCardLink", given) == ("NOT_FOUND", "member")
    assert api.refusal("revokeCardLink", {"linkId": no_link}) == ("NOT_FOUND", "linkId")
    assert api.refusal("revokeCardLink", {"linkId": member_id(ada)}) == ("INVALID_INPUT", "linkId")


def test_it_needs_the_scope_for_cards(api: Api):
    ada, token = api.run(api.shop.enrol), api.token("members:write")
    query = "mutation ($i: CreateCardLinkInput!) { createCardLink(input: $i) { replayed } }"

    assert api.error(query, {"i": card_link(ada)}, token=token) == "FORBIDDEN"
