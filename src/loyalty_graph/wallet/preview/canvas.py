"""A sheet to draw on: it writes SVG that needs nothing else, and turns itself for Arabic."""

import base64
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import NamedTuple, TypeVar

import segno

from loyalty_graph.wallet.locales import Script
from loyalty_graph.wallet.preview.texts import (
    is_right_to_left,
    printable,
    shortened,
    size_for,
    width_of,
)

FONTS = (
    "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Inter, 'Noto Sans', "
    "'Noto Sans Arabic', system-ui, sans-serif"
)
REGULAR = 400
NEARLY_FULL = 0.85
"""From here on a wider font than those `texts` knows could overflow: DejaVu Sans by up to 16 %."""
SCALES = {"@2x": 2, "@3x": 3, "": 1}
"""Which file of an image is drawn: sharp on most screens, and not three times as long."""


Value = TypeVar("Value")


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Align(StrEnum):
    """Where a text stands, as its line is read."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True, slots=True)
class Ink:
    """How a text is written; where it is too wide, down to the size `smallest`."""

    size: float
    fill: str
    weight: int = REGULAR
    smallest: float = 0
    opacity: float = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, and its size in points."""

    data: bytes
    width: float
    height: float

    @classmethod
    def of(cls, data: bytes, scale: int) -> "Picture":
        """Return a PNG image of a checked template. Source: PNG specification, IHDR."""
        width, height = struct.unpack(">II", data[16:24])
        return cls(data, width / scale, height / scale)

    def within(self, width: float, height: float) -> tuple[float, float]:
        """Return its size in a box, with its own proportions and never enlarged."""
        scale = min(1, width / self.width, height / self.height)
        return self.width * scale, self.height * scale


def picture(images: Mapping[str, bytes], name: str) -> Picture | None:
    """Return an image of a template by its name without scale, such as `logo`."""
    for suffix, scale in SCALES.items():
        data = images.get(f"{name}{suffix}.png")
        if data is not None:
            return Picture.of(data, scale)
    return None


class Canvas:
    """Gathers shapes. Positions count from the side where lines begin, in points.

    On a card that is read from the right, everything but the pictures themselves is mirrored.
    `name` tells its parts from those of other drawings in one page.
    """

    def __init__(self, width: float, *, name: str, locale: str) -> None:
        self.width, self.locale, self._name = width, locale, name
        self._mirrored = Script(locale).is_right_to_left
        self._parts: list[str] = []

    def box(self, box: Box, *, fill: str, radius: float = 0, opacity: float = 1) -> None:
        """Draw a rectangle."""
        self._add(
            "rect",
            **self._placed(box),
            rx=radius or None,
            fill=fill,
            fill_opacity=_unless(1, opacity),
        )

    def text(
        self, x: float, y: float, text: str, ink: Ink, width: float, align: Align = Align.START
    ) -> None:
        """Write one line; what is too wide becomes smaller, and is cut off in the end.

        A line that nearly fills its room is told how wide it is, whatever the font.
        """
        size = size_for(
            text, width, size=ink.size, smallest=ink.smallest or ink.size, weight=ink.weight
        )
        line = shortened(printable(text), width, size, ink.weight)
        if not line:
            return
        wide = width_of(line, size, ink.weight)
        right_to_left = is_right_to_left(line)
        at_right = (align is Align.END) != self._mirrored
        anchor = Align.END if at_right != right_to_left else Align.START
        self._add(
            "text",
            escape(line, quote=False),
            x=self.width - x if self._mirrored else x,
            y=y,
            font_size=size,
            font_weight=_unless(REGULAR, ink.weight),
            fill=ink.fill,
            fill_opacity=_unless(1, ink.opacity),
            text_anchor=_unless(Align.START, Align.MIDDLE if align is Align.MIDDLE else anchor),
            direction="rtl" if right_to_left else None,
            textLength=wide if wide > width * NEARLY_FULL else None,
            lengthAdjust="spacingAndGlyphs" if wide > width * NEARLY_FULL else None,
        )

    def image(
        self, picture: Picture, box: Box, *, clip: str | None = None, fills: bool = False
    ) -> None:
        """Draw an image into a box: whole within it, or filling it, cut off at its edges."""
        data = base64.b64encode(picture.data).decode()
        self._add(
            "image",
            **self._placed(box),
            preserveAspectRatio="xMidYMid slice" if fills else None,
            clip_path=clip,
            href=f"data:image/png;base64,{data}",
        )

    def code(self, message: str, box: Box) -> bool:
        """Draw a QR code, without the quiet zone around it; False when none can hold so much."""
        try:
            matrix = segno.make_qr(message, error="m").matrix
        except segno.DataOverflowError:
            return False
        placed = self._placed(box)
        runs = "".join(
            f"M{start} {row}h{length}v1h-{length}z"
            for row, modules in enumerate(matrix)
            for start, length in _runs(modules)
        )
        scale = placed["width"] / len(matrix)
        self._add(
            "path",
            transform=f"translate({placed['x']:g} {placed['y']:g}) scale({scale:.5g})",
            fill="#000000",
            shape_rendering="crispEdges",
            d=runs,
        )
        return True

    @contextmanager
    def faded(self, opacity: float) -> Iterator[None]:
        """Draw what follows with less colour."""
        self._parts.append(f'<g opacity="{opacity:g}">' if opacity < 1 else "<g>")
        yield
        self._parts.append("</g>")

    def clip(self, box: Box, radius: float) -> str:
        """Return a clip path with round corners."""
        name = f"{self._name}-{len(self._parts)}"
        inside = _attributes(**self._placed(box), rx=radius)
        self._parts.append(f'<clipPath id="{name}"><rect{inside}/></clipPath>')
        return f"url(#{name})"

    def svg(self, height: float, *, title: str, ground: str, radius: float) -> str:
        """Return the drawing upon its ground; equal drawings are equal texts.

        A thin edge shows the card on a page of its own colour.
        """
        width = self.width
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img" '
            f'xml:lang="{escape(self.locale.replace("_", "-"))}" font-family="{escape(FONTS)}">'
            f"<title>{escape(printable(title), quote=False)}</title>"
            f'<rect width="{width:g}" height="{height:g}" rx="{radius:g}" fill="{escape(ground)}"/>'
            f"{''.join(self._parts)}"
            f'<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" '
            f'rx="{radius - 0.5:g}" fill="none" stroke="#000" stroke-opacity=".12"/></svg>\n'
        )

    def _placed(self, box: Box) -> dict[str, float]:
        left = self.width - box.x - box.width if self._mirrored else box.x
        return {"x": left, "y": box.y, "width": box.width, "height": box.height}

    def _add(self, name: str, content: str = "", /, **attributes: str | float | None) -> None:
        start = f"<{name}{_attributes(**attributes)}"
        self._parts.append(f"{start}>{content}</{name}>" if content else f"{start}/>")


def _attributes(**attributes: str | float | None) -> str:
    return "".join(
        f' {key.replace("_", "-")}="{_written(value)}"'
        for key, value in attributes.items()
        if value is not None
    )


def _written(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{round(value, 2):g}"


def _unless(usual: Value, value: Value) -> Value | None:
    """Return a value that has to be written, since it is not the usual one."""
    return None if value == usual else value


def _runs(modules: bytearray) -> Iterator[tuple[int, int]]:
    """Yield start and length of each run of dark modules in a row."""
    start = None
    for index, dark in enumerate([*modules, 0]):
        if dark and start is None:
            start = index
        elif not dark and start is not None:
            yield start, index - start
            start = None
