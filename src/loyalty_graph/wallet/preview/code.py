"""Draws the code of a card, to be scanned; of codes that are not square only the name."""

from loyalty_graph.wallet.preview.canvas import Align, Box, Canvas, Ink

DRAWN = "QR"
SOFT = "#6c6c70"


def draw_code(canvas: Canvas, message: str, kind: str, box: Box) -> None:
    """Draw a QR code; where there is none, say what a phone would draw there."""
    if kind == DRAWN and canvas.code(message, box):
        return
    middle, size = box.x + box.width / 2, Ink(13, SOFT)
    canvas.text(middle, box.y + box.height / 2, f"{kind} code", size, box.width, Align.MIDDLE)
