"""The pass model and the printer of cards."""

import hashlib
import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from wallet.models import Location

from loyalty_graph.wallet.apple.card import CardPrinter, LoyaltyPass, WebService
from loyalty_graph.wallet.apple.checking import verify_pass_file
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain
from loyalty_graph.wallet.apple.reading import read_members
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.colours import Colour, Colours
from loyalty_graph.wallet.templates import Template
from tests.wallet.making import NOW, SERIAL, make_face

HOSTILE = [
    '"}],"serialNumber":"evil',
    "{{ points.balance | number }}",
    "Zoë 🥬\u202e \\u0000 \x00\x1f\x7f",
    "line one\nline two\r\n\ttabbed",
    "%@ %s </script>",
    "a" * 5_000,
]


def field(card: dict[str, Any], key: str) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [
        entry for section in card["storeCard"].values() for entry in section
    ]
    (found,) = (entry for entry in fields if entry["key"] == key)
    return found


def keys(card: dict[str, Any], section: str) -> list[str]:
    return [entry["key"] for entry in card["storeCard"].get(section, [])]


def test_the_shipped_card_shows_the_member_and_the_points(printer: CardPrinter):
    face = make_face(
        tier_name="Gold",
        expiring_points=1061,
        expires_at=datetime(2026, 12, 31, 4, tzinfo=UTC),
        last_change="+61 points for a basket on 21 Nov",
        message="Apples are ripe.",
        terms="Points live six months.",
        support="help@corner-grocer.example",
    )

    card = printer.card(face, serial_number=SERIAL)

    assert card["organizationName"] == "Corner Grocer"
    assert card["description"] == "Corner Grocer loyalty card"
    assert card["serialNumber"] == SERIAL
    assert card["passTypeIdentifier"] == IDENTITY.pass_type_identifier
    assert card["teamIdentifier"] == IDENTITY.team_identifier
    assert card["sharingProhibited"] is True
    assert card["barcodes"] == [
        {
            "format": "PKBarcodeFormatQR",
            "message": "LG-7F3K-1923",
            "messageEncoding": "iso-8859-1",
            "altText": "LG-7F3K-1923",
        }
    ]
    assert field(card, "balance") == {
        "key": "balance",
        "label": "points",
        "value": "1,878",
        "changeMessage": "You now have %@ points.",
    }
    assert field(card, "tier")["value"] == "Gold"
    assert field(card, "since")["value"] == "Jan 2017"
    assert field(card, "expiring")["value"] == "1,061 points by Dec 30, 2026"
    assert keys(card, "backFields") == [
        *("message", "last_change", "since"),
        *("number", "terms", "support"),
    ]


def test_what_a_card_has_not_is_left_out(printer: CardPrinter):
    card = printer.card(make_face(), serial_number=SERIAL)

    assert card["storeCard"]["headerFields"] == []
    assert card["storeCard"]["auxiliaryFields"] == []
    assert keys(card, "backFields") == ["since", "number"]
    assert not {"webServiceURL", "authenticationToken", "barcode", "suppressStripShine"} & set(card)


def test_no_blank_is_written(printer: CardPrinter):
    card = printer.card(make_face(), serial_number=SERIAL)

    text = json.dumps(card)
    assert '""' not in text
    assert "null" not in text
    assert "PKTextAlignmentLeft" not in text


def test_the_web_service_is_named_with_its_token(printer: CardPrinter):
    service = WebService("https://cards.example/wallet", "t" * 16)

    card = printer.card(make_face(), serial_number=SERIAL, web_service=service)

    assert card["webServiceURL"] == "https://cards.example/wallet"
    assert card["authenticationToken"] == "t" * 16
    assert "t" * 16 not in repr(service)


@pytest.mark.parametrize(
    ("url", "token"),
    [("https://cards.example/wallet/", "t" * 16), ("https://cards.example/wallet", "t" * 15)],
)
def test_a_web_service_that_phones_stumble_over_is_our_mistake(url: str, token: str):
    with pytest.raises(AssertionError, match="phones"):
        WebService(url, token)


