"""Draws a pass on the terminal: its colours, its fields, a code that a till can scan."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import segno
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from loyalty_graph.sandbox.device_passes import HeldPass
from loyalty_graph.wallet.colours import parse_colour

WIDTH = 48
MARGIN = 2
ROOM = WIDTH - 2 * MARGIN
QUIET_ZONE = 4  # modules, as ISO/IEC 18004 asks
QR = "PKBarcodeFormatQR"
RIGHT = "PKTextAlignmentRight"
CENTRE = "PKTextAlignmentCenter"
NOW_ROWS = ("secondaryFields", "auxiliaryFields")
# Two rows of modules in one line of text: upper and lower half, each dark or light.
HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def draw_pass(held: HeldPass, console: Console) -> None:
    """Draw the front of a pass, and below it what its back says."""
    card = held.card
    ground = _colour(card.get("backgroundColor"), "bgcolor")
    ink = ground + _colour(card.get("foregroundColor"), "color")
    label = ground + _colour(card.get("labelColor"), "color")
    for line in _front(held, ink, label):
        console.print(Text.assemble("  ", line), soft_wrap=True)
    console.print()
    for field in held.fields("backFields"):
        console.print(
            Text.assemble(
                (f"  {field.get('label', ''):<14} ", "bold"), field["value"].replace("\n", " ")
            )
        )
    version = "as it was added" if held.versions == 1 else f"version {held.versions}"
    console.print(f"  [dim]{held.serial}, {version}, {held.updated_at:%Y-%m-%d %H:%M:%S} UTC[/]")


def _front(held: HeldPass, ink: Style, label: Style) -> Iterator[Text]:
    blank = Text(" " * WIDTH, ink)
    yield blank
    yield from _top(held, ink, label)
    yield blank
    for field in held.fields("primaryFields"):
        yield _line(Text(_upper(field), label))
        yield _line(Text(field["value"], ink + Style(bold=True)))
        yield blank
    for section in NOW_ROWS:
        if fields := held.fields(section):
            yield from _row(fields, ink, label)
            yield blank
    if held.card.get("voided"):
        yield _line(Text("VOID: this card is no longer valid", ink + Style(bold=True)))
        yield blank
    yield from _code(held, ink)


def _top(held: HeldPass, ink: Style, label: Style) -> Iterator[Text]:
    """Yield the pass's name on the left, and the header fields on the right."""
    headers = held.fields("headerFields")
    above, below = Text(" ", ink), Text(held.name, ink + Style(bold=True))
    right = [Text("  ".join(map(_upper, headers)), label)]
    right.append(Text("  ".join(field["value"] for field in headers), ink))
    for left, end in zip((above, below), right, strict=True):
        yield _line(_between(left, end, ROOM, ink))


def _row(fields: Sequence[dict[str, Any]], ink: Style, label: Style) -> Iterator[Text]:
    """Yield labels and values of fields side by side, each in a column of its own."""
    width = ROOM // len(fields)
    for style, text_of in ((label, _upper), (ink, lambda field: field["value"])):
        line = Text(end="")
        for field in fields:
            cell = Text(text_of(field).replace("\n", " "), style)
            align = {RIGHT: "right", CENTRE: "center"}.get(field.get("textAlignment", ""), "left")
            last = field is fields[-1]
            cell.truncate(width if last else width - 1, overflow="ellipsis")
            cell.align(align, width)  # type: ignore[arg-type] # one of its literals
            line.append_text(cell)
        yield _line(_filled(line, ROOM, ink))


def _code(held: HeldPass, ink: Style) -> Iterator[Text]:
    barcodes = held.card.get("barcodes") or []
    if not barcodes:
        return
    message, alt = barcodes[0]["message"], barcodes[0].get("altText")
    lines = list(_qr(message)) if barcodes[0]["format"] == QR else [Text(message, ink)]
    for line in lines:
        yield _line(_centred(line, ink))
    if alt:
        yield _line(_centred(Text(alt, ink), ink))
    yield Text(" " * WIDTH, ink)


def _qr(message: str) -> Iterator[Text]:
    """Yield a QR code, black on white; `make_qr`, since no till reads the Micro QR of `make`."""
    rows = [[bool(dark) for dark in row] for row in segno.make_qr(message, error="m").matrix]
    side = len(rows[0]) + 2 * QUIET_ZONE
    edge = [[False] * side] * QUIET_ZONE
    padding = [False] * QUIET_ZONE
    whole = [*edge, *([*padding, *row, *padding] for row in rows), *edge]
    style = Style(color="#000000", bgcolor="#ffffff")
    for upper, lower in zip_longest(whole[::2], whole[1::2], fillvalue=[False] * side):
        yield Text("".join(HALVES[pair] for pair in zip(upper, lower, strict=True)), style)


def _colour(text: str | None, part: str) -> Style:
    found = parse_colour(text) if text else None
    return Style() if found is None else Style.parse(f"{'on ' * (part == 'bgcolor')}{found.hex}")


def _upper(field: dict[str, Any]) -> str:
    return str(field.get("label", "")).upper()


def _line(content: Text) -> Text:
    """Return a whole line of the card: what it says between two margins."""
    ground = Style(bgcolor=_ground(content))
    content = _filled(content, ROOM, ground)
    margin = Text(" " * MARGIN, ground)
    return Text.assemble(margin, content, margin)


def _ground(content: Text) -> Any:
    spans = [span.style for span in content.spans] + [content.style]
    return next((one.bgcolor for one in spans if isinstance(one, Style) and one.bgcolor), None)


def _filled(content: Text, width: int, style: Style) -> Text:
    whole = Text(end="")
    whole.append_text(content)
    whole.truncate(width, overflow="ellipsis")
    whole.append(" " * max(0, width - cell_len(whole.plain)), style)
    return whole


def _between(left: Text, right: Text, width: int, style: Style) -> Text:
    left = left.copy()
    left.truncate(max(1, width - cell_len(right.plain) - 1), overflow="ellipsis")
    gap = max(1, width - cell_len(left.plain) - cell_len(right.plain))
    return Text.assemble(left, (" " * gap, style), right)


def _centred(content: Text, style: Style) -> Text:
    left = max(0, ROOM - cell_len(content.plain)) // 2
    return Text.assemble((" " * left, style), content)
