"""How a card looks, and where it is saved in Google Wallet."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from loyalty_graph.graphql.passes import PREVIEWS_MAX
from loyalty_graph.members.models import Member
from loyalty_graph.wallet import service
from loyalty_graph.wallet.service import Platform
from tests.api import Api, member_id, receipt
from tests.google_desk import Google, stand_in
from tests.shop import NOON

LINKS = """query { members(first: 100) { nodes { passes { platform state url saveUrl } } } }"""
DRAWN = """query ($first: Int!, $side: CardSide! = FRONT) { members(first: $first) { nodes {
    passes { previewSvg(side: $side) } } } }"""


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Google:
    return stand_in(monkeypatch)


@pytest.fixture
def with_google(google: Google, api: Api) -> Api:
    """The application that was started after Google's desk was set up."""
    del google
    return api


def issue(api: Api, member: Member, platform: str = "APPLE") -> dict[str, Any]:
    given = {"member": {"id": member_id(member)}, "platform": platform}
    made: dict[str, Any] = api.do("issuePass", given, "pass { id serial url saveUrl }")["pass"]
    return made


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def passes(api: Api) -> list[dict[str, Any]]:
    nodes = api.data(LINKS)["members"]["nodes"]
    return [one for node in nodes for one in node["passes"]]


def test_cards_for_google_have_a_link_that_saves_them_and_others_have_none(
    with_google: Api, google: Google
):
    api, many = with_google, 3
    for _ in range(many):
        member = api.run(api.shop.enrol)
        for platform in ("APPLE", "GOOGLE"):
            issue(api, member, platform)
    google.asked.clear()

    apple, of_google = passes(api)[::2], passes(api)[1::2]

    assert [one["saveUrl"] for one in apple] == [None] * many
    assert len({one["saveUrl"] for one in of_google}) == many
    assert all(one["saveUrl"].startswith("https://pay.example/save/") for one in of_google)
    assert [len(serials) for serials in google.asked] == [many, many], "all at once, twice"


def test_the_lasting_link_of_a_card_for_google_leads_to_where_it_is_saved(with_google: Api):
    made = issue(with_google, with_google.run(with_google.shop.enrol), "GOOGLE")

    answer = with_google.client.get(path_of(made["url"]), follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (302, made["saveUrl"])
    assert answer.headers["cache-control"] == "private, no-store"


def test_while_google_cannot_be_reached_there_is_no_link_and_nothing_else_is_lost(
    with_google: Api, google: Google
):
    google.answers = False

    made = issue(with_google, with_google.run(with_google.shop.enrol), "GOOGLE")
    answer = with_google.client.get(path_of(made["url"]), follow_redirects=False)

    assert made["saveUrl"] is None
    assert (answer.status_code, answer.text) == (
        503,
        "Google Wallet cannot be reached now; try again in a minute.",
    )


def test_a_void_card_is_saved_by_nobody(with_google: Api):
    made = issue(with_google, with_google.run(with_google.shop.enrol), "GOOGLE")

    voided = with_google.do("voidPass", {"passId": made["id"]}, "pass { state saveUrl }")

    assert voided["pass"] == {"state": "VOIDED", "saveUrl": None}


def test_a_card_for_google_opens_nothing_where_google_is_not_set_up_any_more(api: Api):
    member = api.run(api.shop.enrol)
    api.run(service.issue, api.shop.program_id, [member.id], Platform.GOOGLE, now=NOON)
    [shown] = passes(api)

    answer = api.client.get(path_of(shown["url"]))

    assert shown["saveUrl"] is None
    assert (answer.status_code, answer.text) == (404, "This card is gone.")


def drawn(api: Api, member: Member, **variables: Any) -> list[str]:
    del member
    [node] = api.data(DRAWN, {"first": 1, **variables})["members"]["nodes"]
    return [one["previewSvg"] for one in node["passes"]]


def test_a_card_is_drawn_with_the_points_of_the_moment_from_both_sides(api: Api):
    ada = api.run(api.shop.enrol, first_name="Ada")
    issue(api, ada)
    api.do("recordPurchase", receipt(ada), "points")

    [front], [back] = drawn(api, ada), drawn(api, ada, side="BACK")

    for svg in (front, back):
        assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    assert ">108<" in front
    assert ">108<" not in back


def test_cards_are_drawn_as_their_own_wallet_shows_them(with_google: Api):
    ada = with_google.run(with_google.shop.enrol)
    for platform in ("APPLE", "GOOGLE"):
        issue(with_google, ada, platform)

    apple, of_google = drawn(with_google, ada)

    assert apple != of_google


def test_a_void_card_is_drawn_faded(api: Api):
    ada = api.run(api.shop.enrol)
    made = issue(api, ada)
    [before] = drawn(api, ada)

    api.do("voidPass", {"passId": made["id"]}, "pass { id }")

    assert drawn(api, ada) != [before]


def test_only_so_many_cards_are_drawn_at_a_time(api: Api):
    async def fill() -> None:
        members = [await api.shop.enrol() for _ in range(PREVIEWS_MAX + 1)]
        await service.issue(api.shop.program_id, [one.id for one in members], now=NOON)

    api.run(fill)

    nodes = api.data(DRAWN, {"first": PREVIEWS_MAX})["members"]["nodes"]
    too_many = api.ask(DRAWN, {"first": PREVIEWS_MAX + 1})

    assert all(one["previewSvg"] for node in nodes for one in node["passes"])
    assert {one["message"] for one in too_many["errors"]} == {
        "At most 20 cards are drawn at a time."
    }
    assert {one["extensions"]["code"] for one in too_many["errors"]} == {"INVALID_INPUT"}
