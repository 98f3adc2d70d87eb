"""Checks the pass.json of a card template, before a phone would."""

from collections.abc import Mapping
from typing import Any

from loyalty_graph.wallet.colours import CONTRAST_MIN, Colour, contrast, parse_colour
from loyalty_graph.wallet.template_document import Document

STYLE = "storeCard"
REQUIRED_TEXTS = ("organizationName", "description")
COLOURS = ("backgroundColor", "foregroundColor", "labelColor")
SET_PER_PASS = (
    "passTypeIdentifier",
    "teamIdentifier",
    "serialNumber",
    "authenticationToken",
    "webServiceURL",
)
SECTIONS = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields", "backFields")
BARCODE_FORMATS = tuple(f"PKBarcodeFormat{name}" for name in ("QR", "PDF417", "Aztec", "Code128"))
CHANGED_VALUE = "%@"


def check_pass(document: Document) -> None:
    """Refuse a pass.json that phones would not take, or show wrongly.

    Raises:
        TemplateError: The first thing that is wrong.
    """
    card = document.data
    if card.get("formatVersion") != 1:
        raise document.fault("formatVersion", "must be 1")
    document.check_absent(SET_PER_PASS)
    for key in REQUIRED_TEXTS:
        document.check_text(card, key, key, needed=True)
    check_colours(document, card, "", COLOURS)
    _check_barcodes(document)
    _check_fields(document)
    document.check_texts()


def check_colours(
    document: Document, holder: Mapping[str, Any], prefix: str, keys: tuple[str, ...]
) -> None:
    """Refuse colours that phones do not know, and text that cannot be read on the background.

    Raises:
        TemplateError: It is such.
    """
    found: dict[str, Colour] = {}
    for key in keys:
        colour = parse_colour(str(holder.get(key)))
        if colour is None:
            raise document.fault(f"{prefix}{key}", 'must be a colour such as "rgb(20, 56, 41)"')
        found[key] = colour
    background, *inks = keys
    for key in inks:
        ratio = contrast(found[background], found[key])
        if ratio < CONTRAST_MIN:
            raise document.fault(
                f"{prefix}{key}",
                f"has a contrast of {ratio:.2f} with the background; "
                f"text needs {CONTRAST_MIN} (WCAG 1.4.3)",
            )


def _check_barcodes(document: Document) -> None:
    for place, barcode in document.objects(document.data, "barcodes", ""):
        if barcode.get("format") not in BARCODE_FORMATS:
            raise document.fault(f"{place}.format", f"must be one of {', '.join(BARCODE_FORMATS)}")
        document.check_text(barcode, "message", f"{place}.message", needed=True)
        document.check_text(barcode, "messageEncoding", f"{place}.messageEncoding", needed=True)
        document.check_text(barcode, "altText", f"{place}.altText")


def _check_fields(document: Document) -> None:
    style = document.data.get(STYLE)
    if not isinstance(style, dict):
        raise document.fault(STYLE, "is missing; a loyalty card is a store card")
    keys: set[str] = set()
    for section in style:
        if section not in SECTIONS:
            raise document.fault(f"{STYLE}.{section}", f"is not one of {', '.join(SECTIONS)}")
        for place, entry in document.objects(style, section, f"{STYLE}."):
            _check_field(document, place, entry, keys)


def _check_field(document: Document, place: str, entry: Mapping[str, Any], keys: set[str]) -> None:
    key = entry.get("key")
    if not isinstance(key, str) or not key or key in keys:
        fault = f"{key} stands there already" if key in keys else "must be a text"
        raise document.fault(f"{place}.key", f"{fault}; every field needs its own key")
    keys.add(key)
    if "value" not in entry:
        raise document.fault(f"{place}.value", "is missing")
    for part in ("value", "label", "changeMessage"):
        document.check_text(entry, part, f"{place}.{part}")
    if CHANGED_VALUE not in entry.get("changeMessage", CHANGED_VALUE):
        raise document.fault(
            f"{place}.changeMessage", f"needs {CHANGED_VALUE}, where the new value is put"
        )
