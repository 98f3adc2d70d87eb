"""What a template says to Google: the class of all cards, the object of each, and their checks."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.errors import TemplateError
from loyalty_graph.usecases import program_file
from loyalty_graph.wallet.colours import Colour, Colours
from loyalty_graph.wallet.google_checks import ESSENTIAL
from loyalty_graph.wallet.placeholders import compile_tree
from loyalty_graph.wallet.templates import CLASS_FILE, OBJECT_FILE, Template, load_template
from tests.shop import program
from tests.wallet.making import TEMPLATE, make_face

URL = "https://cards.example"
SETTINGS = program_file.check(program(), name="test").program
Json = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATE, tmp_path / "mine"))


def complaint(folder: Path, name: str, change: Callable[[Json], object]) -> str:
    path = folder / name
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(TemplateError) as refused:
        load_template(folder)
    return str(refused.value).removeprefix(f"{folder}/{name}: ")


def filled_class(template: Template) -> Json:
    tree = compile_tree(template.google_class, template.class_vocabulary, essential=ESSENTIAL)
    filled: Json = tree.fill(template.class_values(SETTINGS, public_url=URL), "en")
    return filled


def filled_object(template: Template, **face: object) -> Json:
    tree = compile_tree(template.google_object, template.object_vocabulary, essential=ESSENTIAL)
    filled: Json = tree.fill(template.object_values(make_face(**face), public_url=URL), "en_US")
    return filled


def test_the_class_names_the_programme_and_its_pictures_by_their_addresses(
    card_template: Template,
):
    made = filled_class(card_template)

    art = f"{URL}/card-art/{card_template.digest}"
    assert made["issuerName"] == made["programName"] == "Bean Club"
    assert made["programLogo"]["sourceUri"] == {"uri": f"{art}/emblem.png"}
    assert made["heroImage"]["sourceUri"] == {"uri": f"{art}/hero.png"}
    assert made["hexBackgroundColor"] == "#12362a"


def test_the_balance_is_a_number_for_google(card_template: Template):
    made = filled_object(card_template, points_balance=0)

    assert made["loyaltyPoints"] == {"label": "points", "balance": {"int": 0}}
    assert type(made["loyaltyPoints"]["balance"]["int"]) is int


def test_what_an_object_has_not_is_left_out(card_template: Template):
    bare = filled_object(card_template)
    gold = filled_object(card_template, tier_name="Gold")

    assert "secondaryLoyaltyPoints" not in bare
    assert [one["id"] for one in bare["textModulesData"]] == ["since"]
    assert gold["secondaryLoyaltyPoints"] == {"label": "Tier", "balance": {"string": "Gold"}}


def test_the_programmes_background_replaces_that_of_the_template(card_template: Template):
    black = Colours(Colour(0, 0, 0), Colour(255, 255, 255), Colour(200, 200, 200))
    face = make_face(colours=black)

    assert card_template.object_values(face, public_url=URL)["colours.background"] == "#000000"


@pytest.mark.parametrize(
    ("case", "name", "change", "expected"),
    [
        (
            "an id",
            CLASS_FILE,
            lambda data: data.update(id="1"),
            "id: is set for each pass; remove it from the template.",
        ),
        (
            "a review status",
            CLASS_FILE,
            lambda data: data.update(reviewStatus="APPROVED"),
            "reviewStatus: is set for each pass; remove it from the template.",
        ),
        (
            "a state",
            OBJECT_FILE,
            lambda data: data.update(state="ACTIVE"),
            "state: is set for each pass; remove it from the template.",
        ),
        (
            "a class id",
            OBJECT_FILE,
            lambda data: data.update(classId="1.2"),
            "classId: is set for each pass; remove it from the template.",
        ),
        (
            "no name",
            CLASS_FILE,
            lambda data: data.pop("programName"),
            'programName: must be a text; write numbers as "42".',
        ),
        (
            "no logo",
            CLASS_FILE,
            lambda data: data.pop("programLogo"),
            'programLogo.sourceUri.uri: must be a text; write numbers as "42".',
        ),
        (
            "a picture that is not there",
            CLASS_FILE,
            lambda data: data["programLogo"]["sourceUri"].update(uri="{{ art.log }}"),
            "programLogo.sourceUri.uri: unknown placeholder art.log; did you mean art.logo?",
        ),
        (
            "a member in the class of all",
            CLASS_FILE,
            lambda data: data.update(rewardsTier="{{ member.tier }}"),
            "rewardsTier: unknown placeholder member.tier; ",
        ),
        (
            "no account",
            OBJECT_FILE,
            lambda data: data.pop("accountId"),
            'accountId: must be a text; write numbers as "42".',
        ),
        (
            "another barcode",
            OBJECT_FILE,
            lambda data: data["barcode"].update(type="PKBarcodeFormatQR"),
            "barcode.type: must be one of QR_CODE, PDF_417, AZTEC, CODE_128.",
        ),
        (
            "no barcode",
            OBJECT_FILE,
            lambda data: data.pop("barcode"),
            "barcode.type: must be one of QR_CODE, PDF_417, AZTEC, CODE_128.",
        ),
        (
            "a number within words",
            OBJECT_FILE,
            lambda data: data.update(accountName="{{ points.balance | integer }} points"),
            "accountName: the filter integer makes a number; a text needs: number.",
        ),
        (
            "a module without an id",
            OBJECT_FILE,
            lambda data: data["textModulesData"][0].pop("id"),
            "textModulesData[0].id: must be a text; every module needs its own id.",
        ),
        (
            "an id twice",
            OBJECT_FILE,
            lambda data: data["textModulesData"][1].update(id="expiring"),
            "textModulesData[1].id: expiring stands there already; every module needs its own id.",
        ),
        (
            "a module without a body",
            OBJECT_FILE,
            lambda data: data["textModulesData"][0].pop("body"),
            'textModulesData[0].body: must be a text; write numbers as "42".',
        ),
    ],
)
def test_a_fault_in_googles_files_is_named_with_its_place(
    folder: Path, case: str, name: str, change: Callable[[Json], object], expected: str
):
    assert complaint(folder, name, change).startswith(expected)


def test_a_number_in_pass_json_is_refused_as_phones_would_show_a_blank(folder: Path):
    def change(card: Json) -> None:
        card["storeCard"]["primaryFields"][0]["value"] = "{{ points.balance | integer }}"

    assert complaint(folder, "pass.json", change) == (
        "storeCard.primaryFields[0].value: the filter integer makes a number; a text needs: number."
    )
