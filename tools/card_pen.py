"""How pictures of cards are drawn: gradients, inks that fade, and PNG files in few colours."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

Point = tuple[float, float]
Ink = tuple[int, int, int]
Pen = ImageDraw.ImageDraw
SCALES = {"": 1, "@2x": 2, "@3x": 3}
OVERSAMPLING = 4
CURVE_STEPS = 48
FADE_STEPS = 16


def gradient(size: tuple[int, int], start: Ink, end: Ink, *, slope: float) -> Image.Image:
    """Return a soft change from the upper left to the lower right; `slope` tilts it."""
    width, height = 64, 64
    mask = Image.new("L", (width, height))
    mask.putdata(
        [
            round(255 * min(1.0, (x / width + slope * y / height) / (1 + slope)))
            for y in range(height)
            for x in range(width)
        ]
    )
    full = mask.resize(size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", size, end), Image.new("RGB", size, start), full)


def lay(
    image: Image.Image, draw: Callable[[Pen], object], ink: Ink, strength: int, *, fade: bool = True
) -> None:
    """Lay an ink over the image where `draw` paints; `fade` keeps the left third calm."""
    mask = Image.new("L", image.size, 0)
    draw(ImageDraw.Draw(mask))
    shade = Image.new("L", (FADE_STEPS, 1))
    shade.putdata(
        [
            round(strength * (min(1.0, max(0.0, (step - 4) / 9)) if fade else 1))
            for step in range(FADE_STEPS)
        ]
    )
    mask = ImageChops.multiply(mask, shade.resize(image.size, Image.Resampling.BICUBIC))
    image.paste(ink, (0, 0), mask)


def round_line(pen: Pen, points: Sequence[Point], width: float, fill: object = 255) -> None:
    """Draw a line with round joints."""
    pen.line(list(points), fill=fill, width=max(1, round(width)), joint="curve")  # type: ignore[arg-type] # an ink or a strength


def circle(centre: Point, radius: float) -> tuple[float, float, float, float]:
    """Return the box of a circle."""
    x, y = centre
    return (x - radius, y - radius, x + radius, y + radius)


def turned(outline: Sequence[Point], centre: Point, degrees: float) -> list[Point]:
    """Return an outline around the origin, turned and moved to a centre."""
    turn = math.radians(degrees)
    return [
        (
            centre[0] + x * math.cos(turn) - y * math.sin(turn),
            centre[1] + x * math.sin(turn) + y * math.cos(turn),
        )
        for x, y in outline
    ]


def disc(side: int, inset: float, light: Ink, dark: Ink) -> Image.Image:
    """Return a disc on nothing."""
    image = Image.new("RGBA", (side, side), (*dark, 0))
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse((inset, inset, side - inset, side - inset), fill=255)
    image.paste(gradient((side, side), light, dark, slope=1.0), (0, 0), mask)
    return image


def save(image: Image.Image, path: Path, colours: int) -> int:
    """Write an image drawn larger, at its size and in so many colours; return its bytes."""
    size = (image.width // OVERSAMPLING, image.height // OVERSAMPLING)
    small = image.resize(size, Image.Resampling.BOX)
    if small.mode != "RGBA":  # the palette method for transparent images leaves bands
        method, dither = Image.Quantize.MEDIANCUT, Image.Dither.NONE
        small = small.quantize(colours, method=method, kmeans=3, dither=dither)
    small.save(path, optimize=True)
    return path.stat().st_size
