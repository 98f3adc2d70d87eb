"""The simulated phone keeps to Apple's web service, and refuses what a phone refuses."""

from typing import Any

import httpx2
import pytest

from loyalty_graph.errors import DeviceError
from loyalty_graph.sandbox.device import DeviceState
from loyalty_graph.sandbox.device_passes import Change
from loyalty_graph.wallet.apple.development_ca import Chain, make_chain
from loyalty_graph.wallet.apple.signing import PassIdentity
from tests.sandbox.phoning import PAGE_URL, PASS_PATH, PASS_URL, SERIAL, TYPE, card, phoning
from tests.wallet.making import NOW, make_signer

LIST = f"GET /apple/v1/devices/DEVICE/registrations/{TYPE}"
REGISTRATION = f"/apple/v1/devices/DEVICE/registrations/{TYPE}/{SERIAL}"


@pytest.mark.parametrize(
    ("url", "downloads"),
    [
        (PASS_URL, ["GET /passes/secret"]),
        (PAGE_URL, ["GET /c/secret", "GET /c/secret/pass"]),
    ],
)
async def test_a_pass_is_added_from_its_link_or_its_page_and_registered(
    chain: Chain, url: str, downloads: list[str]
):
    one = phoning(chain)

    held = await one.phone.add(url)

    assert list(one.called()) == [*downloads, f"POST {REGISTRATION}"]
    assert (held.name, held.serial, held.versions) == ("Bean Club", SERIAL, 1)
    assert held.fields("primaryFields")[0]["value"] == "40"
    assert one.server.registered == {one.phone.state.id: one.phone.state.push_token}


