"""The parts that cards of both platforms are made of: rows of fields, lists of details."""

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty_graph.wallet.preview.canvas import Align, Box, Canvas, Ink
from loyalty_graph.wallet.preview.texts import lines_of, shares, width_of

LINES_MAX = 60
LINE_HEIGHT = 1.35
SIZE_STEP = 0.5
BLEED = 1.1
"""How far a line of a paragraph may run into the margin: stretched lines would look uneven."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A field of a card, and where it stands in its room."""

    label: str
    value: str
    align: Align = Align.START


@dataclass(frozen=True, slots=True)
class Row:
    """How a row of fields is written, and how far apart they are at least."""

    label: Ink
    value: Ink
    label_at: float
    value_at: float
    gap: float = 14

    def wanted(self, field: Shown, *, value_size: float) -> float:
        """Return how wide a field is with its value in a size."""
        return max(
            width_of(field.label, self.label.size, self.label.weight),
            width_of(field.value, value_size, self.value.weight),
        )

    def fitted(self, fields: Sequence[Shown], room: float) -> tuple[float, list[float]]:
        """Return the largest size at which all values fit, else the smallest, and the widths."""
        size = self.value.size
        while True:
            wanted = [self.wanted(field, value_size=size) for field in fields]
            if sum(wanted) <= room or size <= self.value.smallest:
                return size, wanted
            size -= SIZE_STEP


def draw_row(
    canvas: Canvas, fields: Sequence[Shown], row: Row, *, x: float, y: float, width: float
) -> None:
    """Draw fields from edge to edge; when they are too wide, values shrink before they are cut."""
    if not fields:
        return
    room = width - row.gap * (len(fields) - 1)
    size, wanted = row.fitted(fields, room)
    given = shares(wanted, room)
    between = (room - sum(given)) / (len(fields) - 1) if len(fields) > 1 else 0
    if len(fields) == 1:
        given = [room]
    value = Ink(size, row.value.fill, row.value.weight, opacity=row.value.opacity)
    for field, space in zip(fields, given, strict=True):
        at = x + {Align.START: 0, Align.MIDDLE: space / 2, Align.END: space}[field.align]
        canvas.text(at, y + row.label_at, field.label, row.label, space + between, field.align)
        canvas.text(at, y + row.value_at, field.value, value, space + between, field.align)
        x += space + row.gap + between


class Details:
    """A list of labels, each with whatever belongs to it, of any length."""

    def __init__(
        self, fields: Sequence[Shown], *, width: float, label: Ink, value: Ink, padding: float
    ) -> None:
        self._width, self._label, self._value, self._padding = width, label, value, padding
        self._entries = [
            (field.label, lines_of(field.value, width, value.size, most=LINES_MAX))
            for field in fields
        ]

    @property
    def height(self) -> float:
        """Return how much room the list takes."""
        return sum(self._height(label, lines) for label, lines in self._entries)

    def draw(self, canvas: Canvas, *, x: float, y: float, rule: str) -> None:
        """Draw the list, with a rule between its entries."""
        for index, (label, lines) in enumerate(self._entries):
            if index:
                canvas.box(Box(x, y, self._width, 0.5), fill=rule)
            at = y + self._padding
            if label:
                canvas.text(x, at + self._label.size, label, self._label, self._width)
                at += self._label.size * LINE_HEIGHT
            for line in lines:
                canvas.text(x, at + self._value.size, line, self._value, self._width * BLEED)
                at += self._value.size * LINE_HEIGHT
            y += self._height(label, lines)

    def _height(self, label: str, lines: Sequence[str]) -> float:
        of_label = self._label.size if label else 0
        return 2 * self._padding + LINE_HEIGHT * (of_label + self._value.size * len(lines))
