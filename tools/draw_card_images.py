"""Draw icons, logos, strips and Google's pictures of all card templates; equal on every run.

Usage: python -m tools.draw_card_images [NAME ...]
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

from tools.card_pen import (
    CURVE_STEPS,
    OVERSAMPLING,
    SCALES,
    Ink,
    Pen,
    Point,
    circle,
    disc,
    gradient,
    lay,
    round_line,
    save,
    turned,
)

FOLDER = Path(__file__).parents[1] / "passes" / "templates"
STRIP, HERO, EMBLEM, ICON, LOGO = (375, 144), (1032, 336), 660, 29, 50
STAMPS, PER_ROW, STAMP_RADIUS, STAMP_STEP = 10, 5, 25, 63


@dataclass(frozen=True)
class Palette:
    """The inks of one template: its ground from light to deep, and its accent."""

    fresh: Ink
    ground: Ink
    deep: Ink
    accent: Ink
    accent_light: Ink


Mark = Callable[[Pen, Point, float, Ink, Ink], None]
"""Draws a sign of a size around a centre, in an ink on a ground."""
Motif = Callable[[Image.Image, float, Palette], None]
"""Draws over a strip whose point is so many pixels."""


@dataclass(frozen=True)
class Design:
    """What one template looks like; `variants` are strips of their own, by their names.

    `colours` is how many its strips are reduced to: few where there are many of them. Of a motif
    that is `whole`, nothing may be cut off in a picture of another shape.
    """

    palette: Palette
    mark: Mark
    motif: Motif
    variants: Mapping[str, tuple[Palette, Motif]] = field(default_factory=dict)
    colours: int = 192
    whole: bool = False


def leaf(base: Point, angle: float, length: float, width: float) -> list[Point]:
    """Return the outline of a leaf from its base; `angle` in degrees, 0 points right, 90 up."""
    outline = [
        (along * length, side * width * math.sin(math.pi * along**0.85) / 2)
        for side, order in ((1, 1), (-1, -1))
        for along in [step / CURVE_STEPS for step in range(CURVE_STEPS + 1)][::order]
    ]
    return turned(outline, base, -angle)


def sprout(pen: Pen, centre: Point, size: float, ink: Ink, _ground: Ink) -> None:
    """Draw two leaves on a stem."""
    x, y = centre
    fork = (x, y + 0.14 * size)
    pen.polygon(leaf(fork, 50, 0.70 * size, 0.36 * size), fill=ink)
    pen.polygon(leaf(fork, 138, 0.52 * size, 0.30 * size), fill=ink)
    foot = (x - 0.02 * size, y + 0.48 * size)
    round_line(pen, [fork, foot], 0.085 * size, ink)
    for end in (fork, foot):
        pen.ellipse(circle(end, 0.0425 * size), fill=ink)


def leaves(image: Image.Image, unit: float, inks: Palette) -> None:
    """Draw a fan of leaves at the right."""
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
        lay(image, partial(Pen.polygon, xy=outline, fill=255), inks.fresh, strength)
        vein = turned([(0, 0), (0.78 * length * unit, 0)], foot, -angle)
        for line in ([*outline, outline[0]], vein):
            lay(image, partial(round_line, points=line, width=unit), inks.accent, strength + 55)


def bean(pen: Pen, centre: Point, size: float, ink: Ink, ground: Ink) -> None:
    """Draw a coffee bean."""
    steps = [2 * math.pi * step / (2 * CURVE_STEPS) for step in range(2 * CURVE_STEPS)]
    outline = [(0.5 * size * math.cos(at), 0.36 * size * math.sin(at)) for at in steps]
    pen.polygon(turned(outline, centre, -38), fill=ink)
    across = [step / CURVE_STEPS * 2 - 1 for step in range(CURVE_STEPS + 1)]
    seam = [(0.5 * size * at, 0.11 * size * math.sin(math.pi * at)) for at in across]
    round_line(pen, turned(seam, centre, -38), 0.075 * size, ground)


def cup(pen: Pen, centre: Point, size: float, ink: Ink) -> None:
    """Draw a cup with its handle, seen from the side."""
    x, y = centre
    left, right, top, foot = x - 0.36 * size, x + 0.22 * size, y - 0.20 * size, y + 0.30 * size
    handle = circle((right, y - 0.01 * size), 0.15 * size)
    pen.ellipse(handle, outline=ink, width=max(1, round(0.07 * size)))
    pen.rounded_rectangle((left, top, right, foot), radius=0.16 * size, fill=ink)
    pen.rectangle((left, top, right, y), fill=ink)
    for place in (-0.20, -0.07, 0.06):
        steam = [
            (x + place * size + 0.03 * size * math.sin(at / 2), top - (0.08 + 0.018 * at) * size)
            for at in range(10)
        ]
        round_line(pen, steam, 0.045 * size, ink)


def stamps(image: Image.Image, unit: float, inks: Palette, *, filled: int) -> None:
    """Draw the places of a stamp card, so many of them stamped; the last one is the free cup."""
    pen = ImageDraw.Draw(image)
    for number in range(STAMPS):
        row, column = divmod(number, PER_ROW)
        centre = (
            (STRIP[0] / 2 + (column - (PER_ROW - 1) / 2) * STAMP_STEP) * unit,
            (STRIP[1] / 2 + (row - 0.5) * STAMP_STEP) * unit,
        )
        radius, is_last = STAMP_RADIUS * unit, number == STAMPS - 1
        if number < filled:
            ground = inks.accent if is_last else inks.accent_light
            pen.ellipse(circle(centre, radius), fill=ground)
            pen.ellipse(circle(centre, radius * 0.9), outline=inks.ground, width=round(0.7 * unit))
            sign = partial(bean, ground=ground)
            (cup if is_last else sign)(pen, centre, 1.22 * radius, inks.deep)
            continue
        ring = partial(Pen.ellipse, xy=circle(centre, radius), outline=255, width=round(1.2 * unit))
        lay(
            image,
            partial(Pen.ellipse, xy=circle(centre, radius), fill=255),
            inks.deep,
            90,
            fade=False,
        )
        lay(image, ring, inks.accent, 150, fade=False)
        if is_last:
            lay(
                image,
                partial(cup, centre=centre, size=1.22 * radius, ink=255),
                inks.accent,
                200,
                fade=False,
            )


def star(pen: Pen, centre: Point, size: float, ink: Ink, _ground: Ink) -> None:
    """Draw a star of four points with hollow sides."""
    outline = [
        (
            0.52 * size * math.copysign(abs(math.cos(at)) ** 2.6, math.cos(at)),
            0.52 * size * math.copysign(abs(math.sin(at)) ** 2.6, math.sin(at)),
        )
        for at in (2 * math.pi * step / 240 for step in range(240))
    ]
    pen.polygon(turned(outline, centre, 0), fill=ink)


def rosette(image: Image.Image, unit: float, inks: Palette) -> None:
    """Draw a rosette of fine lines, as engraved on notes and diplomas."""
    centre = (304 * unit, 72 * unit)
    for ring in range(16):
        radius, wave, turn = 12 + 8.2 * ring, 1.2 + 0.62 * ring, ring * 0.13
        line = [
            (
                centre[0] + (radius + wave * math.sin(12 * at + turn)) * math.cos(at) * unit,
                centre[1] + (radius + wave * math.sin(12 * at + turn)) * math.sin(at) * unit,
            )
            for at in (2 * math.pi * step / 720 for step in range(721))
        ]
        strength = 200 - 9 * ring
        lay(image, partial(round_line, points=line, width=0.9 * unit), inks.accent, strength)
        counter = [(2 * centre[0] - x, y) for x, y in line]
        lay(
            image,
            partial(round_line, points=counter, width=0.6 * unit),
            inks.accent_light,
            strength // 2,
        )


def sunrise(pen: Pen, centre: Point, size: float, ink: Ink, _ground: Ink) -> None:
    """Draw a sun that rises, below two arcs."""
    x, y = centre[0], centre[1] + 0.2 * size
    pen.pieslice(circle((x, y), 0.2 * size), 180, 360, fill=ink)
    for radius in (0.34, 0.48):
        pen.arc(circle((x, y), radius * size), 180, 360, fill=ink, width=round(0.075 * size))
    bar = (x - 0.5 * size, y + 0.07 * size, x + 0.5 * size, y + 0.145 * size)
    pen.rounded_rectangle(bar, radius=0.04 * size, fill=ink)


def waves(image: Image.Image, unit: float, inks: Palette) -> None:
    """Draw a sun over many waves."""
    sun = (300 * unit, 58 * unit)
    for radius, strength in ((64, 26), (48, 34), (32, 60)):
        glow = partial(Pen.ellipse, xy=circle(sun, radius * unit), fill=255)
        lay(image, glow, inks.accent, strength, fade=False)
    for number in range(17):
        line = [
            (
                x * unit,
                (66 + 6.2 * number + (17 - 0.5 * number) * math.sin(x / 58 + 0.23 * number)) * unit,
            )
            for x in range(-4, STRIP[0] + 8, 4)
        ]
        lay(
            image, partial(round_line, points=line, width=0.9 * unit), inks.accent, 170 - 7 * number
        )


def coins(pen: Pen, centre: Point, size: float, ink: Ink, ground: Ink) -> None:
    """Draw a coin before another."""
    x, y = centre
    back, front = (x + 0.16 * size, y - 0.14 * size), (x - 0.12 * size, y + 0.11 * size)
    pen.ellipse(circle(back, 0.33 * size), outline=ink, width=round(0.075 * size))
    pen.ellipse(circle(front, 0.40 * size), fill=ground)
    pen.ellipse(circle(front, 0.33 * size), fill=ink)
    pen.ellipse(circle(front, 0.22 * size), outline=ground, width=max(1, round(0.045 * size)))


def rings(image: Image.Image, unit: float, inks: Palette) -> None:
    """Draw three large coins of fine rings, one over the other."""
    for x, y, radius, strength in ((352, 118, 66, 70), (226, 104, 46, 70), (298, 62, 74, 110)):
        centre = (x * unit, y * unit)
        body = partial(Pen.ellipse, xy=circle(centre, radius * unit), fill=255)
        lay(image, body, inks.ground, 190)
        lay(image, body, inks.fresh, strength)
        for ring in range(0, radius - 8, 7):
            edge = partial(
                Pen.ellipse,
                xy=circle(centre, (radius - ring) * unit),
                outline=255,
                width=round((1.6 if ring == 0 else 0.8) * unit),
            )
            lay(image, edge, inks.accent, max(40, 200 - 3 * ring))


COFFEE = Palette((98, 62, 45), (62, 39, 30), (40, 24, 18), (233, 178, 120), (250, 233, 208))
VIP = Palette((58, 65, 82), (30, 34, 44), (18, 20, 28), (182, 190, 206), (232, 236, 244))
TIERS = {
    "GREEN": Palette((38, 104, 80), (20, 61, 48), (10, 38, 30), (150, 214, 178), (214, 244, 226)),
    "SILVER": Palette(
        (128, 137, 152), (72, 79, 92), (46, 51, 62), (222, 228, 238), (250, 251, 255)
    ),
    "GOLD": Palette((140, 102, 24), (92, 66, 12), (58, 40, 4), (255, 220, 130), (255, 242, 204)),
    "PLATINUM": Palette((62, 64, 76), (22, 22, 28), (8, 8, 12), (196, 206, 224), (240, 244, 252)),
}
DESIGNS = {
    "store-card": Design(
        Palette((34, 95, 72), (18, 54, 42), (11, 38, 30), (228, 184, 92), (243, 211, 138)),
        sprout,
        leaves,
    ),
    "stamp-card": Design(
        COFFEE,
        bean,
        partial(stamps, filled=0),
        {str(n): (COFFEE, partial(stamps, filled=n)) for n in range(STAMPS + 1)},
        colours=80,
        whole=True,
    ),
    "vip-tier": Design(
        VIP, star, rosette, {code: (one, rosette) for code, one in TIERS.items()}, 80
    ),
    "paid-membership": Design(
        Palette((58, 60, 148), (24, 36, 84), (14, 20, 54), (150, 205, 255), (222, 240, 255)),
        sunrise,
        waves,
    ),
    "stored-value": Design(
        Palette((22, 118, 124), (11, 73, 84), (6, 46, 56), (142, 222, 208), (222, 248, 240)),
        coins,
        rings,
    ),
}


def icon(unit: int, design: Design) -> Image.Image:
    """Draw the icon, 29 points square; the phone rounds its corners."""
    side, inks = ICON * unit, design.palette
    image = gradient((side, side), inks.fresh, inks.ground, slope=1.0)
    centre = (side / 2, side / 2)
    design.mark(ImageDraw.Draw(image), centre, 0.72 * side, inks.accent_light, inks.ground)
    return image


def logo(unit: int, design: Design) -> Image.Image:
    """Draw the logo, 50 points high: the mark on a disc; the name is text beside it."""
    side, inks = LOGO * unit, design.palette
    image = disc(side, 3 * unit, inks.accent_light, inks.accent)
    centre = (side / 2, side / 2)
    design.mark(ImageDraw.Draw(image), centre, 0.56 * side, inks.ground, inks.accent_light)
    return image


def emblem(unit: int, design: Design) -> Image.Image:
    """Draw Google's logo, 660 pixels square, of which a circle is shown."""
    side, inks = EMBLEM * unit, design.palette
    image = gradient((side, side), inks.accent_light, inks.accent, slope=1.0)
    centre = (side / 2, side / 2)
    design.mark(ImageDraw.Draw(image), centre, 0.54 * side, inks.ground, inks.accent_light)
    return image


