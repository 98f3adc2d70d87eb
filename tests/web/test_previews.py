"""The pages on which card templates are looked at."""

import re

import pytest

from loyalty_graph.web.previews import PreviewDoor
from tests.api import Api, application
from tests.wallet.preview.drawn import scanned, texts

SIDES = ("apple-front", "apple-back", "google-front", "google-back")


def test_every_template_has_its_place_on_the_first_page(api: Api):
    html = api.client.get("/preview").text

    assert '<a href="/preview/store-card?locale=en">' in html
    assert 'src="/preview/store-card/apple-front.svg?locale=en"' in html


def test_a_template_is_shown_from_both_sides_on_both_platforms(api: Api):
    answer = api.client.get("/preview/store-card?locale=ar&tier=A%26B")

    addresses = re.findall(r'<img src="([^"]+)"', answer.text)
    query = "?locale=ar&amp;tier=A%26B"
    assert addresses == [f"/preview/store-card/{side}.svg{query}" for side in SIDES]
    assert answer.headers["cache-control"] == "private, no-store"
    for address in addresses:
        assert api.client.get(address.replace("&amp;", "&")).status_code == 200


def test_a_template_that_differs_by_tier_has_a_link_for_each(api: Api):
    html = api.client.get("/preview/vip-tier?locale=de&tier=SILVER").text

    links = re.findall(r'<a href="\?locale=de&amp;tier=(\w+)"( aria-current="true")?>', html)
    assert [tier for tier, _ in links if tier != "SILVER"] == ["GREEN", "GOLD", "PLATINUM"]
    assert ("SILVER", ' aria-current="true"') in links


def test_a_drawing_holds_a_sample_and_may_do_nothing(api: Api):
    answer = api.client.get("/preview/store-card/apple-front.svg?locale=de&tier=SILVER")

    assert {"Clara Schumann", "1.878", "Stufe".upper(), "Silver"} <= set(texts(answer.text))
    assert scanned(answer.text) == "482109371153"
    headers = answer.headers
    assert headers["content-type"] == "image/svg+xml"
    assert headers["content-security-policy"] == "default-src 'none'; img-src data:"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("case", "query"),
    [
        ("no language", "?locale=xx"),
        ("no locale at all", "?locale=../../etc"),
        ("a long tier", "?tier=" + "W" * 5_000),
        ("markup", "?tier=%3Cscript%3Ealert(1)%3C/script%3E&locale=%22%3E%3Cscript%3E"),
    ],
)
def test_whatever_an_address_asks_for_is_only_shown(api: Api, case: str, query: str):
    page = api.client.get(f"/preview/store-card{query}")
    drawing = api.client.get(f"/preview/store-card/apple-front.svg{query}")

    assert (page.status_code, drawing.status_code) == (200, 200)
    assert "<script" not in page.text + drawing.text
    assert len(page.text) < 10_000
    assert "points" in texts(drawing.text), "what is no language is English"


@pytest.mark.parametrize(
    "path",
    [
        "/preview/nothing",
        "/preview/nothing/apple-front.svg",
        "/preview/store-card/apple-inside.svg",
        "/preview/store-card/nokia-front.svg",
        "/preview/..%2fstore-card",
    ],
)
def test_what_is_not_there_is_said(api: Api, path: str):
    assert api.client.get(path).status_code == 404


def test_there_are_no_such_pages_where_cards_are_real(api: Api, monkeypatch: pytest.MonkeyPatch):
    desk = application(api.client).state.desk

    monkeypatch.setattr(type(desk), "development", False)

    assert PreviewDoor(desk).routes == []
