"""The card page as a browser gets it."""

import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from loyalty_graph.ledger.kinds import Forgiveness, Kind
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import Step
from loyalty_graph.usecases import card_page, members, subscriptions
from loyalty_graph.usecases.subscriptions import Subscribe
from loyalty_graph.wallet.apple.checking import describe
from loyalty_graph.web import watching
from loyalty_graph.web.card import CALLS_OF_ONE_ADDRESS, CALLS_OF_ONE_LINK, HAPPENED
from loyalty_graph.web.watching import CardWatch
from tests.api import Api, application
from tests.shop import NOTE, by_id, giving
from tests.tiers.shop import tea, with_tiers
from tests.usecases.subscribing import WITH_PLANS
from tests.web.conftest import Linked, link_to

TAGS, ISOLATES = re.compile(r"<[^>]+>"), re.compile(r"</?bdi[^>]*>")

MINUS = "\N{MINUS SIGN}"


def text_of(html: str) -> str:
    """Return what a person reads, one space between words."""
    body = ISOLATES.sub("", html.partition("<body>")[2])
    return " ".join(TAGS.sub(" ", body).split())


def test_the_card_shows_points_dates_and_reasons(api: Api, ada: Linked):
    api.run(ada.shop.buy, ada.member, (Line("MUG", 1, 25_000),))

    text = text_of(api.client.get(ada.path).text)

    assert "points 1,250" not in text, "the programme calls them beans"
    assert "beans 1,250" in text
    assert "Member Ada Lovelace" in text
    assert "until Sep 2, 2026 1,250" in text
    assert "Points earned · Mar 2 +1,250 1,250 beans for a purchase of €250.00." in text
    assert "MUG: €250.00 at 5 per €1.00, rounded down = 1,250" in text


def test_a_new_member_is_told_how_to_begin(api: Api, ada: Linked):
    text = text_of(api.client.get(ada.path).text)

    assert "Nothing yet. Show this card when you pay" in text
    assert "Use them before" not in text


def test_the_way_to_the_next_tier_and_what_may_be_used_are_told(api: Api):
    api.open_shop(with_tiers())
    ada = link_to(api, first_name="Ada")
    api.run(ada.shop.buy, ada.member, tea(12_500))

    html = api.client.get(ada.path).text

    text = text_of(html)
    assert "Tier Silver" in text
    assert "€175.00 to Gold 41 % €125.00 this year of €300.00" in text
    assert '<progress max="100" value="41" aria-labelledby="way">' in html
    assert "Yours to use Free refill 2 today" in text


def test_at_the_highest_tier_there_is_no_bar(api: Api):
    api.open_shop(with_tiers())
    ada = link_to(api)
    api.run(ada.shop.buy, ada.member, tea(30_000))

    html = api.client.get(ada.path).text

    assert "Gold, the highest tier €300.00 this year" in text_of(html)
    assert "<progress" not in html


def test_nothing_may_run_or_be_kept_but_what_is_ours(api: Api, ada: Linked):
    answer = api.client.get(ada.path)

    headers, html = answer.headers, answer.text
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "private, no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["x-content-type-options"] == "nosniff"
    assert re.findall(r"<script[^>]*>", html) == ['<script type="module" src="/static/card.js">']
    assert html.count("<style>") == 1
    assert " style=" not in html
    assert not re.findall(r"\son[a-z]+=", html)
    assert not re.findall(r"https?://(?!www\.w3\.org/)", html)


def test_names_are_texts_whatever_they_look_like(api: Api):
    bobby = link_to(api, first_name="<script>alert(1)</script>", last_name='"&{{ 7 * 7 }}')

    html = api.client.get(bobby.path).text

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &#34;&amp;{{ 7 * 7 }}" in html


@pytest.mark.parametrize(
    ("locale", "direction", "points"),
    [("en", "ltr", "1,250"), ("de-DE", "ltr", "1.250"), ("he", "rtl", "1,250")],
)
def test_direction_and_numbers_follow_the_members_locale(
    api: Api, locale: str, direction: str, points: str
):
    one = link_to(api, locale=locale)
    api.run(one.shop.buy, one.member, (Line("MUG", 1, 25_000),))

    html = api.client.get(one.path).text

    assert f'<html lang="en" dir="{direction}">' in html
    assert f'data-count="1250">{points}</dd>' in html


def test_the_cards_own_colours_come_with_a_hash(api: Api, ada: Linked):
    html = api.client.get(ada.path).text

    assert "<style>:root{--card:rgb(18, 54, 42);" in html


def test_pictures_are_the_templates_and_never_change_under_their_address(api: Api, ada: Linked):
    html = api.client.get(ada.path).text
    [strip] = re.findall(r'"(/card-art/\w+/strip@3x.png)"', html)

    picture = api.client.get(strip)

    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert api.client.get("/card-art/0000/strip@3x.png").status_code == 404
    assert api.client.get(strip.replace("strip@3x.png", "pass.json")).status_code == 404


