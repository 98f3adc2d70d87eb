"""Colours by tier and images by tier and stamps."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.errors import TemplateError
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.reading import read_members
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.face import TierFace
from loyalty_graph.wallet.looks import Stamps
from loyalty_graph.wallet.templates import CARRIED_BYTES_MAX, load_template
from tests.wallet.making import NOW, SERIAL, TEMPLATE, make_face

GOLD = {
    "backgroundColor": "rgb(40, 30, 0)",
    "foregroundColor": "rgb(255, 255, 255)",
    "labelColor": "rgb(255, 215, 0)",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATE, tmp_path / "mine"))


def with_look(folder: Path, **look: Any) -> None:
    (folder / "look.json").write_text(json.dumps(look))


def with_stamps(folder: Path, *, of: int = 2) -> None:
    with_look(folder, stamps={"of": of, "points": 10})
    for number in range(of + 1):
        for scale in ("", "@2x"):
            data = (folder / f"strip{scale}.png").read_bytes()
            (folder / f"strip.{number}{scale}.png").write_bytes(data + str(number).encode())


def complaint(folder: Path) -> str:
    with pytest.raises(TemplateError) as refused:
        load_template(folder)
    return str(refused.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("balance", "filled", "missing", "full_cards"),
    [
        (-5, 0, 10, None),
        (0, 0, 10, None),
        (9, 0, 10, None),
        (10, 1, 9, None),
        (99, 9, 1, None),
        (100, 10, None, 1),
        (109, 10, None, 1),
        (110, 1, 9, 1),
        (240, 4, 6, 2),
    ],
)
def test_a_full_card_is_shown_full_until_the_next_stamp(
    balance: int, filled: int, missing: int | None, full_cards: int | None
):
    assert Stamps(of=10, points=10).values(balance) == {
        "stamps.filled": filled,
        "stamps.of": 10,
        "stamps.missing": missing,
        "stamps.full_cards": full_cards,
    }


def test_a_card_carries_the_strip_of_its_stamps_and_no_other(folder: Path, signer: Signer):
    with_stamps(folder)
    printer = CardPrinter(load_template(folder), signer)

    for balance, number in ((0, b"0"), (19, b"1"), (20, b"2"), (35, b"1")):
        face = make_face(points_balance=balance)
        members = read_members(printer.print(face, serial_number=SERIAL, now=NOW))
        assert members["strip.png"][-1:] == members["strip@2x.png"][-1:] == number
        assert printer.images(face)["strip.png"] == members["strip.png"]
        assert not [name for name in members if name.startswith("strip.") and name != "strip.png"]


def test_the_colours_of_a_tier_go_before_those_of_the_programme(folder: Path, signer: Signer):
    with_look(folder, tiers={"GOLD": GOLD})
    (folder / "strip.GOLD@2x.png").write_bytes((folder / "strip@2x.png").read_bytes() + b"gold")
    printer = CardPrinter(load_template(folder), signer)
    gold = make_face(tier_name="Gold", tier=TierFace(code="GOLD"))
    green = make_face(tier_name="Green", tier=TierFace(code="GREEN"))

    card = printer.card(gold, serial_number=SERIAL)
    plain = printer.card(green, serial_number=SERIAL)

    assert {key: card[key] for key in GOLD} == GOLD
    assert plain["backgroundColor"] == "rgb(18, 54, 42)"
    assert printer.images(gold)["strip@2x.png"].endswith(b"gold")
    assert "strip.png" not in printer.images(gold)
    assert printer.images(green) == printer.images(make_face())


def test_google_gets_the_picture_and_the_colour_of_the_tier(folder: Path):
    with_look(folder, tiers={"GOLD": GOLD})
    (folder / "hero.GOLD.png").write_bytes((folder / "hero.png").read_bytes())
    template = load_template(folder)
    face = make_face(tier=TierFace(code="GOLD"))

    values = template.object_values(face, public_url="https://a.example")

    art = f"https://a.example/card-art/{template.digest}"
    assert values["art.hero"] == f"{art}/hero.GOLD.png"
    assert values["art.emblem"] == f"{art}/emblem.png"
    assert values["colours.background"] == "#281e00"


def test_other_colours_are_another_digest(folder: Path):
    given = load_template(folder).digest
    with_look(folder, tiers={"GOLD": GOLD})

    assert load_template(folder).digest != given


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        ({"tier": {}}, "look.json: tier: is not one of stamps, tiers."),
        ({"tiers": []}, "look.json: tiers: must be an object."),
        ({"tiers": {"GOLD": "yellow"}}, "look.json: tiers.GOLD: must be an object."),
        (
            {"tiers": {"GOLD": {**GOLD, "labelColor": "gold"}}},
            'look.json: tiers.GOLD.labelColor: must be a colour such as "rgb(20, 56, 41)".',
        ),
        (
            {"tiers": {"GOLD": {**GOLD, "labelColor": "rgb(60, 50, 20)"}}},
            (
                "look.json: tiers.GOLD.labelColor: has a contrast of 1.30 with the background; "
                "text needs 4.5 (WCAG 1.4.3)."
            ),
        ),
        ({"stamps": []}, "look.json: stamps: must be an object."),
        ({"stamps": {}}, "look.json: stamps.of: must be a whole number from 1 to 20."),
        (
            {"stamps": {"of": 10, "points": True}},
            "look.json: stamps.points: must be a whole number from 1 to 1,000,000.",
        ),
        (
            {"stamps": {"of": 21, "points": 1}},
            "look.json: stamps.of: must be a whole number from 1 to 20.",
        ),
        (
            {"stamps": {"of": 2, "points": 1}},
            "strip.0@2x.png: a store card needs this image.",
        ),
    ],
)
def test_a_fault_in_the_look_is_named_with_its_place(
    folder: Path, look: dict[str, Any], expected: str
):
    with_look(folder, **look)

    assert complaint(folder) == expected


def test_a_missing_image_of_stamps_is_named(folder: Path):
    with_stamps(folder, of=10)
    (folder / "strip.7@2x.png").unlink()

    assert complaint(folder) == "strip.7@2x.png: a store card needs this image."


def test_stamps_can_be_asked_for_only_where_the_look_has_them(folder: Path):
    path = folder / "pass.json"
    card = json.loads(path.read_text())
    card["storeCard"]["headerFields"][0]["value"] = "{{ stamps.filled | number }}"
    path.write_text(json.dumps(card))

    assert "pass.json: storeCard.headerFields[0].value: unknown placeholder" in complaint(folder)


def test_the_limit_counts_what_one_card_carries(folder: Path):
    with_stamps(folder)
    strip = (folder / "strip.1@2x.png").read_bytes()
    (folder / "strip.1@2x.png").write_bytes(strip + bytes(CARRIED_BYTES_MAX))

    assert "with 1, " in complaint(folder)
    assert "262,144 is the limit" in complaint(folder)
