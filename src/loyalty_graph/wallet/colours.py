"""Reads card colours and measures whether text in them can be read."""

import re
from dataclasses import dataclass

RGB = re.compile(r"rgb\((\d{1,3}), (\d{1,3}), (\d{1,3})\)")
CHANNEL_MAX = 255
CONTRAST_MIN = 4.5
LINEAR_PART_MAX = 0.04045


@dataclass(frozen=True, slots=True)
class Colour:
    """One sRGB colour, channels 0 to 255."""

    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        return f"rgb({self.red}, {self.green}, {self.blue})"

    @property
    def hex(self) -> str:
        """Return the colour as web pages and Google write it: #12362a."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @property
    def luminance(self) -> float:
        """Relative luminance from 0 (black) to 1 (white). Source: WCAG 2.2."""
        red, green, blue = (_linear(part) for part in (self.red, self.green, self.blue))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@dataclass(frozen=True, slots=True)
class Colours:
    """The three colours of a card: its ground, its values, its labels."""

    background: Colour
    foreground: Colour
    label: Colour


def parse_colour(text: str) -> Colour | None:
    """Return the colour written as `rgb(r, g, b)`, the one form pass files know; else None."""
    match = RGB.fullmatch(text)
    channels = [int(part) for part in match.groups()] if match else []
    if not channels or max(channels) > CHANNEL_MAX:
        return None
    return Colour(*channels)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio, 1 to 21; text needs 4.5. Source: WCAG 2.2, criterion 1.4.3."""
    darker, lighter = sorted((one.luminance, other.luminance))
    return (lighter + 0.05) / (darker + 0.05)


def _linear(channel: int) -> float:
    part = channel / CHANNEL_MAX
    return part / 12.92 if part <= LINEAR_PART_MAX else ((part + 0.055) / 1.055) ** 2.4
