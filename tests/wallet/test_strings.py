"""Cards in several languages."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.errors import TemplateError
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.reading import read_members
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.google.objects import GoogleCard, State
from loyalty_graph.wallet.strings import for_phones, read_strings
from loyalty_graph.wallet.templates import load_template
from tests.wallet.making import NOW, SERIAL, TEMPLATE, make_face

SENTENCE = "{{ points.expiring | number }} {{ points.unit }} by {{ points.expires_on | date }}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATE, tmp_path / "mine"))


def edit(folder: Path, language: str, change: Callable[[str], str]) -> None:
    path = folder / f"{language}.lproj" / "pass.strings"
    path.write_text(change(path.read_text()))


def complaint(folder: Path) -> str:
    with pytest.raises(TemplateError) as refused:
        load_template(folder)
    return str(refused.value).removeprefix(f"{folder}/")


def field(card: dict[str, Any], key: str) -> dict[str, Any]:
    fields = [entry for section in card["storeCard"].values() for entry in section]
    [found] = [entry for entry in fields if entry["key"] == key]
    return dict(found)


def test_a_pass_file_has_every_language_for_the_phone_to_choose_from(folder: Path, signer: Signer):
    printer = CardPrinter(load_template(folder), signer)

    members = read_members(printer.print(make_face(), serial_number=SERIAL, now=NOW))

    languages = {name.removesuffix(".lproj/pass.strings") for name in members if "lproj" in name}
    assert languages == {"ar", "de", "en", "tr"}
    german = read_strings(Path("pass.strings"), members["de.lproj/pass.strings"])
    assert german["Tier"] == "Stufe"
    assert "You are now %@." in german
    manifest = json.loads(members["manifest.json"])
    assert "de.lproj/pass.strings" in manifest


def test_sentences_with_values_are_written_in_the_members_language(folder: Path, signer: Signer):
    printer = CardPrinter(load_template(folder), signer)
    face = {"expiring_points": 1061, "expires_at": datetime(2026, 12, 31, 4, tzinfo=UTC)}

    def expiring(locale: str) -> str:
        card = printer.card(make_face(locale=locale, **face), serial_number=SERIAL)
        return str(field(card, "expiring")["value"])

    assert expiring("en_US") == "1,061 points by Dec 30, 2026"
    assert expiring("de_DE") == "1.061 points bis 30.12.2026"
    assert expiring("tr_TR") == "30 Ara 2026 tarihine kadar 1.061 points"
    assert expiring("fr_FR") == "1\u202f061 points by 30 d\u00e9c. 2026"


def test_arabic_keeps_values_apart_from_the_words_around_them(folder: Path, signer: Signer):
    printer = CardPrinter(load_template(folder), signer)
    face = make_face(
        locale="ar_EG",
        expiring_points=61,
        expires_at=datetime(2026, 12, 31, 4, tzinfo=UTC),
    )

    text = str(field(printer.card(face, serial_number=SERIAL), "expiring")["value"])

    assert text.count("\u2068") == text.count("\u2069") == 3


def test_what_the_phone_looks_up_stays_as_it_is(folder: Path, signer: Signer):
    printer = CardPrinter(load_template(folder), signer)

    card = printer.card(make_face(locale="de", tier_name="Gold"), serial_number=SERIAL)

    assert field(card, "tier")["label"] == "Tier"
    assert field(card, "tier")["changeMessage"] == "You are now %@."


def test_google_gets_the_class_in_every_language(folder: Path):
    template = load_template(folder)

    text = template.google_class["localizedAccountNameLabel"]

    assert text["defaultValue"] == {"language": "en", "value": "Member"}
    assert [one["language"] for one in text["translatedValues"]] == ["ar", "de", "tr"]
    assert {"language": "de", "value": "Mitglied"} in text["translatedValues"]
    assert template.google_class["accountNameLabel"] == "Member"


def test_google_gets_the_object_in_the_members_language(folder: Path):
    card = GoogleCard(load_template(folder), public_url="https://a.example")

    made = card.loyalty_object(
        make_face(locale="de_DE", tier_name="Gold"),
        object_id="1.a",
        class_id="1.b",
        state=State.ACTIVE,
    )

    assert made["secondaryLoyaltyPoints"] == {"label": "Stufe", "balance": {"string": "Gold"}}
    assert made["loyaltyPoints"]["label"] == "points"


def test_a_template_may_do_without_languages(folder: Path, signer: Signer):
    for path in folder.glob("*.lproj"):
        shutil.rmtree(path)

    printer = CardPrinter(load_template(folder), signer)

    card = printer.card(make_face(locale="de", tier_name="Gold"), serial_number=SERIAL)
    assert field(card, "tier")["value"] == "Gold"


def test_another_translation_is_another_digest(folder: Path):
    given = load_template(folder).digest
    edit(folder, "de", lambda text: text.replace("Stufe", "Rang"))

    assert load_template(folder).digest != given


def test_a_language_that_lacks_a_text_of_the_card_is_refused(folder: Path):
    edit(folder, "tr", lambda text: text.replace('"Tier" =', '"Teir" ='))

    assert complaint(folder) == (
        'tr.lproj/pass.strings: "Tier" is missing; '
        "pass.json says it at storeCard.headerFields[0].label."
    )


def test_a_translation_without_a_placeholder_is_refused(folder: Path):
    edit(folder, "de", lambda text: text.replace("bis {{ points.expires_on | date }}", "bald"))

    assert complaint(folder) == (
        f'de.lproj/pass.strings: "{SENTENCE}": the translation must have the same placeholders.'
    )


def test_a_change_message_without_its_value_is_refused(folder: Path):
    edit(folder, "de", lambda text: text.replace('= "Sie sind jetzt %@."', '= "Neue Stufe."'))

    assert "the translation must have the same placeholders" in complaint(folder)


def test_an_unknown_placeholder_in_a_translation_is_refused(folder: Path):
    edit(folder, "de", lambda text: text.replace("bis {{ points.expires_on", "bis {{ points.end"))

    assert "unknown placeholder points.end" in complaint(folder)


def test_languages_without_english_are_refused(folder: Path):
    shutil.rmtree(folder / "en.lproj")

    assert complaint(folder) == (
        "en.lproj/pass.strings: a template in several languages needs this file; "
        "other phones show it."
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff", "de.lproj/pass.strings: this is not UTF-8: "),
        (b'"a" = "b"', 'line 1: write it as "English" = "translated";'),
        (b'"a" = "b";\n\nTier = Stufe;\n', 'line 3: write it as "English" = "translated";'),
        (b'"a" = "b";\n"a" = "c";', "de.lproj/pass.strings: a: stands there already."),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder: Path, content: bytes, expected: str):
    (folder / "de.lproj" / "pass.strings").write_bytes(content)

    assert expected in complaint(folder)


def test_anything_else_in_a_language_is_refused(folder: Path):
    (folder / "de.lproj" / "logo.png").write_bytes(b"")

    assert complaint(folder) == ("de.lproj/logo.png: a language has pass.strings and nothing else.")


def test_an_empty_language_is_refused(folder: Path):
    (folder / "fr.lproj").mkdir()

    assert complaint(folder) == "fr.lproj/pass.strings: a language needs this file."


def test_texts_survive_being_written_for_phones():
    table = {'say "hi"': 'sag \\ "hallo"\n', "{{ a }} b": "left out"}

    assert read_strings(Path("x"), for_phones(table)) == {'say "hi"': 'sag \\ "hallo"\n'}
    assert read_strings(Path("x"), b'/* a */ "b" = "c"; /* d */') == {"b": "c"}
