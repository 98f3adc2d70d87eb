"""The card templates that are shipped: each is right, and shows what it is for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty_graph.money import Money
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.checking import verify_pass_file
from loyalty_graph.wallet.apple.development_ca import Chain
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.face import CardFace, PlanFace, TierFace, ValueFace
from loyalty_graph.wallet.google_checks import ESSENTIAL
from loyalty_graph.wallet.strings import Spoken
from loyalty_graph.wallet.templates import load_template, template_folders
from loyalty_graph.wallet.words import LANGUAGES
from tests.wallet.making import NOW, SERIAL, make_face

TEMPLATES = {name: load_template(folder) for name, folder in template_folders().items()}
END = datetime(2027, 3, 1, 5, tzinfo=UTC)
"""Midnight in New York."""
PLAN = PlanFace(
    name="Corner Plus",
    status="Active",
    renews=True,
    valid_until=END,
    ends_at=END + timedelta(days=6),
)
FULL = {
    "tier_name": "Gold",
    "tier": TierFace(code="GOLD", until=END, next_name="Platinum", missing=Money(123_456, "USD")),
    "plan": PLAN,
    "value": ValueFace(balance=Money(101_277, "USD"), vouchers=2, expires_at=END),
    "points_balance": 75,
    "expiring_points": 61,
    "expires_at": END,
    "last_change": "+61 points",
    "message": "Apples are ripe.",
    "terms": "Be nice.",
    "support": "Ask us.",
}


def google(name: str, face: CardFace) -> dict[str, Any]:
    template = TEMPLATES[name]
    tree = Spoken(
        template.google_object,
        template.languages,
        template.object_vocabulary,
        essential=ESSENTIAL,
    )
    return tree.fill(template.object_values(face, public_url="https://a.example"), face.locale)


def fields(name: str, signer: Signer, **face: Any) -> dict[str, str]:
    card = CardPrinter(TEMPLATES[name], signer).card(make_face(**face), serial_number=SERIAL)
    return {
        entry["key"]: entry["value"] for section in card["storeCard"].values() for entry in section
    }


def test_there_are_five_in_four_languages():
    assert list(TEMPLATES) == [
        "paid-membership",
        "stamp-card",
        "store-card",
        "stored-value",
        "vip-tier",
    ]
    for template in TEMPLATES.values():
        assert set(template.languages) == set(LANGUAGES)


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "tr_TR", "ar_EG", "fr_FR"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_each_makes_cards_that_hold_every_check(
    name: str, locale: str, signer: Signer, chain: Chain
):
    printer = CardPrinter(TEMPLATES[name], signer)

    for face in (make_face(locale=locale), make_face(locale=locale, **FULL)):
        data = printer.print(face, serial_number=SERIAL, now=NOW)
        assert verify_pass_file(data, trusted_root=chain.root, now=NOW).failures == ()


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_numeric_value_is_shown_blank_as_each_is_a_text(name: str, signer: Signer):
    shown = fields(name, signer, **FULL)

    assert {type(value) for value in shown.values()} == {str}
    assert all(shown.values())


@pytest.mark.parametrize("name", TEMPLATES)
def test_google_gets_no_empty_parts_however_little_a_card_has(name: str):
    for face in (make_face(), make_face(**FULL)):
        made = google(name, face)
        assert made["barcode"]["value"] == "LG-7F3K-1923"
        assert all(one["body"] for one in made["textModulesData"])
        assert None not in made.values()
        assert {} not in made.values()


def test_the_expiration_date_of_a_paid_membership_is_not_dropped(signer: Signer):
    printer = CardPrinter(TEMPLATES["paid-membership"], signer)

    paid = printer.card(make_face(plan=PLAN), serial_number=SERIAL)
    without = printer.card(make_face(), serial_number=SERIAL)

    assert paid["expirationDate"] == "2027-03-07T00:00:00-05:00"
    assert "expirationDate" not in without
    made = google("paid-membership", make_face(plan=PLAN))
    assert made["validTimeInterval"] == {"end": {"date": "2027-03-07T00:00:00-05:00"}}
    assert "validTimeInterval" not in google("paid-membership", make_face())


def test_a_membership_says_when_it_renews_or_how_long_it_is_valid(signer: Signer):
    ending = PlanFace(
        name="Corner Plus", status="Cancelled", renews=False, valid_until=END, ends_at=END
    )

    renewing_card = fields("paid-membership", signer, plan=PLAN)
    ending_card = fields("paid-membership", signer, plan=ending)

    assert renewing_card["plan"] == "Corner Plus"
    assert (renewing_card["renews_on"], renewing_card.get("ends_on")) == ("Mar 1, 2027", None)
    assert (ending_card.get("renews_on"), ending_card["ends_on"]) == (None, "Feb 28, 2027")


def test_a_stamp_card_shows_its_stamps_in_words_and_picture(signer: Signer):
    template = TEMPLATES["stamp-card"]
    printer = CardPrinter(template, signer)

    shown = fields("stamp-card", signer, points_balance=27)

    assert (shown["stamps"], shown["missing"], shown["full_cards"]) == ("7 / 10", "3", "2")
    face = make_face(points_balance=27)
    assert printer.images(face)["strip@3x.png"] == template.images["strip.7@3x.png"]
    assert google("stamp-card", face)["heroImage"]["sourceUri"]["uri"].endswith("/hero.7.png")


@pytest.mark.parametrize("code", ["GREEN", "SILVER", "GOLD", "PLATINUM"])
def test_a_vip_card_has_the_colours_and_the_picture_of_its_tier(code: str, signer: Signer):
    template = TEMPLATES["vip-tier"]
    face = make_face(tier_name=code.title(), tier=TierFace(code=code))
    printer = CardPrinter(template, signer)

    card = printer.card(face, serial_number=SERIAL)

    assert card["backgroundColor"] == str(template.look.tiers[code].background)
    assert printer.images(face)["strip@3x.png"] == template.images[f"strip.{code}@3x.png"]


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en_US", "$1,012.77"),
        ("de_DE", "1.012,77\u00a0$"),
        ("tr_TR", "$1.012,77"),
    ],
)
def test_stored_value_is_written_as_the_member_writes_money(
    signer: Signer, locale: str, expected: str
):
    shown = fields("stored-value", signer, locale=locale, value=FULL["value"])

    assert shown["value"] == expected


def test_google_counts_money_in_millionths(signer: Signer):
    made = google("stored-value", make_face(**FULL))

    assert made["loyaltyPoints"]["balance"] == {
        "money": {"micros": "1012770000", "currencyCode": "USD"}
    }