def test_the_programmes_colours_replace_those_of_the_template(printer: CardPrinter):
    colours = Colours(Colour(0, 0, 0), Colour(255, 255, 255), Colour(200, 200, 200))

    card = printer.card(make_face(colours=colours), serial_number=SERIAL)
    plain = printer.card(make_face(), serial_number=SERIAL)

    assert card["backgroundColor"] == "rgb(0, 0, 0)"
    assert card["foregroundColor"] == "rgb(255, 255, 255)"
    assert card["labelColor"] == "rgb(200, 200, 200)"
    assert plain["backgroundColor"] == "rgb(18, 54, 42)"


def test_a_void_card_says_so(printer: CardPrinter):
    void = printer.card(make_face(void=True), serial_number=SERIAL)
    valid = printer.card(make_face(), serial_number=SERIAL)

    assert void == {**valid, "voided": True}


def test_a_member_number_beyond_ascii_is_announced_as_utf_8(printer: CardPrinter):
    card = printer.card(make_face(member_number="Łódź-1"), serial_number=SERIAL)

    assert card["barcodes"][0]["messageEncoding"] == "utf-8"
    again = printer.card(make_face(), serial_number=SERIAL)
    assert again["barcodes"][0]["messageEncoding"] == "iso-8859-1"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_arrive_as_they_are(printer: CardPrinter, chain: Chain, text: str):
    face = make_face(member_name=text, program_name=text, message=text)

    data = printer.print(face, serial_number=SERIAL, now=NOW)

    assert verify_pass_file(data, trusted_root=chain.root, now=NOW).failures == ()
    card = json.loads(read_members(data)["pass.json"])
    assert field(card, "member")["value"] == text
    assert field(card, "message")["value"] == text
    assert card["organizationName"] == text
    assert card["serialNumber"] == SERIAL


def test_equal_faces_are_equal_bytes(printer: CardPrinter, pass_file: bytes):
    assert printer.print(make_face(), serial_number=SERIAL, now=NOW) == pass_file
    assert printer.print(make_face(points_balance=1), serial_number=SERIAL, now=NOW) != pass_file


def test_the_model_reads_a_template_and_keeps_keys_it_does_not_know(card_template: Template):
    card = {**card_template.card, "relevantDates": [{"date": "2026-12-24T10:00+01:00"}]}

    written = LoyaltyPass.from_card(card, IDENTITY).json_dict()

    assert written["relevantDates"] == [{"date": "2026-12-24T10:00+01:00"}]
    assert written["storeCard"] == card_template.card["storeCard"]
    assert written["barcodes"] == card_template.card["barcodes"]
    assert written["logoText"] == card_template.card["logoText"]


def test_an_expiration_date_is_written():
    made = LoyaltyPass(IDENTITY)
    made.expirationDate = "2026-12-31T23:59+01:00"

    assert made.expirationDate == "2026-12-31T23:59+01:00"
    assert made.json_dict()["expirationDate"] == "2026-12-31T23:59+01:00"


def test_a_template_may_set_what_the_stock_model_calls_otherwise():
    given = {"expirationDate": "2026-12-31T23:59+01:00", "suppressStripShine": True, "voided": True}

    written = LoyaltyPass.from_card(given, IDENTITY).json_dict()

    assert {key: written[key] for key in given} == given


def test_the_manifest_forgets_a_removed_file(signer: Signer):
    made = LoyaltyPass(IDENTITY)
    made.addFile("icon.png", BytesIO(b"icon"))
    made.addFile("logo.png", BytesIO(b"logo"))
    made.create(signer, now=NOW)
    del made._files["logo.png"]

    members = read_members(made.create(signer, now=NOW))

    assert set(json.loads(members["manifest.json"])) == {"icon.png", "pass.json"}
    assert "logo.png" not in members
    assert hashlib.sha256(members["icon.png"]).digest() == hashlib.sha256(b"icon").digest()


def test_locations_are_written_as_data(signer: Signer):
    made = LoyaltyPass(IDENTITY)
    made.locations = [Location(52.1, 4.3)]

    card = json.loads(read_members(made.create(signer, now=NOW))["pass.json"])

    assert card["locations"] == [{"latitude": 52.1, "longitude": 4.3, "altitude": 0.0}]
