"""Draws a store card as Apple Wallet does: the front, and the list behind its button.

Sizes in points. Source: Apple, Human Interface Guidelines, Wallet: a store card has at most three
header fields, one primary field upon the strip, and, with a square code, at most four secondary and
auxiliary fields in one row; otherwise these are two rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from loyalty_graph.wallet.preview.canvas import Align, Box, Canvas, Ink, picture
from loyalty_graph.wallet.preview.code import draw_code
from loyalty_graph.wallet.preview.fields import Details, Row, Shown, draw_row
from loyalty_graph.wallet.preview.texts import capitals
from loyalty_graph.wallet.templates import STYLE

WIDTH, HEIGHT, RADIUS = 375, 500, 14
EDGE, INSIDE = 16, 375 - 2 * 16
HEADER, HEADER_FIELDS_MAX = 64, 3
LOGO, LOGO_GAP = (160, 44), 10
STRIP = 144
ROW, ROW_FIELDS_MAX = 62, 4
LIST = 84
CODE, CODE_EDGE, CODE_TEXT = 148, 14, 16
BOTTOM = 20
FADED = 0.45
SQUARE = ("PKBarcodeFormatQR", "PKBarcodeFormatAztec")
ALIGNMENTS = {
    "PKTextAlignmentCenter": Align.MIDDLE,
    "PKTextAlignmentRight": Align.END,
}
GROUND, SHEET, INK, SOFT, RULE = "#f2f2f7", "#ffffff", "#000000", "#6c6c70", "#c6c6c8"
SHEET_RADIUS = 12


def draw_front(card: Mapping[str, Any], images: Mapping[str, bytes], canvas: Canvas) -> str:
    """Return the front of a card: pass.json as data, and the images of its file."""
    with canvas.faded(FADED if card.get("voided") else 1):
        _header(card, images, canvas)
        y = _strip(card, images, canvas)
        y = _rows(card, canvas, y)
        height = _code(card, canvas, y)
    ground = card["backgroundColor"]
    return canvas.svg(height, title=card["description"], ground=ground, radius=RADIUS)


def draw_back(card: Mapping[str, Any], images: Mapping[str, bytes], canvas: Canvas) -> str:
    """Return what a phone lists behind a card's button: its back fields."""
    _heading(card, images, canvas)
    details = Details(
        _fields(card, "backFields"),
        width=INSIDE - 2 * EDGE,
        label=Ink(15, INK, 600),
        value=Ink(15, SOFT),
        padding=11,
    )
    if details.height:
        sheet = Box(EDGE, LIST, INSIDE, details.height)
        canvas.box(sheet, fill=SHEET, radius=SHEET_RADIUS)
        details.draw(canvas, x=2 * EDGE, y=LIST, rule=RULE)
    height = max(HEIGHT, LIST + details.height + EDGE)
    return canvas.svg(height, title=card["description"], ground=GROUND, radius=RADIUS)


def _heading(card: Mapping[str, Any], images: Mapping[str, bytes], canvas: Canvas) -> None:
    icon = picture(images, "icon")
    at = EDGE
    if icon is not None:
        box = Box(EDGE, 20, 44, 44)
        canvas.image(icon, box, clip=canvas.clip(box, 10))
        at += 44 + 12
    room = WIDTH - EDGE - at
    canvas.text(at, 40, card["organizationName"], Ink(17, INK, 600, 13), room)
    canvas.text(at, 59, card["description"], Ink(13, SOFT, smallest=11), room)


