"""Draw icon, logo and strip of the store card template; equal on every run.

Usage: python tools/draw_card_images.py [FOLDER]
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

FOLDER = Path(__file__).parents[1] / "passes" / "templates" / "store-card"
GREEN, DEEP, FRESH = (18, 54, 42), (11, 38, 30), (34, 95, 72)
GOLD, GOLD_LIGHT = (228, 184, 92), (243, 211, 138)
SCALES = {"": 1, "@2x": 2, "@3x": 3}
FOR_GOOGLE, ONE_SCALE = ("emblem", "hero"), {"": 1}
OVERSAMPLING = 4
CURVE_STEPS = 48
PALETTE_COLOURS = 192

Point = tuple[float, float]


def leaf(base: Point, angle: float, length: float, width: float) -> list[Point]:
    """Return the outline of a leaf from its base; `angle` in degrees, 0 points right, 90 up."""
    outline = [
        (along, side * width * math.sin(math.pi * along**0.85) / 2)
        for side, order in ((1, 1), (-1, -1))
        for along in [step / CURVE_STEPS for step in range(CURVE_STEPS + 1)][::order]
    ]
    turn = math.radians(-angle)
    return [
        (
            base[0] + along * length * math.cos(turn) - across * math.sin(turn),
            base[1] + along * length * math.sin(turn) + across * math.cos(turn),
        )
        for along, across in outline
    ]


def vein(base: Point, angle: float, length: float) -> list[Point]:
    """Return the middle line of a leaf, ending short of its tip."""
    turn = math.radians(-angle)
    return [
        base,
        (base[0] + 0.78 * length * math.cos(turn), base[1] + 0.78 * length * math.sin(turn)),
    ]


def draw_sprout(image: Image.Image, centre: Point, size: float, ink: tuple[int, int, int]) -> None:
    """Draw the mark: two leaves on a stem, `size` high, in one ink."""
    pen = ImageDraw.Draw(image)
    x, y = centre
    fork = (x, y + 0.14 * size)
    pen.polygon(leaf(fork, 50, 0.70 * size, 0.36 * size), fill=ink)
    pen.polygon(leaf(fork, 138, 0.52 * size, 0.30 * size), fill=ink)
    thickness = 0.085 * size
    foot = (x - 0.02 * size, y + 0.48 * size)
    pen.line([fork, foot], fill=ink, width=round(thickness))
    for end in (fork, foot):
        pen.ellipse(
            (
                end[0] - thickness / 2,
                end[1] - thickness / 2,
                end[0] + thickness / 2,
                end[1] + thickness / 2,
            ),
            fill=ink,
        )


def icon(unit: int) -> Image.Image:
    """Draw the icon, 29 points square; the phone rounds its corners."""
    side = 29 * unit
    image = gradient((side, side), FRESH, GREEN, slope=1.0)
    draw_sprout(image, (side / 2, side / 2), 0.72 * side, GOLD_LIGHT)
    return image


def logo(unit: int) -> Image.Image:
    """Draw the logo, 50 points high: the mark on a gold disc; the name is text beside it."""
    side = 50 * unit
    image = Image.new("RGBA", (side, side), (*GOLD, 0))
    disc = (3 * unit, 3 * unit, side - 3 * unit, side - 3 * unit)
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse(disc, fill=255)
    image.paste(gradient((side, side), GOLD_LIGHT, GOLD, slope=1.0), (0, 0), mask)
    draw_sprout(image, (side / 2, side / 2), 0.56 * side, GREEN)
    return image


def strip(unit: int) -> Image.Image:
    """Draw the strip, 375 x 144 points: calm at the left for the balance, leaves at the right."""
    size = (375 * unit, 144 * unit)
    image = gradient(size, FRESH, DEEP, slope=0.55)
    foot = (318 * unit, 172 * unit)
    for angle, length, width, strength in (
        (168, 210, 62, 30),
        (150, 205, 66, 40),
        (131, 200, 68, 50),
        (112, 190, 70, 60),
        (93, 182, 70, 66),
        (74, 176, 70, 60),
        (55, 170, 68, 50),
        (36, 160, 64, 40),
    ):
        outline = leaf(foot, angle, length * unit, width * unit)
        blend(image, lambda pen, outline=outline: pen.polygon(outline, fill=255), FRESH, strength)
        lines = [[*outline, outline[0]], vein(foot, angle, length * unit)]
        for line in lines:
            blend(
                image,
                lambda pen, line=line: pen.line(line, fill=255, width=unit, joint="curve"),
                GOLD,
                strength + 55,
            )
    return image


def emblem(unit: int) -> Image.Image:
    """Draw Google's logo, 660 pixels square, of which a circle is shown."""
    side = 660 * unit
    image = gradient((side, side), GOLD_LIGHT, GOLD, slope=1.0)
    draw_sprout(image, (side / 2, side / 2), 0.56 * side, GREEN)
    return image


def hero(unit: int) -> Image.Image:
    """Draw Google's wide picture, 1032 x 336 pixels: the strip, cropped to its shape."""
    size = (1032 * unit, 336 * unit)
    wide = strip(3 * unit)
    return wide.resize(size, Image.Resampling.LANCZOS, box=(0, 10 * unit, 1125 * unit, 376 * unit))


def gradient(
    size: tuple[int, int], start: tuple[int, int, int], end: tuple[int, int, int], *, slope: float
) -> Image.Image:
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


def blend(
    image: Image.Image,
    draw: Callable[[ImageDraw.ImageDraw], object],
    ink: tuple[int, int, int],
    strength: int,
) -> None:
    """Lay an ink over the image where `draw` paints, fading towards the left third."""
    mask = Image.new("L", image.size, 0)
    draw(ImageDraw.Draw(mask))
    fade = Image.new("L", (16, 1))
    fade.putdata([round(strength * min(1.0, max(0.0, (step - 4) / 9))) for step in range(16)])
    mask = ImageChops.multiply(mask, fade.resize(image.size, Image.Resampling.BICUBIC))
    image.paste(ink, (0, 0), mask)


def with_palette(image: Image.Image) -> Image.Image:
    """Return the image in few colours, half the bytes; more are not seen in greens and gold."""
    if image.mode == "RGBA":
        return image  # the palette method for transparent images leaves bands in the gold
    method, dither = Image.Quantize.MEDIANCUT, Image.Dither.NONE
    return image.quantize(PALETTE_COLOURS, method=method, kmeans=3, dither=dither)


def main() -> None:
    """Draw everything at every scale and say how large it became."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    total = 0
    kinds = {"icon": icon, "logo": logo, "strip": strip, "emblem": emblem, "hero": hero}
    for name, draw in kinds.items():
        for suffix, scale in ONE_SCALE.items() if name in FOR_GOOGLE else SCALES.items():
            large = draw(scale * OVERSAMPLING)
            size = (large.width // OVERSAMPLING, large.height // OVERSAMPLING)
            path = folder / f"{name}{suffix}.png"
            small = with_palette(large.resize(size, Image.Resampling.BOX))
            small.save(path, optimize=True)
            total += path.stat().st_size
            print(f"{path.name:14} {size[0]} x {size[1]}  {path.stat().st_size:,} bytes")
    print(f"{'total':14} {total:,} bytes")


if __name__ == "__main__":
    main()
