"""The door of the previews: one member's card, on either platform, from either side."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.colours import parse_colour
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.preview import apple, google
from loyalty_graph.wallet.preview.canvas import Canvas
from loyalty_graph.wallet.preview.google_values import LoyaltyCard
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import STYLE

NAME_CHARACTERS = 10


class Side(StrEnum):
    """Which side of a card; the back is the list of details that a phone shows."""

    FRONT = "FRONT"
    BACK = "BACK"


def preview(face: CardFace, printer: CardPrinter, *, platform: Platform, side: Side) -> str:
    """Return one side of a card as SVG that stands alone: no scripts, no styles, nothing fetched.

    Equal cards give equal texts. What people typed is escaped.
    """
    card = printer.card(face, serial_number="")
    images = printer.template.images
    seen = json.dumps([card, printer.template.digest, platform, side, face.locale])
    name = f"card-{hashlib.sha256(seen.encode()).hexdigest()[:NAME_CHARACTERS]}"
    if platform is Platform.APPLE:
        canvas = Canvas(apple.WIDTH, name=name, locale=face.locale)
        draw = apple.draw_front if side is Side.FRONT else apple.draw_back
        return draw(card, images, canvas)
    of_google = LoyaltyCard(*_google(card, face), images, face.locale)
    canvas = Canvas(google.WIDTH, name=name, locale=face.locale)
    draw_side = google.draw_front if side is Side.FRONT else google.draw_details
    return draw_side(of_google, canvas)


def _google(card: Mapping[str, Any], face: CardFace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the class and the object that say what pass.json says."""
    style = card[STYLE]
    ground = parse_colour(card["backgroundColor"])
    assert ground is not None, "a template's colours were checked when it was read"
    back = [
        {"id": one["key"], "header": one.get("label", ""), "body": one["value"]}
        for one in style.get("backFields", ())
    ]
    [first] = style["primaryFields"]
    balance = {"label": first.get("label", ""), "balance": {"string": first["value"]}}
    codes = [
        {"type": "QR_CODE", "value": one["message"], "alternateText": one.get("altText", "")}
        for one in card.get("barcodes", ())
    ]
    loyalty_class = {
        "issuerName": card["organizationName"],
        "programName": card["organizationName"],
        "programLogo": {"sourceUri": {"uri": "logo@3x.png"}},
        "heroImage": {"sourceUri": {"uri": "strip@3x.png"}},
        "hexBackgroundColor": "#" + bytes((ground.red, ground.green, ground.blue)).hex(),
        "rewardsTier": face.tier_name,
    }
    loyalty_object = {
        "accountName": face.member_name,
        "accountId": face.member_number,
        "loyaltyPoints": balance,
        "textModulesData": back,
        "barcode": codes[0] if codes else None,
        "state": "INACTIVE" if face.void else "ACTIVE",
    }
    return loyalty_class, loyalty_object
