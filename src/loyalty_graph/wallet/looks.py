"""How the cards of one template differ: colours by tier, and stamps (`look.json`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loyalty_graph.wallet.colours import Colour, Colours, parse_colour
from loyalty_graph.wallet.pass_checks import COLOURS, check_colours
from loyalty_graph.wallet.placeholders import Kind, Name
from loyalty_graph.wallet.template_document import Document

KEYS = ("stamps", "tiers")
STAMPS_MAX = 20
POINTS_MAX = 1_000_000

STAMPS: Mapping[str, Name] = {
    "stamps.filled": Name(Kind.NUMBER),
    "stamps.of": Name(Kind.NUMBER),
    "stamps.missing": Name(Kind.NUMBER, optional=True),
    "stamps.full_cards": Name(Kind.NUMBER, optional=True),
}
"""What a template with stamps may ask for."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """A stamp for each so many `points`, and `of` stamps on a card."""

    of: int
    points: int

    def filled(self, balance_points: int) -> int:
        """Return how many stamps the present card shows; a full one is shown full until the next.

        24 points at one for each make two full cards of ten, and one with 4 stamps.
        """
        stamps = max(0, balance_points) // self.points
        return (stamps - 1) % self.of + 1 if stamps else 0

    def values(self, balance_points: int) -> dict[str, int | None]:
        """Return the value of every name of `STAMPS`."""
        filled = self.filled(balance_points)
        return {
            "stamps.filled": filled,
            "stamps.of": self.of,
            "stamps.missing": self.of - filled or None,
            "stamps.full_cards": max(0, balance_points) // (self.points * self.of) or None,
        }


@dataclass(frozen=True, slots=True)
class Look:
    """Colours by the codes of tiers, and stamps, where a template has them."""

    tiers: Mapping[str, Colours] = field(default_factory=dict)
    stamps: Stamps | None = None


def read_look(document: Document | None) -> Look:
    """Return the look that a template's file describes, or one without differences.

    Raises:
        TemplateError: The first thing that is wrong.
    """
    if document is None:
        return Look()
    for key in document.data:
        if key not in KEYS:
            raise document.fault(key, f"is not one of {', '.join(KEYS)}")
    tiers = _object(document, document.data, "tiers", "")
    colours = {
        code: _colours(document, _object(document, tiers, code, "tiers."), f"tiers.{code}.")
        for code in tiers
    }
    return Look(colours, _stamps(document))


def _stamps(document: Document) -> Stamps | None:
    if "stamps" not in document.data:
        return None
    given = _object(document, document.data, "stamps", "")
    limits = {"of": STAMPS_MAX, "points": POINTS_MAX}
    for key, most in limits.items():
        number = given.get(key)
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            raise document.fault(f"stamps.{key}", f"must be a whole number from 1 to {most:,}")
    return Stamps(given["of"], given["points"])


def _colours(document: Document, given: Mapping[str, Any], prefix: str) -> Colours:
    check_colours(document, given, prefix, COLOURS)
    return Colours(*(_colour(given[key]) for key in COLOURS))


def _colour(text: str) -> Colour:
    colour = parse_colour(text)
    assert colour is not None, "it was checked before"
    return colour


def _object(document: Document, holder: Mapping[str, Any], key: str, prefix: str) -> dict[str, Any]:
    part = holder.get(key, {})
    if not isinstance(part, dict):
        raise document.fault(f"{prefix}{key}", "must be an object")
    return part
