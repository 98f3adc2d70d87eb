"""The door of the previews: one member's card, on either platform, from either side."""

import hashlib
import json
from enum import StrEnum
from typing import Any

from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.google_checks import ESSENTIAL
from loyalty_graph.wallet.locales import FALLBACK
from loyalty_graph.wallet.placeholders import compile_tree
from loyalty_graph.wallet.preview import apple, google
from loyalty_graph.wallet.preview.canvas import Canvas
from loyalty_graph.wallet.preview.google_values import LoyaltyCard
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.strings import Table, translated
from loyalty_graph.wallet.templates import STYLE, Template
from loyalty_graph.wallet.words import language

NAME_CHARACTERS = 10
READ = ("label", "value")
ACTIVE, EXPIRED = "ACTIVE", "EXPIRED"


class Side(StrEnum):
    """Which side of a card; the back is the list of details that a phone shows."""

    FRONT = "FRONT"
    BACK = "BACK"


def preview(face: CardFace, printer: CardPrinter, *, platform: Platform, side: Side) -> str:
    """Return one side of a card as SVG that stands alone: no scripts, no styles, nothing fetched.

    Equal cards give equal texts. What people typed is escaped.
    """
    languages = printer.template.languages
    table = languages.get(language(face.locale, tuple(languages)), {})
    if platform is Platform.APPLE:
        card = _as_read(printer.card(face, serial_number=""), table)
        canvas = Canvas(apple.WIDTH, name=_name(card, platform, side), locale=face.locale)
        draw = apple.draw_front if side is Side.FRONT else apple.draw_back
        return draw(card, printer.images(face), canvas)
    loyalty_class, loyalty_object = _google_card(face, printer.template, table)
    name = _name([loyalty_class, loyalty_object], platform, side)
    canvas = Canvas(google.WIDTH, name=name, locale=face.locale)
    of_google = LoyaltyCard(loyalty_class, loyalty_object, printer.template.images, face.locale)
    draw_side = google.draw_front if side is Side.FRONT else google.draw_details
    return draw_side(of_google, canvas)


def _as_read(card: dict[str, Any], table: Table) -> dict[str, Any]:
    """Return a card as a phone in this language reads it: it looks up what has a translation."""
    style = {
        section: [
            {**entry, **{key: table.get(entry[key], entry[key]) for key in READ if key in entry}}
            for entry in entries
        ]
        for section, entries in card[STYLE].items()
    }
    return {**card, STYLE: style}


def _google_card(
    face: CardFace, template: Template, table: Table
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the class and the object of one card, without what only Google needs."""
    values = template.object_values(face, public_url="")
    of_class = compile_tree(
        translated(template.google_class, table), template.class_vocabulary, essential=ESSENTIAL
    ).fill(values, FALLBACK)
    of_object = compile_tree(
        translated(template.google_object, table, wholly=True),
        template.object_vocabulary,
        essential=ESSENTIAL,
    ).fill(values, face.locale)
    return of_class, {**of_object, "state": EXPIRED if face.void else ACTIVE}


def _name(card: object, platform: Platform, side: Side) -> str:
    """Return a name that tells a drawing from others in the same page."""
    seen = json.dumps([card, platform, side])
    return f"card-{hashlib.sha256(seen.encode()).hexdigest()[:NAME_CHARACTERS]}"
