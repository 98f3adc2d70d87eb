"""The pages in Chromium: readable by all, the code scannable, alive, and never asking elsewhere."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from loyalty_graph.clock import utc_now
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import card_links
from loyalty_graph.wallet.links import token_of
from tests.served import Served, served
from tests.shop import DAY, by_id
from tests.web import agents

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = (Path(__file__).with_name("vendored") / "axe.min.js").read_text()
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
PHONE, NARROW, DESKTOP = (390, 844), (320, 568), (1280, 900)
LONG_NAME = "Maximiliana-Theodora von und zu Hohenwaldeck-Schwarzenfels-Untermarchtal"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


class Site:
    """The running application, and everything its pages ask for or complain about."""

    def __init__(self, running: Served) -> None:
        self.run, self.token, self.shop = running.run, running.token, running.shop
        self.address = running.address
        self._key: bytes = running.app.state.desk.link_key
        self.asked: list[str] = []

    def member(self, **profile: Any) -> tuple[Member, str]:
        """Enrol a member with a history, and return the address of the card page."""
        return self.run(self._member(profile))

    async def _member(self, profile: dict[str, Any]) -> tuple[Member, str]:
        member = await self.shop.enrol(**profile)
        bought = await self.shop.buy(member)
        await self.shop.later(timedelta(hours=1)).redeem(member, 20)
        await self.shop.later(timedelta(hours=2)).bring_back(bought, {4: 1})
        command = card_links.CreateCardLink("cli", str(member.id), by_id(member))
        now = self.shop.now
        made = await card_links.create(self.shop.program_id, command, key=self._key, now=now)
        token = token_of(self.shop.program_id, made.link_id, key=self._key)
        return member, f"{self.address}/c/{token}"


@pytest.fixture
def site(database_url: str, data_dir: Path) -> Iterator[Site]:
    with served(database_url, data_dir) as running:
        yield Site(running)


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    """Chromium. It comes after the site: while it runs, this thread can make no database."""
    assert site
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


def opened(
    browser: Browser, site: Site, url: str, *, size: tuple[int, int] = PHONE, **context: Any
) -> Page:
    """Open an address; every request and every complaint of the page is noted."""
    width, height = size
    page = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=2, **context
    ).new_page()
    page.on("request", lambda request: site.asked.append(request.url))
    page.on("pageerror", lambda error: site.asked.append(f"error: {error}"))
    page.on("console", lambda said: said.type == "error" and site.asked.append(said.text))
    page.goto(url)
    return page


def faults(page: Page) -> list[str]:
    """Return what axe finds against WCAG 2.2 A and AA."""
    page.evaluate(AXE)
    found = page.evaluate(
        "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", STANDARDS
    )
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize(("locale", "name"), [("en", "Ada"), ("ar-EG", "ليلى"), ("de", LONG_NAME)])
def test_a_card_is_readable_for_all_and_its_code_can_be_scanned(
    site: Site, browser: Browser, *, locale: str, name: str
):
    member, url = site.member(first_name=name, locale=locale)
    page = opened(browser, site, url)

    for scheme in SCHEMES:
        for width, height in (PHONE, NARROW, DESKTOP):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": height})

            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert faults(page) == []
            picture = Image.open(BytesIO(page.locator(".code").screenshot()))
            [code] = zxingcpp.read_barcodes(picture)
            assert (code.format, code.text) == (zxingcpp.BarcodeFormat.QRCode, member.number)
    assert [one for one in site.asked if not one.startswith(site.address)] == []


@pytest.mark.parametrize(
    ("agent", "size", "codes"),
    [
        (agents.IPHONE, PHONE, 0),
        (agents.ANDROID, NARROW, 0),
        (agents.WINDOWS, DESKTOP, 1),
    ],
    ids=["iPhone", "Android", "Windows"],
)
def test_each_device_finds_its_way_into_a_wallet(
    site: Site, browser: Browser, agent: str, size: tuple[int, int], codes: int
):
    _, url = site.member(first_name="Ada")
    page = opened(browser, site, url, size=size, user_agent=agent)

    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    way = page.locator(".wallets a")
    assert (way.count(), way.get_attribute("href")) == (1, f"{url.removeprefix(site.address)}/pass")
    code = page.locator(".takeover .qr")
    assert code.count() == codes
    if codes:
        [found] = zxingcpp.read_barcodes(Image.open(BytesIO(code.screenshot())))
        assert found.text == url


def test_the_other_pages_are_readable_for_all(site: Site, browser: Browser):
    for path in ("/", "/c/nothing", "/preview", "/preview/store-card?locale=ar"):
        page = opened(browser, site, site.address + path)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert faults(page) == []
    asked = [one for one in site.asked if one.startswith("http")]
    assert [one for one in asked if not one.startswith(site.address)] == []


def test_an_open_page_changes_with_the_points(site: Site, browser: Browser):
    member, url = site.member(first_name="Ada", locale="en")
    page = opened(browser, site, url)
    balance = page.locator("[data-count]")
    before = balance.inner_text()
    page.get_by_text("live", exact=True).wait_for()

    site.run(site.shop.later(DAY).buy(member))
    page.locator("[data-count='192']").wait_for()

    assert before == "84"
    expect(balance).to_have_text("192")
    assert page.get_by_role("status").inner_text() == "Your card: 192 beans"
    assert page.locator(".list .points").filter(has_text="+108").count() == 2


def test_an_open_page_says_so_when_its_link_is_revoked(site: Site, browser: Browser):
    member, url = site.member()
    page = opened(browser, site, url)
    page.get_by_text("live", exact=True).wait_for()

    async def revoke() -> None:
        found = await card_links.links.working(site.shop.program_id, [member.id])
        [link] = found[member.id]
        await card_links.revoke(site.shop.program_id, member.id, link.id, now=utc_now())

    site.run(revoke())

    page.get_by_text("There is no card here").wait_for()


def test_without_javascript_the_page_is_whole(site: Site, browser: Browser):
    _, url = site.member(first_name="Ada")

    page = opened(browser, site, url, java_script_enabled=False)

    assert page.locator("[data-count]").inner_text() == "84"
    assert page.get_by_text("108 beans for a purchase of €60.99.").is_visible()
    assert not page.locator("#live").is_visible()
    page.get_by_text("108 beans for a purchase of €60.99.").click()
    assert page.get_by_text("TEA: €7.50 at 1 per €1.00, rounded down = 7").is_visible()


def test_the_editor_answers_without_asking_anybody_else(site: Site, browser: Browser):
    page = opened(browser, site, f"{site.address}/graphql", size=DESKTOP)

    answer = page.locator(".result-window")

    page.get_by_role("button", name="Execute query").click()
    expect(answer).to_contain_text('"Bean Club"')
    page.get_by_label("Token").fill(site.token("members:read"))
    page.get_by_role("tab", name="Members").click()
    expect(page.locator(".graphiql-query-editor")).to_contain_text("query Members")
    # The editor learns a moment later which operation the text holds, and no sign of it is shown.
    page.wait_for_timeout(1_000)
    page.get_by_role("button", name="Execute query").click()
    expect(answer).to_contain_text("totalCount")
    page.get_by_label("Show Documentation Explorer").click()
    page.get_by_text("Root Types").wait_for()

    assert [one for one in site.asked if not one.startswith(site.address)] == []
