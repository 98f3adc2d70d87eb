"""Checks the images of a card template: names, real sizes, and what each platform needs.

Sizes in points at @1x. Sources: Apple, Human Interface Guidelines, Wallet, pass image dimensions;
Google, Wallet for loyalty cards, brand guidelines (logo 660 x 660, hero 1032 x 336 pixels).
"""

import re
import struct
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_BYTES = 24
IMAGE_NAME = re.compile(r"([a-z]+)(?:\.([A-Z0-9_]+))?(?:@([23])x)?\.png")
SCALES = ("", "@2x", "@3x")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The largest size of an image in points; `exact` ones may not be smaller either.

    One `for_google` has one scale, is fetched by its address, and is not part of a pass file.
    """

    width: int
    height: int
    exact: bool = False
    for_google: bool = False


ALLOWED: Mapping[str, Allowed] = {
    "icon": Allowed(29, 29, exact=True),
    "logo": Allowed(160, 50),
    "strip": Allowed(375, 144),
    "emblem": Allowed(660, 660, exact=True, for_google=True),
    "hero": Allowed(1032, 336, exact=True, for_google=True),
}
FILES = "icon, logo, strip (.png, @2x, @3x), emblem, hero (.png)"
REQUIRED = ("icon.png", "icon@2x.png", "logo.png")


@dataclass(frozen=True, slots=True)
class ImageName:
    """A file name taken apart: `strip.GOLD@2x.png` is the strip of GOLD at twice the size."""

    base: str
    variant: str | None
    scale: int

    @property
    def in_pass_file(self) -> bool:
        """Return whether phones get the image with the pass."""
        return not ALLOWED[self.base].for_google


def parse(name: str) -> ImageName | None:
    """Return the parts of an image's file name, or None when cards have no such image."""
    match = IMAGE_NAME.fullmatch(name)
    if match is None or match[1] not in ALLOWED:
        return None
    if match[3] and ALLOWED[match[1]].for_google:
        return None
    return ImageName(match[1], match[2], int(match[3] or 1))


def missing(names: Container[str], stamps: Sequence[str]) -> str | None:
    """Return the first image a store card needs that is not among `names`.

    A card with stamps needs a strip for each number of them.
    """
    wanted = (*REQUIRED, *(f"strip.{one}@2x.png" for one in stamps))
    return next((name for name in wanted if name not in names), None)


def variants(names: Iterable[str]) -> set[str]:
    """Return what images differ by: the codes of tiers, the numbers of stamps."""
    parts = (parse(name) for name in names)
    return {part.variant for part in parts if part is not None and part.variant is not None}


def bases(names: Iterable[str]) -> list[str]:
    """Return the images that every card has, without their scales."""
    parts = [part for name in names if (part := parse(name)) is not None]
    return sorted({part.base for part in parts if part.variant is None})


def chosen(names: Iterable[str], variants: Iterable[str]) -> dict[str, str]:
    """Return which files make up one card (name on the card -> file), by its variants.

    For each image the first variant counts that the template has; without one, the plain image.
    """
    parts = [(name, part) for name in names if (part := parse(name)) is not None]
    given = {(part.base, part.variant) for _, part in parts}
    found = {}
    for name, part in parts:
        fitting = (one for one in variants if (part.base, one) in given)
        if part.variant == next(fitting, None):
            found[_plain(part)] = name
    return found


def largest(base: str, files: Iterable[str]) -> str | None:
    """Return the largest of an image's files, named as on a card."""
    return next((name for scale in SCALES[::-1] if (name := f"{base}{scale}.png") in files), None)


def fault(name: str, data: bytes) -> str | None:
    """Return what is wrong with an image in words that say what would do; None if it is right."""
    parts = parse(name)
    if parts is None:
        return f"a store card has no such file; it may have {FILES}"
    size = _png_size(data)
    if size is None:
        return "this is not a PNG image"
    allowed = ALLOWED[parts.base]
    limit = (allowed.width * parts.scale, allowed.height * parts.scale)
    if allowed.exact and size != limit:
        return f"the image is {_words(size)}; it must be {_words(limit)} pixels"
    if size[0] > limit[0] or size[1] > limit[1] or 0 in size:
        return f"the image is {_words(size)}; it may be {_words(limit)} pixels at most"
    return None


def _plain(part: ImageName) -> str:
    return f"{part.base}{SCALES[part.scale - 1]}.png"


def _png_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(PNG_SIGNATURE) or data[12:16] != b"IHDR" or len(data) < PNG_HEADER_BYTES:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
