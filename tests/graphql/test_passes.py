"""Cards in the API: issuing, what state they are in, what their copies show, and ending them."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet.apple.checking import describe
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.models import PassRow
from tests.api import OTHER_PROGRAM, Api, member_id, receipt
from tests.shop import NOON

ISSUE = "pass { id serial platform state url development }"
SHOWN = """query ($id: ID!) { node(id: $id) { ... on Pass { state installedDevices
    freshness { wantedVersion deliveredVersion stale lagSeconds } } } }"""
MINUTE = timedelta(minutes=1)
UNKNOWN_PASS = encode_id("Pass", "0" * 32, "0" * 32)


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def issued_to(api: Api, member: Member, **more: Any) -> dict[str, Any]:
    payload = api.do("issuePass", {"member": {"id": member_id(member)}, **more}, ISSUE)
    assert payload["userErrors"] == []
    made: dict[str, Any] = payload["pass"]
    return made


def change(api: Api, **columns: Any) -> None:
    async def work() -> None:
        await PassRow.all().update(**columns)

    api.run(work)


def register(api: Api, *devices: str) -> None:
    async def work() -> None:
        row = await PassRow.get()
        for device in devices:
            await RegistrationRow.create(
                serial=row.serial,
                program_id=row.program_id,
                member_id=row.member_id,
                pass_type="pass.dev",
                device=device,
                registered_at=NOON,
            )

    api.run(work)


def shown(api: Api, of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.data(SHOWN, {"id": of["id"]})["node"]
    return found


async def _passes() -> int:
    return await PassRow.all().count()


async def _kinds() -> list[str]:
    facts = await FactRow.filter(kind__startswith="pass.").order_by("id")
    return [fact.kind for fact in facts]


async def _forget_marks() -> None:
    await CardMark.all().delete()


async def _marked() -> int:
    return await CardMark.all().count()


def points_on(api: Api, url: str) -> str:
    answer = api.client.get(path_of(url))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
    [primary] = describe(answer.content)["card"]["storeCard"]["primaryFields"]
    value: str = primary["value"]
    return value


def test_a_card_shows_the_points_of_the_moment_it_is_fetched(api: Api):
    ada = api.run(api.shop.enrol)
    issued = issued_to(api, ada)

    before = points_on(api, issued["url"])
    api.do("recordPurchase", receipt(ada), "points")
    after = points_on(api, issued["url"])

    assert (issued["platform"], issued["development"]) == ("APPLE", True)
    assert (before, after) == ("0", "108")


def test_a_member_has_one_card_and_its_issuing_is_told_of_once(api: Api):
    ada = api.run(api.shop.enrol)

    first = issued_to(api, ada)
    again = issued_to(api, ada)

    assert api.run(_passes) == 1
    assert first["id"] == again["id"]
    assert (
        describe(api.client.get(path_of(again["url"])).content)["card"]["serialNumber"]
        == (first["serial"])
    )
    assert api.run(_kinds) == ["pass.issued"]


def test_a_link_is_good_for_a_week(api: Api):
    ada = api.run(api.shop.enrol)
    url = issued_to(api, ada)["url"]

    api.now += timedelta(days=7)

    answer = api.client.get(path_of(url))
    assert (answer.status_code, answer.text) == (403, "This link has expired; ask for a new one.")


def test_nobody_gets_no_card(api: Api):
    code = api.refusal("issuePass", {"member": {"externalId": "nobody"}})

    assert code == ("NOT_FOUND", "member")


def test_a_card_for_google_is_refused_where_google_is_not_set_up(api: Api):
    given = {"member": {"id": member_id(api.run(api.shop.enrol))}, "platform": "GOOGLE"}

    payload = api.do("issuePass", given, "")

    assert payload["userErrors"] == [
        {
            "code": "PLATFORM_NOT_CONFIGURED",
            "field": "platform",
            "message": "Google Wallet is not set up here.",
        }
    ]
    assert api.refusal("issuePass", given) == ("PLATFORM_NOT_CONFIGURED", "platform")


@pytest.mark.parametrize(
    ("case", "happened", "devices", "state"),
    [
        ("nobody got it", {}, [], "CREATED"),
        ("downloaded", {"handed_out_at": NOON}, [], "ISSUED"),
        ("on two devices", {"installed_at": NOON}, ["iPhone", "watch"], "INSTALLED"),
        ("on none any more", {"installed_at": NOON, "removed_at": NOON}, [], "UNINSTALLED"),
        ("void", {"installed_at": NOON, "voided_at": NOON}, ["iPhone"], "VOIDED"),
        ("over", {"expires_at": NOON}, ["iPhone"], "EXPIRED"),
    ],
)
def test_an_app_can_tell_whether_to_offer_add_or_view(
    api: Api, case: str, happened: dict[str, Any], devices: list[str], state: str
):
    issued = issued_to(api, api.run(api.shop.enrol))
    change(api, **happened)
    register(api, *devices)

    found = shown(api, issued)

    assert (found["state"], found["installedDevices"]) == (state, len(devices)), case


def test_a_google_card_is_installed_while_it_is_saved(api: Api):
    issued = issued_to(api, api.run(api.shop.enrol))
    change(api, platform="GOOGLE", installed_at=NOON)

    saved = shown(api, issued)
    change(api, removed_at=NOON + MINUTE)
    deleted = shown(api, issued)

    assert (saved["state"], saved["installedDevices"]) == ("INSTALLED", 1)
    assert (deleted["state"], deleted["installedDevices"]) == ("UNINSTALLED", 0)


def test_freshness_says_which_change_was_wanted_and_which_was_delivered(api: Api):
    issued = issued_to(api, api.run(api.shop.enrol))
    huge = 2**53
    change(api, update_tag=huge, delivered_tag=huge - 1)
    not_installed = shown(api, issued)["freshness"]
    register(api, "iPhone")
    api.now += 2 * MINUTE

    late = shown(api, issued)["freshness"]
    change(api, delivered_tag=huge)
    fresh = shown(api, issued)["freshness"]

    versions = {"wantedVersion": str(huge), "deliveredVersion": huge - 1}
    assert not_installed == {**versions, "stale": False, "lagSeconds": 0}
    assert late == {**versions, "stale": True, "lagSeconds": 120}
    assert fresh == {**versions, "deliveredVersion": str(huge), "stale": False, "lagSeconds": 0}


def test_a_card_is_stale_from_the_commit_on_though_the_change_has_no_number_yet(api: Api):
    ada = api.run(api.shop.enrol)
    issued = issued_to(api, ada)
    register(api, "iPhone")
    before = shown(api, issued)["freshness"]

    api.do("recordPurchase", receipt(ada), "points")
    after = shown(api, issued)["freshness"]

    assert before == {
        "wantedVersion": 0,
        "deliveredVersion": None,
        "stale": False,
        "lagSeconds": 0,
    }
    assert after == {**before, "stale": True, "lagSeconds": 1}


def test_a_void_card_stays_void_and_the_next_one_is_another(api: Api):
    ada = api.run(api.shop.enrol)
    old = issued_to(api, ada)

    first = api.do("voidPass", {"passId": old["id"]}, ISSUE)
    api.now += MINUTE
    before = api.everything()
    again = api.do("voidPass", {"passId": old["id"]}, ISSUE)

    assert api.everything() == before
    assert (first["pass"]["state"], again["pass"]["state"]) == ("VOIDED", "VOIDED")
    assert describe(api.client.get(path_of(old["url"])).content)["card"]["voided"] is True
    new = issued_to(api, ada)
    assert new["state"] == "CREATED"
    assert new["serial"] != old["serial"]
    query = "query ($id: ID!) { member(ref: {id: $id}) { passes { id } } }"
    assert api.data(query, {"id": member_id(ada)}) == {"member": {"passes": [{"id": new["id"]}]}}
    assert shown(api, old)["state"] == "VOIDED"
    assert api.run(_kinds) == ["pass.issued", "pass.voided", "pass.issued"]


def test_refreshing_a_card_marks_it_to_be_fetched_again(api: Api):
    issued = issued_to(api, api.run(api.shop.enrol))
    register(api, "iPhone")
    api.run(_forget_marks)

    refreshed = api.do("refreshPass", {"passId": issued["id"]}, "pass { freshness { stale } }")

    assert refreshed == {"userErrors": [], "pass": {"freshness": {"stale": True}}}
    assert api.run(_marked) == 1


@pytest.mark.parametrize("mutation", ["voidPass", "refreshPass"])
def test_a_pass_that_is_none_of_ours_is_refused(api: Api, mutation: str):
    issued = issued_to(api, api.run(api.shop.enrol))
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))

    assert api.refusal(mutation, {"passId": UNKNOWN_PASS}) == ("NOT_FOUND", "passId")
    assert api.refusal(mutation, {"passId": "x"}) == ("INVALID_INPUT", "passId")
    assert api.refusal(mutation, {"passId": issued["id"]}, token=stranger) == (
        "NOT_FOUND",
        "passId",
    )


@pytest.mark.parametrize("mutation", ["voidPass", "refreshPass"])
def test_a_member_neither_voids_nor_refreshes_a_card_not_even_her_own(
    api: Api, ada: Member, ada_asks: str, mutation: str
):
    issued = issued_to(api, ada)
    kind = mutation[0].upper() + mutation[1:]
    query = f"mutation ($i: {kind}Input!) {{ {mutation}(input: $i) {{ pass {{ id }} }} }}"

    assert api.error(query, {"i": {"passId": issued["id"]}}, token=ada_asks) == "FORBIDDEN"


def test_a_member_sees_her_own_card(api: Api, ada: Member, ada_asks: str, bob_asks: str):
    issued = issued_to(api, ada)
    query = "{ me { passes { id state installedDevices } } }"

    assert api.data(query, token=ada_asks) == {
        "me": {"passes": [{"id": issued["id"], "state": "CREATED", "installedDevices": 0}]}
    }
    assert api.data(query, token=bob_asks) == {"me": {"passes": []}}