def _header(card: Mapping[str, Any], images: Mapping[str, bytes], canvas: Canvas) -> None:
    at = float(EDGE)
    logo = picture(images, "logo")
    if logo is not None:
        width, height = logo.within(*LOGO)
        canvas.image(logo, Box(at, (HEADER - height) / 2, width, height))
        at += width + LOGO_GAP
    row = Row(_label(card), Ink(18, card["foregroundColor"], smallest=13), 25, 46)
    fields = _capitalised(card, "headerFields", canvas)[:HEADER_FIELDS_MAX]
    room = WIDTH - EDGE - at
    text = card.get("logoText", "")
    wanted = sum(row.wanted(one, value_size=row.value.size) + row.gap for one in fields)
    of_fields = min(wanted, room * 0.55 if text else room)
    aligned = [Shown(one.label, one.value, Align.END) for one in fields]
    start = WIDTH - EDGE - of_fields + row.gap
    draw_row(canvas, aligned, row, x=start, y=0, width=of_fields - row.gap)
    ink = Ink(17, card["foregroundColor"], 600, 13)
    canvas.text(at, 38, text, ink, room - of_fields)


def _strip(card: Mapping[str, Any], images: Mapping[str, bytes], canvas: Canvas) -> float:
    """Draw the strip with the primary field upon it; return where it ends."""
    strip = picture(images, "strip")
    height = float(STRIP)
    if strip is not None:
        height = WIDTH * strip.height / strip.width
        canvas.image(strip, Box(0, HEADER, WIDTH, height))
    fields = _fields(card, "primaryFields")[:1]
    for field in fields:
        value = Ink(54, card["foregroundColor"], 300, 22)
        canvas.text(EDGE, HEADER + height / 2 + 14, field.value, value, INSIDE)
        label = Ink(15, card["labelColor"], 500, 11)
        canvas.text(EDGE, HEADER + height / 2 + 40, field.label, label, INSIDE)
    return HEADER + height


def _rows(card: Mapping[str, Any], canvas: Canvas, y: float) -> float:
    secondary = _capitalised(card, "secondaryFields", canvas)
    auxiliary = _capitalised(card, "auxiliaryFields", canvas)
    barcodes = card.get("barcodes", ())
    in_one = bool(barcodes) and barcodes[0]["format"] in SQUARE
    rows = [[*secondary, *auxiliary]] if in_one else [secondary, auxiliary]
    style = Row(_label(card), Ink(18, card["foregroundColor"], smallest=11), 24, 46)
    for fields in rows:
        if fields:
            draw_row(canvas, fields[:ROW_FIELDS_MAX], style, x=EDGE, y=y, width=INSIDE)
            y += ROW
    return y


def _code(card: Mapping[str, Any], canvas: Canvas, y: float) -> float:
    """Draw the first code, which is the one a phone shows; return the height of the card."""
    barcodes: Sequence[Mapping[str, Any]] = card.get("barcodes", ())
    if not barcodes:
        return max(HEIGHT, y + EDGE)
    first = barcodes[0]
    below = first.get("altText", "")
    high = CODE + 2 * CODE_EDGE + (CODE_TEXT if below else 0)
    top = max(y + EDGE, HEIGHT - BOTTOM - high)
    left, wide = (WIDTH - CODE) / 2 - CODE_EDGE, CODE + 2 * CODE_EDGE
    canvas.box(Box(left, top, wide, high), fill=SHEET, radius=6)
    kind = first["format"].removeprefix("PKBarcodeFormat")
    box = Box(left + CODE_EDGE, top + CODE_EDGE, CODE, CODE)
    draw_code(canvas, first["message"], kind, box)
    middle, line = WIDTH / 2, top + high - CODE_EDGE
    canvas.text(middle, line, below, Ink(13, INK, smallest=9), wide - CODE_EDGE, Align.MIDDLE)
    return top + high + BOTTOM


def _label(card: Mapping[str, Any]) -> Ink:
    return Ink(11, card["labelColor"], 600, 8)


def _capitalised(card: Mapping[str, Any], section: str, canvas: Canvas) -> list[Shown]:
    return [
        Shown(capitals(one.label, canvas.locale), one.value, one.align)
        for one in _fields(card, section)
    ]


def _fields(card: Mapping[str, Any], section: str) -> list[Shown]:
    return [_shown(entry) for entry in card[STYLE].get(section, ())]


def _shown(entry: Mapping[str, Any]) -> Shown:
    align = ALIGNMENTS.get(entry.get("textAlignment", ""), Align.START)
    return Shown(entry.get("label", ""), entry["value"], align)
