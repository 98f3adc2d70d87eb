"""Texts with placeholders such as `{{ points.balance | number }}`, compiled once and filled often.

A text is filled in one pass: a value that itself looks like a placeholder stays as it is.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal, get_group_symbol

from loyalty_graph.money import Money

OPENING, CLOSING = "{{", "}}"
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
INSIDE = re.compile(r"\s*([a-z_]+(?:\.[a-z_]+)*)\s*(?:\|\s*([a-z_]+)\s*)?")
CACHED_DATES, CACHED_AMOUNTS, CACHED_LOCALES = 4096, 4096, 256
MICROS = 1_000_000
INTEGER = "integer"
BY_THREE = (3, 3)
FIRST_STRONG, ISOLATE_END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


class Kind(StrEnum):
    """What a name stands for."""

    TEXT = "a text"
    NUMBER = "a number"
    AMOUNT = "an amount"
    DATE = "a date"
    INSTANT = "an instant"


@dataclass(frozen=True, slots=True)
class Name:
    """What a placeholder may ask for; an optional one may have no value on some cards."""

    kind: Kind
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """How a value becomes text in a locale such as `en_GB`."""

    kind: Kind
    write: Callable[[Any, str], str]


class PlaceholderError(ValueError):
    """A text with a placeholder that means nothing; the message says what would do."""


class Fillable(Protocol):
    """A part of a compiled tree."""

    def fill(self, values: Mapping[str, object], locale: str) -> Any:
        """Return the part with its texts filled; None when a value it needs is missing."""


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled text: `parts` are literal texts and (name, how to write it)."""

    parts: tuple[str | tuple[str, Callable[[Any, str], str] | None], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names this text asks for."""
        return frozenset(part[0] for part in self.parts if isinstance(part, tuple))

    def fill(self, values: Mapping[str, object], locale: str) -> str | None:
        """Return the text, or None when a value it needs is missing: half a sentence misleads."""
        written = []
        for part in self.parts:
            if isinstance(part, str):
                written.append(part)
                continue
            name, write = part
            value: Any = values[name]
            if value is None or value == "":
                return None
            text = value if write is None else write(value, locale)
            written.append(isolated(text, locale) if len(self.parts) > 1 else text)
        return "".join(written)


def compile_text(text: str, vocabulary: Mapping[str, Name]) -> Text:
    """Take a text apart at its placeholders.

    Raises:
        PlaceholderError: an unknown name or filter, a filter that does not fit, a stray brace.
    """
    pieces = PLACEHOLDER.split(text)
    parts: list[str | tuple[str, Callable[[Any, str], str] | None]] = []
    for index, piece in enumerate(pieces):
        if index % 2:
            parts.append(_placeholder(piece, vocabulary))
        elif OPENING in piece or CLOSING in piece:
            raise PlaceholderError(f"a placeholder is written {{{{ name }}}}; this is not: {text}")
        elif piece:
            parts.append(piece)
    return Text(tuple(parts))


@dataclass(frozen=True, slots=True)
class Object:
    """A compiled JSON object: what never changes, and what is filled.

    An entry without a value is left out; without one that is essential, the whole object is.
    """

    fixed: Mapping[str, Any]
    filled: tuple[tuple[str, Fillable], ...]
    essential: frozenset[str]

    def fill(self, values: Mapping[str, object], locale: str) -> dict[str, Any] | None:
        """Return a new object with its texts filled."""
        result = dict(self.fixed)
        for key, part in self.filled:
            value = part.fill(values, locale)
            if value is not None:
                result[key] = value
            elif key in self.essential:
                return None
        return result


@dataclass(frozen=True, slots=True)
class Items:
    """A compiled JSON list; entries without a value are left out."""

    parts: tuple[Fillable, ...]

    def fill(self, values: Mapping[str, object], locale: str) -> list[Any]:
        """Return a new list with its texts filled."""
        return [entry for part in self.parts if (entry := part.fill(values, locale)) is not None]


@dataclass(frozen=True, slots=True)
class Integer:
    """A compiled text that is one placeholder and becomes a number, not a text."""

    name: str

    def fill(self, values: Mapping[str, object], _locale: str) -> Any:
        """Return the number, or None when there is none."""
        return values[self.name]


@dataclass(frozen=True, slots=True)
class Constant:
    """A part without placeholders, shared by everything it is filled into."""

    value: Any

    def fill(self, _values: Mapping[str, object], _locale: str) -> Any:
        """Return the part itself."""
        return self.value


def compile_tree(
    node: object, vocabulary: Mapping[str, Name], *, essential: frozenset[str]
) -> Fillable:
    """Compile every text of a parsed JSON tree; parts without placeholders cost nothing later.

    `{{ name | integer }}` alone becomes a number: Google's API has numbers, where Apple has texts.

    Raises:
        PlaceholderError: as for `compile_text`.
    """
    if isinstance(node, str):
        if (number := _integer(node, vocabulary)) is not None:
            return number
        text = compile_text(node, vocabulary)
        return text if text.names else Constant(node)
    if isinstance(node, list):
        parts = tuple(compile_tree(part, vocabulary, essential=essential) for part in node)
        return Constant(node) if _constant(parts) else Items(parts)
    if isinstance(node, dict):
        entries = {
            key: compile_tree(part, vocabulary, essential=essential) for key, part in node.items()
        }
        if _constant(entries.values()):
            return Constant(node)
        fixed = {key: part.value for key, part in entries.items() if isinstance(part, Constant)}
        filled = tuple((key, part) for key, part in entries.items() if key not in fixed)
        return Object(fixed, filled, essential)
    return Constant(node)


def write_number(value: int, locale: str) -> str:
    """Return the number with the locale's grouping, such as 1,878 or 1 878."""
    separator = _thousands_separator(locale)
    if separator is None or value < 0:
        return format_decimal(value, locale=locale)
    return f"{value:,}".replace(",", separator)


@lru_cache(CACHED_DATES)
def write_date(value: date, locale: str) -> str:
    """Return the date in the locale's medium form, such as 30 Dec 2026."""
    return format_date(value, "medium", locale)


@lru_cache(CACHED_DATES)
def write_month(value: date, locale: str) -> str:
    """Return month and year, such as Dec 2026."""
    return format_skeleton("yMMM", value, locale=locale)


@lru_cache(CACHED_AMOUNTS)
def write_amount(value: Money | int, locale: str) -> str:
    """Return money with its currency, such as $1,012.77; an amount of points as a number."""
    if isinstance(value, int):
        return write_number(value, locale)
    return format_currency(Decimal(value.to_text()), value.currency, locale=locale)


def write_micros(value: Money | int, _locale: str) -> str:
    """Return the amount in millionths of its unit, as Google counts money."""
    amount = Decimal(value if isinstance(value, int) else value.to_text())
    return str(int(amount * MICROS))


def write_currency(value: Money | int, _locale: str) -> str:
    """Return the currency's code; nothing for points."""
    return "" if isinstance(value, int) else value.currency


def write_instant(value: datetime, _locale: str) -> str:
    """Return date and time with offset, such as 2026-12-31T23:59:00+01:00 (W3C, ISO 8601)."""
    return value.isoformat(timespec="seconds")


FILTERS: Mapping[str, Filter] = {
    "number": Filter(Kind.NUMBER, write_number),
    "date": Filter(Kind.DATE, write_date),
    "month": Filter(Kind.DATE, write_month),
    "amount": Filter(Kind.AMOUNT, write_amount),
    "micros": Filter(Kind.AMOUNT, write_micros),
    "currency": Filter(Kind.AMOUNT, write_currency),
    "instant": Filter(Kind.INSTANT, write_instant),
    "upper": Filter(Kind.TEXT, lambda value, _locale: str(value).upper()),
}


def _integer(text: str, vocabulary: Mapping[str, Name]) -> Integer | None:
    """Return the number a text asks for, if that is all it does."""
    match = PLACEHOLDER.fullmatch(text)
    inside = INSIDE.fullmatch(match[1]) if match else None
    if inside is None or inside[2] != INTEGER:
        return None
    known = vocabulary.get(inside[1])
    return Integer(inside[1]) if known is not None and known.kind is Kind.NUMBER else None


def _placeholder(
    inside: str, vocabulary: Mapping[str, Name]
) -> tuple[str, Callable[[Any, str], str] | None]:
    match = INSIDE.fullmatch(inside)
    if match is None:
        raise PlaceholderError("a placeholder is {{ name }} or {{ name | filter }}")
    name, filter_name = match.groups()
    if name not in vocabulary:
        raise PlaceholderError(_unknown("placeholder", name, vocabulary, "known are"))
    kind = vocabulary[name].kind
    fitting = ", ".join(key for key, known in FILTERS.items() if known.kind is kind)
    if filter_name is None:
        if kind is not Kind.TEXT:
            raise PlaceholderError(f"{name} is {kind} and needs a filter: {fitting}")
        return name, None
    if filter_name == INTEGER:
        raise PlaceholderError(f"the filter {INTEGER} makes a number; a text needs: {fitting}")
    if filter_name not in FILTERS:
        raise PlaceholderError(f"unknown filter {filter_name}; {name} can have: {fitting}")
    if FILTERS[filter_name].kind is not kind:
        raise PlaceholderError(f"the filter {filter_name} does not fit {name}, {kind}: {fitting}")
    return name, FILTERS[filter_name].write


def _unknown(what: str, name: str, known: Iterable[str], words: str) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown {what} {name}; {hint}{words} {', '.join(known)}"


def isolated(text: str, locale: str) -> str:
    """Return a value that stands in a text as its own unit, if the locale runs right to left.

    Unicode's isolates (UAX 9) keep a date in order within words of the other direction.
    """
    return f"{FIRST_STRONG}{text}{ISOLATE_END}" if _is_right_to_left(locale) else text


@lru_cache(CACHED_LOCALES)
def _is_right_to_left(locale: str) -> bool:
    return Locale.parse(locale).text_direction == "rtl"


@lru_cache(CACHED_LOCALES)
def _thousands_separator(locale: str) -> str | None:
    """Return what parts groups of three digits; None where a locale groups in another way.

    It spares babel's rounding of whole numbers, the dearest part of filling a card.
    """
    if Locale.parse(locale).decimal_formats[None].grouping != BY_THREE:
        return None
    return get_group_symbol(locale)


def _constant(parts: Iterable[Fillable]) -> bool:
    return all(isinstance(part, Constant) for part in parts)
