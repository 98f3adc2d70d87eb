"""Cards as they are drawn: texts in their places, nothing that runs, a code to be scanned."""

import re
from datetime import UTC, datetime

import pytest

from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.service import Platform
from tests.wallet.making import make_face
from tests.wallet.preview.drawn import parsed, pictures, scanned, text, texts

SIDES = [(platform, side) for platform in Platform for side in Side]
FRONTS = [(platform, Side.FRONT) for platform in Platform]
SPITEFUL = "<script>alert(1)</script>\"&\x00'{{ 7 * 7 }}"


@pytest.mark.parametrize(("platform", "side"), SIDES)
def test_equal_cards_give_equal_drawings_that_stand_alone(
    printer: CardPrinter, platform: Platform, side: Side
):
    face = make_face()

    svg = preview(face, printer, platform=platform, side=side)

    assert svg == preview(face, printer, platform=platform, side=side)
    assert not re.findall(r'https?://(?!www\.w3\.org/2000/svg")', svg)
    tags = {one.tag.partition("}")[2] for one in parsed(svg).iter()}
    assert tags <= {"svg", "title", "rect", "image", "clipPath", "text", "path", "g"}
    assert {one.attrib["href"][:22] for one in parsed(svg).iter() if "href" in one.attrib} == {
        "data:image/png;base64,"
    }


def test_the_front_of_a_store_card_is_laid_out_as_a_phone_does(printer: CardPrinter):
    face = make_face(
        tier_name="Gold", expiring_points=61, expires_at=datetime(2026, 12, 30, 12, tzinfo=UTC)
    )

    svg = preview(face, printer, platform=Platform.APPLE, side=Side.FRONT)

    assert texts(svg) == [
        *("TIER", "Gold", "Corner Grocer", "1,878", "points"),
        *("MEMBER", "Household 1923", "USE SOON", "61 points by Dec 30, 2026"),
        "LG-7F3K-1923",
    ]
    assert text(svg, "Gold").attrib["text-anchor"] == "end"
    assert text(svg, "1,878").attrib["fill"] == "rgb(250, 247, 238)"
    rows = {text(svg, one).attrib["y"] for one in ("Household 1923", "61 points by Dec 30, 2026")}
    assert len(rows) == 1
    images = printer.template.images
    assert pictures(svg) == [images["logo@2x.png"], images["strip@2x.png"]]


def test_the_back_lists_what_belongs_there(printer: CardPrinter):
    face = make_face(message="Double points!", terms="One point\nis one cent.")

    svg = preview(face, printer, platform=Platform.APPLE, side=Side.BACK)

    assert texts(svg) == [
        *("Corner Grocer", "Corner Grocer loyalty card", "News", "Double points!"),
        *(
            "Since",
            "Jan 2017",
            "Member number",
            "LG-7F3K-1923",
            "Terms",
            "One point",
            "is one cent.",
        ),
    ]


@pytest.mark.parametrize(("platform", "side"), FRONTS)
def test_the_code_can_be_scanned(printer: CardPrinter, platform: Platform, side: Side):
    svg = preview(make_face(), printer, platform=platform, side=side)

    assert scanned(svg) == "LG-7F3K-1923"


@pytest.mark.parametrize(("platform", "side"), SIDES)
def test_what_people_typed_is_text(printer: CardPrinter, platform: Platform, side: Side):
    face = make_face(
        program_name=SPITEFUL,
        member_name=SPITEFUL,
        member_number=SPITEFUL,
        tier_name=SPITEFUL,
        message=SPITEFUL,
    )

    svg = preview(face, printer, platform=platform, side=side)

    assert "<script" not in svg
    assert "\x00" not in svg
    assert any(one.startswith("<script>alert") for one in texts(svg))


@pytest.mark.parametrize(("platform", "side"), FRONTS)
def test_a_card_in_arabic_is_mirrored_and_its_texts_run_from_the_right(
    printer: CardPrinter, platform: Platform, side: Side
):
    face = make_face(program_name="بقالة", locale="ar_EG", points_unit="نقطة")

    english = preview(make_face(), printer, platform=platform, side=side)
    arabic = preview(face, printer, platform=platform, side=side)

    places = [float(text(english, "points").attrib["x"]), float(text(arabic, "نقطة").attrib["x"])]
    assert sum(places) == 375
    assert text(arabic, "نقطة").attrib["direction"] == "rtl"
    assert "text-anchor" not in text(arabic, "نقطة").attrib, "it starts where it stands: right"
    balance = text(arabic, "1,878")
    assert ("direction" in balance.attrib, balance.attrib["text-anchor"]) == (False, "end")
    assert scanned(arabic) == "LG-7F3K-1923", "a code is not mirrored"


@pytest.mark.parametrize(("platform", "side"), FRONTS)
def test_a_card_that_is_void_looks_faded(printer: CardPrinter, platform: Platform, side: Side):
    void, good = [
        preview(make_face(void=void), printer, platform=platform, side=side)
        for void in (True, False)
    ]

    assert '<g opacity="0.45">' in void
    assert "<g opacity" not in good


def test_drawings_in_one_page_have_names_of_their_own(printer: CardPrinter):
    drawn = [
        preview(make_face(points_balance=points), printer, platform=platform, side=side)
        for points in (1, 2)
        for platform, side in SIDES
    ]

    names = [name for svg in drawn for name in set(re.findall(r'id="([^"]+)"', svg))]

    assert len(names) == len(set(names)) == 8


def test_a_number_that_no_code_can_hold_is_said(printer: CardPrinter):
    face = make_face(member_number="9" * 10_000)

    svg = preview(face, printer, platform=Platform.APPLE, side=Side.FRONT)

    assert scanned(svg) is None
    assert "QR code" in texts(svg)


def test_values_shrink_until_they_fit_beside_their_neighbours(printer: CardPrinter):
    face = make_face(
        member_name="Ada King, née Byron",
        expiring_points=1_234,
        expires_at=datetime(2026, 12, 30, 12, tzinfo=UTC),
    )

    svg = preview(face, printer, platform=Platform.APPLE, side=Side.FRONT)

    shrunk = text(svg, "1,234 points by Dec 30, 2026").attrib["font-size"]
    assert text(svg, face.member_name).attrib["font-size"] == shrunk
    assert 11 <= float(shrunk) < 18
