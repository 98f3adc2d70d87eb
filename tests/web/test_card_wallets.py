"""The ways from the card page into a wallet: by device, and by what is set up here."""

import re
from datetime import datetime, timedelta

import pytest

from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.usecases import members
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from tests.api import Api
from tests.google_desk import Google, stand_in
from tests.shop import by_id
from tests.web import agents
from tests.web.conftest import Linked, link_to

LINKS = re.compile(r'<a class="button" href="([^"]+)">.*?</svg>\s*([^<]+?)\s*</a>', re.DOTALL)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Google:
    return stand_in(monkeypatch)


@pytest.fixture
def with_google(google: Google, api: Api) -> Api:
    """The application that was started after Google's desk was set up."""
    del google
    return api


def page(linked: Linked, agent: str) -> str:
    return linked.api.client.get(linked.path, headers={"user-agent": agent}).text


def links(linked: Linked, agent: str) -> list[tuple[str, str]]:
    return [
        (path.removeprefix(linked.path), words)
        for path, words in LINKS.findall(page(linked, agent))
    ]


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (agents.IPHONE, [("/pass", "Add to Apple Wallet")]),
        (agents.SAFARI, [("/pass", "Add to Apple Wallet")]),
        (agents.ANDROID, [("/google", "Add to Google Wallet")]),
        (
            agents.WINDOWS,
            [("/pass", "Add to Apple Wallet"), ("/google", "Add to Google Wallet")],
        ),
    ],
    ids=["iPhone", "Safari", "Android", "Windows"],
)
def test_the_page_offers_the_wallet_of_the_device(
    with_google: Api, agent: str, shown: list[tuple[str, str]]
):
    ada = link_to(with_google)

    assert links(ada, agent) == shown
    html = page(ada, agent)
    assert ("QR code of this page" in html) is (agent == agents.WINDOWS)
    assert ("signed for development" in html) is (agent != agents.ANDROID), "Google's is not"


def test_without_google_there_is_no_way_there(ada: Linked):
    assert links(ada, agents.ANDROID) == [("/pass", "Save the card to your phone")]
    assert links(ada, agents.WINDOWS) == [("/pass", "Add to Apple Wallet")]
    assert ada.api.client.get(f"{ada.path}/google").status_code == 404
    assert ada.api.run(PassRow.all().count) == 0


def test_the_way_to_google_begins_with_a_pass(with_google: Api, google: Google):
    ada = link_to(with_google)

    first, again = [
        with_google.client.get(f"{ada.path}/google", follow_redirects=False) for _ in range(2)
    ]

    [row] = with_google.run(PassRow.all)
    assert (row.member_id, row.platform) == (ada.member.id, Platform.GOOGLE)
    assert (first.status_code, again.status_code) == (302, 302)
    assert first.headers["location"] == f"https://pay.example/save/{row.serial}"
    assert first.headers["cache-control"] == "private, no-store"
    assert google.asked == [[row.serial]] * 2


def test_while_google_does_not_answer_the_card_stays_and_nothing_is_lost(
    with_google: Api, google: Google
):
    ada = link_to(with_google)
    google.answers = False

    answer = with_google.client.get(f"{ada.path}/google", follow_redirects=False)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "Google Wallet does not answer" in answer.text
    assert links(ada, agents.ANDROID) == [("/google", "Add to Google Wallet")]


def test_a_link_that_does_not_work_leads_nowhere(with_google: Api, google: Google):
    ada = link_to(with_google)
    status = MemberStatus.SUSPENDED
    with_google.run(
        members.set_status, ada.shop.program_id, by_id(ada.member), status, now=with_google.now
    )

    suspended = with_google.client.get(f"{ada.path}/google", follow_redirects=False)
    ada.revoke()
    revoked = with_google.client.get(f"{ada.path}/google", follow_redirects=False)

    assert (suspended.status_code, revoked.status_code) == (404, 404)
    assert google.asked == []
    assert with_google.run(PassRow.all().count) == 0


def test_a_card_in_a_wallet_is_viewed_and_an_open_page_learns_of_it(with_google: Api):
    ada = link_to(with_google)
    with_google.client.get(f"{ada.path}/pass")
    with_google.client.get(f"{ada.path}/google", follow_redirects=False)
    before = state(page(ada, agents.WINDOWS))

    with_google.run(install, with_google.now)

    assert links(ada, agents.WINDOWS) == [
        ("/pass", "View in Apple Wallet"),
        ("/google", "View in Google Wallet"),
    ]
    assert state(page(ada, agents.WINDOWS)) != before

    with_google.run(remove, with_google.now + timedelta(seconds=1))

    assert [words for _, words in links(ada, agents.WINDOWS)] == [
        "Add to Apple Wallet",
        "Add to Google Wallet",
    ]


def state(html: str) -> str:
    [found] = re.findall(r'data-state="(\w+)"', html)
    return str(found)


async def install(now: datetime) -> None:
    """Let a device and a Google account have the cards."""
    await PassRow.all().update(installed_at=now)
    row = await PassRow.get(platform=Platform.APPLE)
    await RegistrationRow.create(
        program_id=row.program_id,
        member_id=row.member_id,
        serial=row.serial,
        device="phone",
        pass_type="pass.example",
        registered_at=now,
    )


async def remove(now: datetime) -> None:
    await PassRow.all().update(removed_at=now)
    await RegistrationRow.all().delete()
