"""Drawings in Chromium: whatever is typed, nothing leaves the card or runs into its neighbour."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.service import Platform
from tests.wallet.making import make_face
from tests.wallet.preview.test_drawing import SIDES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
Drawn = tuple[Platform, Side]
NAMES = [
    ("wide letters", "W" * 60, "en_US"),
    ("a long name", "Maximiliana-Theodora von und zu Hohenwaldeck-Schwarzenfels", "de_DE"),
    ("capitals", "MAXIMILIANA-THEODORA VON UND ZU HOHENWALDECK", "tr_TR"),
    ("Arabic", "عبد الرحمن بن عبد العزيز بن محمد آل سعود الهاشمي", "ar_EG"),
    ("Greek", "ΑΛΕΞΑΝΔΡΟΣ ΠΑΠΑΔΙΑΜΑΝΤΟΠΟΥΛΟΣ ΤΗΣ ΘΕΣΣΑΛΟΝΙΚΗΣ", "el_GR"),
    ("narrow letters", "illi" * 40, "en_US"),
]
BOXES = """() => [...document.querySelectorAll("text")].map((one) => {
  const {x, y, width, height} = one.getBBox();
  return {words: one.textContent, x, y, right: x + width, bottom: y + height};
})"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched.new_page()
        launched.close()


@pytest.mark.parametrize("which", SIDES)
@pytest.mark.parametrize(("case", "name", "locale"), NAMES)
def test_nothing_leaves_the_card_or_covers_its_neighbour(
    printer: CardPrinter, page: Page, case: str, name: str, locale: str, which: Drawn
):
    platform, side = which
    face = make_face(
        program_name=name,
        member_name=name,
        tier_name=name,
        points_unit=name,
        terms=f"{name} " * 20,
        points_balance=9_223_372_036_854_775_807,
        locale=locale,
    )
    svg = preview(face, printer, platform=platform, side=side)

    page.set_content(svg)
    boxes = page.evaluate(BOXES)

    assert boxes
    for box in boxes:
        assert box["x"] >= 0, box
        assert box["right"] <= 375, box
    for one in boxes:
        for other in boxes:
            if one["words"] != other["words"] and one["y"] == other["y"]:
                assert one["right"] <= other["x"] or other["right"] <= one["x"], (one, other)
