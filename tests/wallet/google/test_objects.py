"""Classes and objects as Google gets them, and what of them has changed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty_graph.programs.rules import Branding, ProgramSettings
from loyalty_graph.wallet.google.objects import (
    GoogleCard,
    State,
    changes,
    class_id,
    digests,
    object_id,
)
from loyalty_graph.wallet.placeholders import PlaceholderError
from loyalty_graph.wallet.templates import load_template
from tests.shop import PROGRAM
from tests.wallet.google.making import CALLBACK, CLASS_ID, ISSUER, PUBLIC_URL, make_card
from tests.wallet.making import TEMPLATE, make_face

OBJECT_ID = f"{ISSUER}.c7nJ2vXq8LwPz4Rt"
SETTINGS = ProgramSettings.model_validate(PROGRAM["program"])


def made(*, card: GoogleCard | None = None, **face: object) -> dict[str, Any]:
    return (card or make_card()).loyalty_object(
        make_face(**face), object_id=OBJECT_ID, class_id=CLASS_ID, state=State.ACTIVE
    )


def test_ids_are_the_issuer_and_our_own_name():
    assert object_id(ISSUER, "c7nJ2vXq8LwPz4Rt") == OBJECT_ID
    assert class_id(ISSUER, "bean-club") == CLASS_ID


def test_an_object_shows_the_present_balance_as_a_number():
    shown = made(tier_name="Gold")

    assert (shown["id"], shown["classId"], shown["state"]) == (OBJECT_ID, CLASS_ID, "ACTIVE")
    assert shown["accountId"] == "LG-7F3K-1923"
    assert shown["loyaltyPoints"] == {"label": "points", "balance": {"int": 1878}}
    assert shown["secondaryLoyaltyPoints"] == {"label": "Tier", "balance": {"string": "Gold"}}
    assert shown["barcode"]["value"] == "LG-7F3K-1923"


def test_a_balance_beyond_32_bits_is_a_text():
    assert made(points_balance=2**31 - 1)["loyaltyPoints"]["balance"] == {"int": 2**31 - 1}
    assert made(points_balance=2**31)["loyaltyPoints"]["balance"] == {"string": "2,147,483,648"}


def test_a_template_may_word_the_balance():
    words = {"label": "Balance", "balance": {"string": "{{ points.balance | number }}"}}
    card = make_card(loyaltyPoints=words)

    assert made(card=card)["loyaltyPoints"]["balance"] == {"string": "1,878"}


def test_a_card_without_points_needs_none():
    assert "loyaltyPoints" not in made(card=make_card(loyaltyPoints=None))


def test_the_object_of_an_ended_membership_is_expired():
    assert made(void=True)["state"] == "EXPIRED"


def test_a_class_is_always_under_review_and_says_where_to_call_back():
    branding = Branding(background="rgb(1, 2, 255)", terms="Be nice.")
    settings = SETTINGS.model_copy(update={"branding": branding})

    made = make_card().loyalty_class(settings, class_id=CLASS_ID, callback_url=CALLBACK)

    digest = load_template(TEMPLATE).digest
    assert (made["id"], made["reviewStatus"]) == (CLASS_ID, "UNDER_REVIEW")
    assert made["callbackOptions"] == {"url": CALLBACK}
    assert (made["issuerName"], made["programName"]) == ("Bean Club", "Bean Club")
    assert made["hexBackgroundColor"] == "#0102ff"
    logo = f"{PUBLIC_URL}/card-art/{digest}/emblem.png"
    assert made["programLogo"]["sourceUri"] == {"uri": logo}
    [terms] = made["textModulesData"]
    assert (terms["id"], terms["header"], terms["body"]) == ("terms", "Terms", "Be nice.")
    assert terms["localizedHeader"]["defaultValue"] == {"language": "en", "value": "Terms"}


def test_a_class_says_nothing_of_a_member():
    template = replace(load_template(TEMPLATE), google_class={"issuerName": "{{ member.name }}"})

    with pytest.raises(PlaceholderError, match=r"unknown placeholder member\.name"):
        GoogleCard(template, public_url=PUBLIC_URL)


def test_only_what_differs_is_a_change():
    before = made(tier_name="Gold", expiring_points=5, expires_at=datetime(2026, 12, 1, tzinfo=UTC))
    after = made(points_balance=1900, tier_name="Gold")

    assert changes(digests(before), before) == {}
    assert changes(digests(before), after) == {
        "loyaltyPoints": {"label": "points", "balance": {"int": 1900}},
        "textModulesData": after["textModulesData"],
    }


def test_a_field_that_is_gone_is_taken_back():
    after = made(card=make_card(accountName="{{ card.message }}"))

    assert changes(digests(made()), after) == {"accountName": None}


def test_nothing_given_yet_means_everything_but_the_id():
    card = made()

    assert changes({}, card) == {name: value for name, value in card.items() if name != "id"}
