"""Classes and objects as Google gets them, and what of them has changed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty_graph.wallet.colours import Colour, Colours
from loyalty_graph.wallet.google.objects import (
    GoogleCard,
    State,
    changes,
    class_id,
    digests,
    object_id,
)
from loyalty_graph.wallet.placeholders import PlaceholderError
from tests.wallet.google.making import (
    ART,
    CALLBACK,
    CLASS_ID,
    CLASS_TEMPLATE,
    ISSUER,
    OBJECT_TEMPLATE,
    make_card,
)
from tests.wallet.making import make_face

OBJECT_ID = f"{ISSUER}.c7nJ2vXq8LwPz4Rt"


def made(*, card: GoogleCard | None = None, **face: object) -> dict[str, Any]:
    return (card or make_card()).loyalty_object(
        make_face(**face), object_id=OBJECT_ID, class_id=CLASS_ID, state=State.ACTIVE
    )


def test_ids_are_the_issuer_and_our_own_name():
    assert object_id(ISSUER, "c7nJ2vXq8LwPz4Rt") == OBJECT_ID
    assert class_id(ISSUER, "bean-club") == CLASS_ID


def test_an_object_shows_the_present_balance_as_a_number():
    assert made(tier_name="Gold") == {
        "id": OBJECT_ID,
        "classId": CLASS_ID,
        "state": "ACTIVE",
        "accountId": "LG-7F3K-1923",
        "accountName": "Household 1923",
        "loyaltyPoints": {"label": "points", "balance": {"int": 1878}},
        "barcode": {"type": "QR_CODE", "value": "LG-7F3K-1923"},
        "textModulesData": [{"id": "tier", "header": "Tier", "body": "Gold"}],
    }


def test_a_balance_beyond_32_bits_is_a_text():
    assert made(points_balance=2**31)["loyaltyPoints"]["balance"] == {"string": "2,147,483,648"}


def test_a_template_may_word_the_balance():
    words = {"label": "Balance", "balance": {"string": "{{ points.balance | number }}"}}
    card = make_card(loyaltyPoints=words)

    assert made(card=card)["loyaltyPoints"]["balance"] == {"string": "1,878"}


def test_a_card_without_points_needs_none():
    template = {key: part for key, part in OBJECT_TEMPLATE.items() if key != "loyaltyPoints"}

    assert "loyaltyPoints" not in made(card=GoogleCard({}, template, art={}))


def test_the_object_of_an_ended_membership_is_expired():
    assert made(void=True)["state"] == "EXPIRED"


def test_a_class_is_always_under_review_and_says_where_to_call_back():
    colours = Colours(Colour(1, 2, 255), Colour(255, 255, 255), Colour(9, 9, 9))
    face = make_face(terms="Be nice.", colours=colours)

    card = make_card().loyalty_class(face, class_id=CLASS_ID, callback_url=CALLBACK)

    assert card == {
        "id": CLASS_ID,
        "issuerName": "Corner Grocer",
        "programName": "Corner Grocer",
        "reviewStatus": "UNDER_REVIEW",
        "countryCode": "DE",
        "hexBackgroundColor": "#0102ff",
        "callbackOptions": {"url": CALLBACK},
        "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES",
        "programLogo": {"sourceUri": {"uri": ART["logo@3x.png"]}},
        "heroImage": {"sourceUri": {"uri": ART["strip@3x.png"]}},
        "linksModuleData": CLASS_TEMPLATE["linksModuleData"],
        "textModulesData": [{"id": "terms", "header": "Terms", "body": "Be nice."}],
    }


def test_a_class_says_nothing_of_a_member():
    with pytest.raises(PlaceholderError, match=r"unknown placeholder member\.name"):
        GoogleCard({"issuerName": "{{ member.name }}"}, {}, art={})


def test_a_class_is_the_same_for_every_member_and_language():
    one, other = (
        make_card().loyalty_class(make_face(**face), class_id=CLASS_ID, callback_url=CALLBACK)
        for face in ({}, {"member_name": "Ada", "locale": "ar", "points_balance": 7})
    )

    assert one == other


def test_only_what_differs_is_a_change():
    before = made(tier_name="Gold", expiring_points=5, expires_at=datetime(2026, 12, 1, tzinfo=UTC))
    after = made(points_balance=1900, tier_name="Gold")

    assert changes(digests(before), before) == {}
    assert changes(digests(before), after) == {
        "loyaltyPoints": {"label": "points", "balance": {"int": 1900}},
        "textModulesData": [{"id": "tier", "header": "Tier", "body": "Gold"}],
    }


def test_a_field_that_is_gone_is_taken_back():
    after = made(card=make_card(accountName="{{ card.message }}"))

    assert changes(digests(made()), after) == {"accountName": None}


def test_nothing_given_yet_means_everything_but_the_id():
    card = made()

    assert changes({}, card) == {name: value for name, value in card.items() if name != "id"}
