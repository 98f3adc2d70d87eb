"""Checks the images of a card template: names, real sizes, and what a store card needs.

Sizes in points at @1x. Source: Apple, Human Interface Guidelines, Wallet, pass image dimensions.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_BYTES = 24
IMAGE_NAME = re.compile(r"([a-z]+)(?:@([23])x)?\.png")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The largest size of an image in points; `exact` ones may not be smaller either."""

    width: int
    height: int
    exact: bool = False


ALLOWED: Mapping[str, Allowed] = {
    "icon": Allowed(29, 29, exact=True),
    "logo": Allowed(160, 50),
    "strip": Allowed(375, 144),
}
REQUIRED = ("icon.png", "icon@2x.png", "logo.png")


def missing(names: set[str]) -> str | None:
    """Return the first image a store card needs that is not among `names`."""
    return next((name for name in REQUIRED if name not in names), None)


def fault(name: str, data: bytes) -> str | None:
    """Return what is wrong with an image in words that say what would do; None if it is right."""
    match = IMAGE_NAME.fullmatch(name)
    allowed = ALLOWED.get(match[1]) if match else None
    if match is None or allowed is None:
        return f"a store card has no such file; it may have {', '.join(ALLOWED)} (.png, @2x, @3x)"
    size = _png_size(data)
    if size is None:
        return "this is not a PNG image"
    scale = int(match[2] or 1)
    limit = (allowed.width * scale, allowed.height * scale)
    if allowed.exact and size != limit:
        return f"the image is {_words(size)}; it must be {_words(limit)} pixels"
    if size[0] > limit[0] or size[1] > limit[1] or 0 in size:
        return f"the image is {_words(size)}; it may be {_words(limit)} pixels at most"
    return None


def _png_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(PNG_SIGNATURE) or data[12:16] != b"IHDR" or len(data) < PNG_HEADER_BYTES:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