def test_the_pass_is_made_on_the_first_call_and_stays_the_same_one(api: Api, ada: Linked):
    first, again = [api.client.get(f"{ada.path}/pass") for _ in range(2)]

    assert first.headers["content-type"] == "application/vnd.apple.pkpass"
    assert first.headers["cache-control"] == "private, no-store"
    cards = [describe(one.content)["card"] for one in (first, again)]
    assert cards[0]["serialNumber"] == cards[1]["serialNumber"]
    assert cards[0]["barcodes"][0]["message"] == ada.member.number


@pytest.mark.parametrize("rest", ["", "/live", "/pass"])
def test_a_link_that_is_revoked_or_never_was_leads_to_the_same_page(
    api: Api, ada: Linked, rest: str
):
    ada.revoke()

    revoked, unknown = api.client.get(ada.path + rest), api.client.get("/c/unknown" + rest)

    assert revoked.status_code == unknown.status_code == 404
    assert revoked.text == unknown.text
    assert "There is no card here" in revoked.text


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("PLUS", "Begins when €10.00 is paid."),
        ("TRY", "Free until Mar 16, 2026, then €5.00."),
    ],
)
def test_a_paid_plan_says_how_it_stands(api: Api, plan: str, said: str):
    api.open_shop(WITH_PLANS)
    ada = link_to(api)
    command = Subscribe("partner:app", "key", by_id(ada.member), plan, None)
    api.run(subscriptions.subscribe, api.shop.program_id, command, billing={}, now=api.now)

    assert said in text_of(api.client.get(ada.path).text)


def test_rewards_in_reach_say_what_is_missing(api: Api):
    api.open_shop(giving(NOTE))
    ada = link_to(api)
    api.run(ada.shop.buy, ada.member, tea(4_500))

    text = text_of(api.client.get(ada.path).text)

    assert "Rewards in reach Coffee 40 You have enough A note of 20 euros 50 5 more to go" in text


def test_points_set_aside_and_then_spent_are_told_as_that(api: Api):
    api.open_shop(giving())
    ada = link_to(api)
    api.run(ada.shop.buy, ada.member, tea(4_500))
    held = api.run(ada.shop.want, ada.member, hold_minutes=5)
    api.run(ada.shop.take, Step.CONFIRM, held)

    text = text_of(api.client.get(ada.path).text)

    spent = "Reward taken · Mar 2 40 beans that were set aside are spent for Coffee."
    aside = f"Points set aside · Mar 2 {MINUS}40 40 beans set aside for Coffee."
    assert f"{spent} {aside}" in text


def test_a_suspended_card_says_so_and_offers_no_pass(api: Api, ada: Linked):
    status = MemberStatus.SUSPENDED
    api.run(members.set_status, api.shop.program_id, by_id(ada.member), status, now=api.now)

    html = api.client.get(ada.path).text

    assert "This card is suspended for now." in html
    assert "/pass" not in html
    assert api.client.get(f"{ada.path}/pass").status_code == 404


def test_who_asks_too_often_is_told_when_to_ask_again(api: Api, ada: Linked):
    bob = link_to(api)
    answers = [api.client.get(ada.path) for _ in range(CALLS_OF_ONE_LINK + 1)]

    assert {one.status_code for one in answers[:-1]} == {200}
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "1"
    assert api.client.get(bob.path).status_code == 200


def test_an_address_cannot_try_many_links(api: Api):
    answers = [api.client.get(f"/c/{number}") for number in range(CALLS_OF_ONE_ADDRESS + 1)]

    assert {one.status_code for one in answers[:-1]} == {404}
    assert answers[-1].status_code == 429


def watch_of(api: Api) -> CardWatch:
    watch: CardWatch = application(api.client).state.watch
    return watch


def test_a_stream_names_the_state_and_ends_when_the_link_does(
    api: Api, ada: Linked, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(watching, "PAGES_MAX", 1)
    token = ada.path.rpartition("/")[2]
    watched = api.run(card_page.find, token, now=api.now)
    state = api.run(card_page.read, token, now=api.now).state

    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(api.client.get, f"{ada.path}/live")
        while watch_of(api).has_room(watched):
            time.sleep(0.01)
        refused = api.client.get(f"{ada.path}/live")
        time.sleep(0.1)
        ada.revoke()
        answer = stream.result(timeout=30)

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text == f"retry: 2000\n\nevent: card\ndata: {state}\n\n"
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")


def test_asking_only_for_the_heads_of_a_stream_ends(api: Api, ada: Linked):
    answer = api.client.head(f"{ada.path}/live")

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"


def test_every_kind_of_entry_has_its_heading():
    assert set(HAPPENED) == {*Kind, *Forgiveness}


def test_a_link_is_in_no_log(api: Api, ada: Linked, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    for path in (ada.path, f"{ada.path}/pass", f"{ada.path}x"):
        api.client.get(path)

    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert ada.path.rpartition("/")[2] not in "\n".join(record.getMessage() for record in ours)


def test_pages_are_only_read(api: Api, ada: Linked):
    client: TestClient = api.client

    assert client.post(ada.path).status_code == client.delete(ada.path).status_code == 405
    assert client.head(ada.path).status_code == 200
