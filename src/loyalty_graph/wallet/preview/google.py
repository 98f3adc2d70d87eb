"""Draws a loyalty card as Google Wallet does: the front, and the list of details below it.

Sizes in density-independent pixels. Source: Google Wallet, loyalty cards, template definition and
REST resources loyaltyclass and loyaltyobject. Google picks dark or light text by the ground.
"""

from collections.abc import Sequence

from loyalty_graph.wallet.colours import Colour, contrast
from loyalty_graph.wallet.preview.canvas import Align, Box, Canvas, Ink
from loyalty_graph.wallet.preview.code import draw_code
from loyalty_graph.wallet.preview.fields import Details, Row, Shown, draw_row
from loyalty_graph.wallet.preview.google_values import LoyaltyCard

WIDTH, HEIGHT, RADIUS = 375, 500, 24
EDGE, INSIDE = 20, 375 - 2 * 20
LOGO, TITLE = 40, 78
HEADING = 52
ROW = 60
CODE, CODE_EDGE, CODE_TEXT, CODE_RADIUS = 148, 16, 24, 16
FADED = 0.45
LIGHT, DARK = Colour(255, 255, 255), Colour(32, 33, 36)
INK, SOFT, RULE, PAPER = "#202124", "#5f6368", "#dadce0", "#ffffff"


def draw_front(card: LoyaltyCard, canvas: Canvas) -> str:
    """Return the front of a card."""
    ground = card.background
    light = contrast(ground, LIGHT) >= contrast(ground, DARK)
    ink = str(LIGHT if light else DARK)
    with canvas.faded(FADED if card.is_over else 1):
        _title(card, canvas, ink)
        canvas.box(Box(EDGE, TITLE, INSIDE, 1), fill=ink, opacity=0.2)
        canvas.text(EDGE, TITLE + 36, card.program_name, Ink(24, ink, smallest=16), INSIDE)
        y = _rows(card.rows, canvas, ink)
        y = _code(card, canvas, ink, y)
        height = _hero(card, canvas, y)
    return canvas.svg(height, title=card.program_name, ground=str(ground), radius=RADIUS)


def draw_details(card: LoyaltyCard, canvas: Canvas) -> str:
    """Return the list of details that a phone shows below a card."""
    top = TITLE
    _title(card, canvas, INK)
    canvas.box(Box(0, top - 1, WIDTH, 1), fill=RULE)
    details = Details(
        card.details, width=INSIDE, label=Ink(14, INK, 600), value=Ink(14, SOFT), padding=12
    )
    details.draw(canvas, x=EDGE, y=top, rule=RULE)
    height = max(HEIGHT, top + details.height + EDGE)
    return canvas.svg(height, title=card.program_name, ground=PAPER, radius=RADIUS)


def _title(card: LoyaltyCard, canvas: Canvas, ink: str) -> None:
    at = EDGE
    if card.logo is not None:
        box = Box(EDGE, (TITLE - LOGO) / 2, LOGO, LOGO)
        canvas.image(card.logo, box, clip=canvas.clip(box, LOGO / 2), fills=True)
        at += LOGO + 12
    canvas.text(at, TITLE / 2 + 6, card.issuer_name, Ink(16, ink, 500, 12), WIDTH - EDGE - at)


def _rows(rows: Sequence[Sequence[Shown]], canvas: Canvas, ink: str) -> float:
    y = float(TITLE + HEADING)
    style = Row(Ink(13, ink, opacity=0.8), Ink(18, ink, 500, 12), 16, 40)
    for row in rows:
        last = len(row) - 1
        ended = [
            Shown(one.label, one.value, Align.END if 0 < index == last else one.align)
            for index, one in enumerate(row)
        ]
        draw_row(canvas, ended, style, x=EDGE, y=y, width=INSIDE)
        y += ROW
    return y


def _code(card: LoyaltyCard, canvas: Canvas, ink: str, y: float) -> float:
    """Draw the code; return where it ends."""
    if card.code is None:
        return y
    size = CODE + 2 * CODE_EDGE
    left, y = (WIDTH - size) / 2, y + 4
    canvas.box(Box(left, y, size, size), fill=PAPER, radius=CODE_RADIUS)
    box = Box(left + CODE_EDGE, y + CODE_EDGE, CODE, CODE)
    draw_code(canvas, card.code.message, card.code.kind, box)
    y += size
    if card.code.below:
        canvas.text(WIDTH / 2, y + 20, card.code.below, Ink(14, ink), INSIDE, Align.MIDDLE)
        y += CODE_TEXT
    return y


def _hero(card: LoyaltyCard, canvas: Canvas, y: float) -> float:
    """Draw the hero image along the lower edge; return the height of the card."""
    if card.hero is None:
        return max(HEIGHT, y + EDGE)
    high = WIDTH * card.hero.height / card.hero.width
    top = max(y + EDGE, HEIGHT - high)
    clip = canvas.clip(Box(0, top - RADIUS, WIDTH, high + RADIUS), RADIUS)
    canvas.image(card.hero, Box(0, top, WIDTH, high), clip=clip)
    return top + high