async def test_a_poll_fetches_what_changed_and_says_so_as_the_pass_wants_it(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    await one.phone.poll()
    list(one.called())
    changed = card(balance="54")
    changed["storeCard"]["backFields"][0]["value"] = "+14"
    one.server.changes(changed)

    [held] = await one.phone.poll()

    assert list(one.called()) == [LIST, f"GET {PASS_PATH}"]
    assert held.changes == [
        Change(label="beans", before="40", after="54", message="54 beans."),
        Change(label="Last change", before="+40", after="+14", message=None),
    ]
    assert (held.notice(), held.versions) == ("54 beans.", 2)


async def test_two_messages_are_one_general_notice(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    one.server.changes(card(balance="54", tier="Gold"))

    [held] = await one.phone.poll()

    assert held.notice() == "Bean Club has changed."


async def test_nothing_is_asked_twice_when_nothing_has_changed(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    one.server.changes(card(balance="54"))
    await one.phone.poll()
    list(one.called())

    assert await one.phone.poll() == []
    assert list(one.called()) == [LIST]


async def test_an_unchanged_pass_that_is_listed_is_told_to_the_log_as_phones_do(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    one.server.tag += 1

    assert await one.phone.poll() == []
    assert one.server.logs == [
        f"Server requested update to serial number {SERIAL}, but the pass was unchanged."
    ]


async def test_the_tag_is_kept_only_when_everything_was_fetched(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    await one.phone.poll()
    one.server.changes(card(balance="54", authenticationToken="x" * 32))

    with pytest.raises(DeviceError, match="changed the serial number or the token"):
        await one.phone.poll()
    one.server.card = card(balance="54")
    [held] = await one.phone.poll()

    assert held.fields("primaryFields")[0]["value"] == "54"
    assert len(one.server.logs) == 2


async def test_it_tries_again_with_pauses_while_the_server_is_down(chain: Chain):
    one = phoning(chain)
    one.server.failures = [httpx2.Response(503), httpx2.ConnectError("refused")]

    await one.phone.add(PASS_URL)

    assert len(one.pauses) == 2
    assert all(0 <= pause <= limit for pause, limit in zip(one.pauses, (0.5, 1.0), strict=True))


@pytest.mark.parametrize(
    ("case", "failures", "message"),
    [
        ("down", [httpx2.ConnectError("refused")] * 4, "shop.example does not answer: refused"),
        ("broken", [httpx2.Response(500)] * 4, "shop.example does not answer: 500"),
        (
            "expired",
            [httpx2.Response(403, text="This link has expired; ask for a new one.")],
            "the server said 403, This link has expired; ask for a new one.",
        ),
        ("gone", [httpx2.Response(404)], "the server said 404, Not Found."),
        ("another page", [httpx2.Response(200, html="<p>Hello</p>")], "offers no pass"),
        ("no pass", [httpx2.Response(200, text="Hello")], "would not take this as a pass"),
    ],
)
async def test_a_link_that_gives_no_pass_is_told_in_one_line(
    chain: Chain, case: str, failures: list[Any], message: str
):
    one = phoning(chain)
    one.server.failures = failures

    with pytest.raises(DeviceError, match=message) as refusal:
        await one.phone.add(PASS_URL)

    assert "\n" not in refusal.value.message
    assert one.phone.state.passes == {}


@pytest.mark.parametrize("url", ["card.pkpass", "ftp://shop.example/pass", "http://"])
async def test_what_is_no_address_is_refused(chain: Chain, url: str):
    one = phoning(chain)
    one.phone.client = httpx2.AsyncClient()

    with pytest.raises(DeviceError, match="is no address of a pass"):
        await one.phone.add(url)


async def test_a_pass_that_leads_to_another_root_is_refused(chain: Chain):
    one = phoning(chain)
    stranger = make_chain(PassIdentity(TYPE, chain_team(chain)), now=NOW)
    one.server.signer = make_signer(stranger)

    with pytest.raises(DeviceError, match="would not take this as a pass: chain"):
        await one.phone.add(PASS_URL)

    assert one.phone.state.passes == {}


async def test_a_pass_that_cannot_be_updated_is_added_and_never_asked_about(chain: Chain):
    one = phoning(chain)
    one.server.card = {
        key: value
        for key, value in card().items()
        if key not in ("webServiceURL", "authenticationToken")
    }

    await one.phone.add(PASS_URL)

    assert await one.phone.poll() == []
    assert list(one.called()) == ["GET /passes/secret"]


async def test_a_pass_is_removed_and_unregistered(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    list(one.called())

    await one.phone.remove(SERIAL)

    assert list(one.called()) == [f"DELETE {REGISTRATION}"]
    assert (one.phone.state.passes, one.server.registered) == ({}, {})
    with pytest.raises(DeviceError, match="holds no pass"):
        await one.phone.remove(SERIAL)


async def test_a_refused_registration_is_told_and_the_pass_is_there(chain: Chain):
    one = phoning(chain)
    one.server.card = card(authenticationToken="x" * 32)

    with pytest.raises(DeviceError, match="Added; but the web service refused to register: 401"):
        await one.phone.add(PASS_URL)

    assert list(one.phone.state.passes) == [SERIAL]


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="what?"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"lastUpdated": 7, "serialNumbers": []}),
        httpx2.Response(401),
    ],
)
async def test_a_list_no_phone_understands_changes_nothing(chain: Chain, answer: httpx2.Response):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    one.server.failures = [answer]

    with pytest.raises(DeviceError, match="The web service"):
        await one.phone.poll()

    assert one.phone.state.tags == {}


async def test_a_pass_that_is_not_given_any_more_is_told_to_the_log(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    listed = httpx2.Response(200, json={"lastUpdated": "9", "serialNumbers": [SERIAL, "other"]})
    one.server.failures = [listed, httpx2.Response(404)]

    with pytest.raises(DeviceError, match="does not give the pass: 404"):
        await one.phone.poll()

    assert one.server.logs == ["Get pass task failed: status 404."]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_pass_is_read_in_the_language_of_the_phone(chain: Chain, encoding: str):
    one = phoning(chain, DeviceState(language="de"))
    strings = '/* German */\n"beans" = "Bohnen";\n"Bean Club" = "Bohnen \\"Klub\\"";\n'
    one.server.files["de.lproj/pass.strings"] = strings.encode(encoding)

    held = await one.phone.add(PASS_URL)

    assert held.name == 'Bohnen "Klub"'
    assert held.fields("primaryFields")[0]["label"] == "Bohnen"
    assert held.fields("headerFields")[0]["label"] == "Tier"


async def test_what_it_remembers_survives_as_text(chain: Chain):
    one = phoning(chain)
    await one.phone.add(PASS_URL)
    await one.phone.poll()

    again = DeviceState.model_validate_json(one.phone.state.model_dump_json())

    assert again == one.phone.state


def chain_team(chain: Chain) -> str:
    """Return the team that a chain's certificate is for."""
    return make_signer(chain).identity.team_identifier