def strip(unit: int, design: Design) -> Image.Image:
    """Draw the strip, 375 x 144 points: calm at the left for the balance."""
    size = (STRIP[0] * unit, STRIP[1] * unit)
    image = gradient(size, design.palette.fresh, design.palette.deep, slope=0.55)
    design.motif(image, unit, design.palette)
    return image


def hero(unit: int, design: Design) -> Image.Image:
    """Draw Google's wide picture, 1032 x 336 pixels: the strip, cropped to its shape."""
    if design.whole:
        return whole_hero(unit, design)
    wide = strip(3 * unit, design)
    spare = (wide.height - wide.width * HERO[1] / HERO[0]) / 2
    box = (0, spare, wide.width, wide.height - spare)
    return wide.resize((HERO[0] * unit, HERO[1] * unit), Image.Resampling.LANCZOS, box=box)


def whole_hero(unit: int, design: Design) -> Image.Image:
    """Draw Google's wide picture with all of the strip's motif in its middle."""
    wide, high = HERO[0] * unit, HERO[1] * unit
    image = gradient((wide, high), design.palette.fresh, design.palette.deep, slope=0.55)
    of_strip = high / STRIP[1]
    side = round((wide - STRIP[0] * of_strip) / 2)
    middle = image.crop((side, 0, wide - side, high))
    design.motif(middle, of_strip, design.palette)
    image.paste(middle, (side, 0))
    return image


def pictures(
    design: Design,
) -> Iterator[tuple[str, Callable[[int], Image.Image], Mapping[str, int]]]:
    """Yield the name of each picture, who draws it, and its scales."""
    once = {"": 1}
    yield "icon", partial(icon, design=design), SCALES
    yield "logo", partial(logo, design=design), SCALES
    yield "emblem", partial(emblem, design=design), once
    looks = {"": design} | {
        f".{name}": replace(design, palette=palette, motif=motif)
        for name, (palette, motif) in design.variants.items()
    }
    for suffix, look in looks.items():
        yield f"strip{suffix}", partial(strip, design=look), SCALES
        yield f"hero{suffix}", partial(hero, design=look), once


def main() -> None:
    """Draw everything at every scale and say how large it became."""
    for name in sys.argv[1:] or DESIGNS:
        total = 0
        for picture, draw, scales in pictures(DESIGNS[name]):
            for suffix, scale in scales.items():
                path = FOLDER / name / f"{picture}{suffix}.png"
                total += save(draw(scale * OVERSAMPLING), path, DESIGNS[name].colours)
        print(f"{name:16} {total:,} bytes")


if __name__ == "__main__":
    main()
