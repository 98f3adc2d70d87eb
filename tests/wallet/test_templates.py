"""Card templates: what is shipped is right, and what is wrong is named."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.errors import TemplateError
from loyalty_graph.wallet.templates import CARRIED_BYTES_MAX, load_template
from tests.wallet.making import TEMPLATE

Card = dict[str, Any]
SHIPPED_IMAGES_BYTES_MAX = 150_000
SCALES = ("", "@2x", "@3x")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATE, tmp_path / "mine"))


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)


def with_card(folder: Path, change: Callable[[Card], object]) -> None:
    path = folder / "pass.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def primary(card: Card) -> Card:
    field: Card = card["storeCard"]["primaryFields"][0]
    return field


def complaint(folder: Path) -> str:
    with pytest.raises(TemplateError) as refused:
        load_template(folder)
    return str(refused.value).removeprefix(f"{folder}/")


def test_the_shipped_template_has_every_image_at_every_scale_and_stays_small():
    template = load_template(TEMPLATE)

    names = {f"{name}{scale}.png" for name in ("icon", "logo", "strip") for scale in SCALES}
    assert set(template.images) == names | {"emblem.png", "hero.png"}
    carried = template.images_of(())
    assert set(carried) == names
    assert sum(map(len, carried.values())) < SHIPPED_IMAGES_BYTES_MAX
    assert template.name == "store-card"


def test_the_digest_follows_what_the_card_shows_and_nothing_else(folder: Path):
    given = load_template(folder).digest
    (folder / ".hidden").write_text("ignored")
    with_card(folder, dict)
    same = load_template(folder).digest
    with_card(folder, lambda card: card.update(logoText="Other"))
    other_text = load_template(folder).digest
    (folder / "strip.png").write_bytes(png(375, 100))
    other_image = load_template(folder).digest

    assert same == given
    assert len({given, other_text, other_image}) == 3


def test_keys_we_do_not_know_are_let_through(folder: Path):
    with_card(folder, lambda card: card.update(maxDistance=100, userInfo={"a": [1]}))

    assert load_template(folder).card["maxDistance"] == 100


@pytest.mark.parametrize(
    ("case", "change", "expected"),
    [
        (
            "no version",
            lambda card: card.pop("formatVersion"),
            "formatVersion: must be 1.",
        ),
        (
            "no organisation",
            lambda card: card.pop("organizationName"),
            'organizationName: must be a text; write numbers as "42".',
        ),
        (
            "a description that some cards would lack",
            lambda card: card.update(description="{{ member.tier }} card"),
            "description: is required, but member.tier may have no value.",
        ),
        (
            "a serial number",
            lambda card: card.update(serialNumber="1"),
            "serialNumber: is set for each pass; remove it from the template.",
        ),
        (
            "a team",
            lambda card: card.update(teamIdentifier="A1B2C3D4E5"),
            "teamIdentifier: is set for each pass; remove it from the template.",
        ),
        (
            "an unknown placeholder",
            lambda card: primary(card).update(value="{{ points.total | number }}"),
            (
                "storeCard.primaryFields[0].value: unknown placeholder points.total; "
                "did you mean points.unit? known are program.name, program.terms, program.support, "
            ),
        ),
        (
            "an unknown filter",
            lambda card: primary(card).update(value="{{ points.balance | euro }}"),
            (
                "storeCard.primaryFields[0].value: "
                "unknown filter euro; points.balance can have: number."
            ),
        ),
        (
            "a number without a filter",
            lambda card: primary(card).update(value="{{ points.balance }}"),
            (
                "storeCard.primaryFields[0].value: "
                "points.balance is a number and needs a filter: number."
            ),
        ),
        (
            "an unknown placeholder in a place of no interest",
            lambda card: card.update(userInfo={"a": ["{{ b }}"]}),
            "userInfo.a[0]: unknown placeholder b; known are ",
        ),
        (
            "a number as value",
            lambda card: primary(card).update(value=42),
            'storeCard.primaryFields[0].value: must be a text; write numbers as "42".',
        ),
        (
            "no value",
            lambda card: primary(card).pop("value"),
            "storeCard.primaryFields[0].value: is missing.",
        ),
        (
            "no key",
            lambda card: primary(card).pop("key"),
            "storeCard.primaryFields[0].key: must be a text; every field needs its own key.",
        ),
        (
            "a key twice",
            lambda card: primary(card).update(key="tier"),
            (
                "storeCard.primaryFields[0].key: "
                "tier stands there already; every field needs its own key."
            ),
        ),
        (
            "a change message that tells nothing",
            lambda card: primary(card).update(changeMessage="Something changed"),
            "storeCard.primaryFields[0].changeMessage: needs %@, where the new value is put.",
        ),
        (
            "no colour",
            lambda card: card.pop("labelColor"),
            'labelColor: must be a colour such as "rgb(20, 56, 41)".',
        ),
        (
            "a colour in another form",
            lambda card: card.update(backgroundColor="#12362a"),
            'backgroundColor: must be a colour such as "rgb(20, 56, 41)".',
        ),
        (
            "text that cannot be read",
            lambda card: card.update(foregroundColor="rgb(90, 120, 100)"),
            (
                "foregroundColor: has a contrast of 2.71 with the background; "
                "text needs 4.5 (WCAG 1.4.3)."
            ),
        ),
        (
            "an unknown barcode",
            lambda card: card["barcodes"][0].update(format="QR"),
            (
                "barcodes[0].format: must be one of PKBarcodeFormatQR, PKBarcodeFormatPDF417, "
                "PKBarcodeFormatAztec, PKBarcodeFormatCode128."
            ),
        ),
        (
            "an empty barcode",
            lambda card: card["barcodes"][0].update(message=""),
            'barcodes[0].message: must be a text; write numbers as "42".',
        ),
        (
            "barcodes that are no list",
            lambda card: card.update(barcodes={}),
            "barcodes: must be a list.",
        ),
        (
            "a field that is no object",
            lambda card: card["storeCard"]["backFields"].append("terms"),
            "storeCard.backFields[7]: must be an object.",
        ),
        (
            "another style",
            lambda card: card.update(generic=card.pop("storeCard")),
            "storeCard: is missing; a loyalty card is a store card.",
        ),
        (
            "an unknown section",
            lambda card: card["storeCard"].update(frontFields=[]),
            (
                "storeCard.frontFields: is not one of headerFields, primaryFields, "
                "secondaryFields, auxiliaryFields, backFields."
            ),
        ),
    ],
)
def test_a_fault_in_pass_json_is_named_with_its_place(
    folder: Path, case: str, change: Callable[[Card], object], expected: str
):
    with_card(folder, change)

    assert complaint(folder).startswith(f"pass.json: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "pass.json: this is not JSON: "),
        (b"\xff", "pass.json: this is not JSON: "),
        (b"[]", "pass.json: this must be a JSON object."),
    ],
)
def test_a_pass_json_that_cannot_be_read_is_named(folder: Path, content: bytes, expected: str):
    (folder / "pass.json").write_bytes(content)

    assert complaint(folder).startswith(expected)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("icon.png", png(28, 29), "the image is 28 x 29; it must be 29 x 29 pixels."),
        ("icon@2x.png", png(29, 29), "the image is 29 x 29; it must be 58 x 58 pixels."),
        ("logo@3x.png", png(481, 1), "the image is 481 x 1; it may be 480 x 150 pixels at most."),
        ("strip.png", png(375, 145), "the image is 375 x 145; it may be 375 x 144 pixels at most."),
        ("strip.png", png(375, 0), "the image is 375 x 0; it may be 375 x 144 pixels at most."),
        ("strip.png", b"GIF89a", "this is not a PNG image."),
        ("strip.png", png(375, 123)[:20], "this is not a PNG image."),
        (
            "icon2x.png",
            png(58, 58),
            (
                "a store card has no such file; it may have icon, logo, strip (.png, @2x, @3x), "
                "emblem, hero (.png)."
            ),
        ),
        ("thumbnail.png", png(90, 90), "a store card has no such file; it may have "),
        ("notes.txt", b"", "a store card has no such file; it may have "),
    ],
)
def test_a_file_that_does_not_fit_is_named(folder: Path, name: str, content: bytes, expected: str):
    (folder / name).write_bytes(content)

    assert complaint(folder).startswith(f"{name}: {expected}")


@pytest.mark.parametrize(
    "name",
    ["pass.json", "google.class.json", "google.object.json", "icon.png", "icon@2x.png", "logo.png"],
)
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()

    assert complaint(folder).startswith(f"{name}: a ")


def test_a_template_too_large_for_a_phone_is_refused(folder: Path):
    (folder / "strip.png").write_bytes(png(375, 144) + bytes(CARRIED_BYTES_MAX))

    assert "262,144 is the limit" in complaint(folder)


def test_a_folder_inside_is_refused(folder: Path):
    (folder / "images").mkdir()

    assert complaint(folder) == "images: a template has no folders but languages: de.lproj."


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(TemplateError, match="there is no such template folder"):
        load_template(tmp_path / "none")
