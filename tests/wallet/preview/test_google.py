"""What of a LoyaltyClass and a LoyaltyObject is seen on Google's card."""

from collections.abc import Mapping
from typing import Any

import pytest

from loyalty_graph.wallet.preview import google
from loyalty_graph.wallet.preview.canvas import Canvas
from loyalty_graph.wallet.preview.fields import Shown
from loyalty_graph.wallet.preview.google_values import Code, LoyaltyCard
from loyalty_graph.wallet.templates import Template
from tests.wallet.preview.drawn import parsed, scanned, text, texts

CLASS: Mapping[str, Any] = {"issuerName": "Corner", "programName": "Grocer"}
OBJECT: Mapping[str, Any] = {"accountId": "4821", "accountName": "Ada", "state": "ACTIVE"}


def card(
    of_class: Mapping[str, Any] | None = None,
    of_object: Mapping[str, Any] | None = None,
    *,
    images: Mapping[str, bytes] | None = None,
    locale: str = "en_US",
) -> LoyaltyCard:
    return LoyaltyCard(
        {**CLASS, **(of_class or {})}, {**OBJECT, **(of_object or {})}, images or {}, locale
    )


def translated(text: str, **languages: str) -> dict[str, Any]:
    return {
        "defaultValue": {"language": "en", "value": text},
        "translatedValues": [{"language": key, "value": one} for key, one in languages.items()],
    }


@pytest.mark.parametrize(
    ("case", "balance", "shown"),
    [
        ("a number", {"int": 12_345}, "12,345"),
        ("Google's text of a number", {"int": "12345"}, "12,345"),
        ("a text", {"string": "7 of 10"}, "7 of 10"),
        ("money", {"money": {"micros": "12340000", "currencyCode": "EUR"}}, "€12.34"),
    ],
)
def test_a_balance_is_written_as_people_do(case: str, balance: Mapping[str, Any], shown: str):
    seen = card(of_object={"loyaltyPoints": {"label": "points", "balance": balance}})

    assert seen.rows == [[Shown("points", shown)]]


def test_without_a_template_points_and_tier_stand_in_one_row():
    points = {"label": "points", "balance": {"int": 7}}
    more = {"label": "credit", "balance": {"string": ""}}
    given = {"loyaltyPoints": points, "secondaryLoyaltyPoints": more}

    seen = card({"rewardsTier": "Gold", "rewardsTierLabel": "Level"}, given)

    assert seen.rows == [[Shown("points", "7"), Shown("Level", "Gold")]]
    assert card().rows == []


def test_the_rows_of_a_class_are_drawn_in_its_order():
    fields = [
        {"firstValue": {"fields": [{"fieldPath": path}]}}
        for path in (
            "object.textModulesData['since']",
            "object.textModulesData['absent']",
            "object.accountName",
        )
    ]
    row = dict(zip(("startItem", "middleItem", "endItem"), fields, strict=True))
    template = {"cardTemplateOverride": {"cardRowTemplateInfos": [{"threeItems": row}]}}
    since = {"id": "since", "header": "Since", "body": "2024"}

    seen = card({"classTemplateInfo": template}, {"textModulesData": [since]})

    assert seen.rows == [[Shown("Since", "2024"), Shown("Member name", "Ada")]]


def test_details_tell_messages_account_texts_and_links():
    seen = card(
        {
            "accountIdLabel": "Number",
            "textModulesData": [{"id": "terms", "header": "Terms", "body": "None."}],
            "linksModuleData": {"uris": [{"description": "Shop", "uri": "https://shop.example"}]},
        },
        {"messages": [{"header": "Hello", "body": "Welcome!"}]},
    )

    assert seen.details == [
        Shown("Hello", "Welcome!"),
        Shown("Member name", "Ada"),
        Shown("Number", "4821"),
        Shown("Terms", "None."),
        Shown("Shop", "https://shop.example"),
    ]


def test_a_class_can_choose_its_details():
    item = {"item": {"firstValue": {"fields": [{"fieldPath": "object.accountId"}]}}}
    template = {"detailsTemplateOverride": {"detailsItemInfos": [item]}}

    assert card({"classTemplateInfo": template}).details == [Shown("Member ID", "4821")]


@pytest.mark.parametrize(
    ("locale", "name"),
    [("en_GB", "Grocer"), ("de_AT", "Krämer"), ("pt_BR", "Mercearia"), ("fr", "Grocer")],
)
def test_texts_are_in_the_language_of_the_card(locale: str, name: str):
    seen = card(
        {"localizedProgramName": translated("Grocer", de="Krämer", pt="Mercearia")}, locale=locale
    )

    assert seen.program_name == name


@pytest.mark.parametrize(
    ("ground", "ink"), [("#12362a", "255, 255, 255"), ("#ffe9a8", "32, 33, 36")]
)
def test_the_text_is_light_or_dark_as_the_ground_asks(ground: str, ink: str):
    seen = card({"hexBackgroundColor": ground})

    svg = google.draw_front(seen, Canvas(google.WIDTH, name="c", locale="en"))

    assert text(svg, "Grocer").attrib["fill"] == f"rgb({ink})"


def test_a_card_without_pictures_and_without_a_code_is_drawn(card_template: Template):
    art = {"sourceUri": {"uri": "https://elsewhere.example/none.png"}}

    svg = google.draw_front(
        card({"programLogo": art, "heroImage": art}, images=card_template.images),
        Canvas(google.WIDTH, name="c", locale="en"),
    )

    assert texts(svg) == ["Corner", "Grocer"]
    assert scanned(svg) is None
    assert (parsed(svg).attrib["width"], parsed(svg).attrib["height"]) == ("375", "500")


def test_other_codes_are_named():
    barcode = {"type": "PDF_417", "value": "4821", "alternateText": "48 21"}
    seen = card(of_object={"barcode": barcode})

    svg = google.draw_front(seen, Canvas(google.WIDTH, name="c", locale="en"))

    assert seen.code == Code("4821", "PDF417", "48 21")
    assert texts(svg)[2:] == ["PDF417 code", "48 21"]


@pytest.mark.parametrize("state", ["EXPIRED", "INACTIVE", "COMPLETED"])
def test_a_card_that_is_over_looks_so(state: str):
    assert card(of_object={"state": state}).is_over
    assert not card().is_over
