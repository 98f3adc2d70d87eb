"""Measures, shortens and breaks texts where no font is at hand: nothing drawn by it overflows."""

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
LONGEST = 2_000
BOLD_FROM, BOLDER = 600, 1.05
CACHED = 4_096

# Hundredths of an em, rounded up: the wider of Inter and Liberation Sans (as wide as Helvetica).
_WIDTHS = {
    25: "'ijl",
    30: " !,.:;I",
    35: "/\\|",
    40: '"()[]frt{}',
    50: "*-^`",
    55: "1?J_cksvxyz",
    60: "257Laeghnopqu",
    65: "#$+034689<=>FTZbd~",
    70: "&ABEKPSVXY",
    75: "CDHNRU",
    80: "GOQ",
    85: "w",
    90: "%Mm",
    95: "W",
    105: "@",
}
_OF_ASCII = {char: width for width, chars in _WIDTHS.items() for char in chars}
_JOINED_SCRIPTS, _CAPITAL, _SMALL, _WIDE, _SYMBOL = 52, 76, 64, 100, 130
_INVISIBLE = {"Mn", "Me", "Cf", "Cc"}
_DOTTED_I = {"tr", "az"}
_ISOLATES, _ISOLATE_END = {"LRI", "RLI", "FSI"}, "PDI"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Return a text without the characters that XML 1.0 has no way to write."""
    return _NOT_XML.sub("", text)


def width_of(text: str, size: float, weight: int = 400) -> float:
    """Return how wide a text of one line is, in the unit of `size`; most fonts need less."""
    bold = BOLDER if weight >= BOLD_FROM else 1
    return sum(map(_width, text)) / 100 * size * bold


def shortened(text: str, width: float, size: float, weight: int = 400) -> str:
    """Return a text that fits one line: whole, or cut off with an ellipsis."""
    line = " ".join(text[:LONGEST].split())
    if width_of(line, size, weight) <= width:
        return line
    room = width - width_of(ELLIPSIS, size, weight)
    return line[: _fitting(line, room, size, weight)].rstrip() + ELLIPSIS


def size_for(text: str, width: float, *, size: float, smallest: float, weight: int = 400) -> float:
    """Return the largest font size in tenths, from `size` to `smallest`, at which a text fits."""
    wide = width_of(text, size, weight)
    return size if wide <= width else max(smallest, math.floor(size * width / wide * 10) / 10)


def lines_of(text: str, width: float, size: float, *, most: int) -> list[str]:
    """Break a text into lines, at its own line breaks and between words; `most` lines at most."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        lines += _wrapped(paragraph.split(), width, size) or [""]
        if len(lines) > most:
            last = f"{lines[most - 1]}{ELLIPSIS}"
            return [*lines[: most - 1], shortened(last, width, size)]
    return lines


def is_right_to_left(text: str) -> bool:
    """Return whether a text begins at the right: its first strong character does (UAX 9, P2)."""
    depth = 0
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in _ISOLATES:
            depth += 1
        elif kind == _ISOLATE_END:
            depth = max(0, depth - 1)
        elif depth == 0 and kind in {"L", "R", "AL"}:
            return kind != "L"
    return False


def capitals(text: str, locale: str) -> str:
    """Return a text in capitals, with the dot that Turkish keeps on its i."""
    if locale.partition("_")[0] in _DOTTED_I:
        text = text.replace("i", "İ")
    return text.upper()


def shares(wanted: Sequence[float], room: float) -> list[float]:
    """Part a room among neighbours: who wants little gets it, the rest is parted evenly."""
    given = [0.0] * len(wanted)
    smallest_first = sorted(range(len(wanted)), key=wanted.__getitem__)
    for rank, index in enumerate(smallest_first):
        given[index] = min(wanted[index], room / (len(wanted) - rank))
        room -= given[index]
    return given


def _wrapped(words: Sequence[str], width: float, size: float) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
            continue
        rest = word
        while width_of(rest, size) > width:
            cut = max(1, _fitting(rest, width, size))
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return lines


def _fitting(line: str, width: float, size: float, weight: int = 400) -> int:
    """Return how many characters fit; no mark is torn from its letter."""
    bold = BOLDER if weight >= BOLD_FROM else 1
    ends = accumulate(_width(char) / 100 * size * bold for char in line)
    cut = sum(end <= width for end in ends)
    while 0 < cut < len(line) and unicodedata.category(line[cut]) in _INVISIBLE:
        cut -= 1
    return cut


@lru_cache(CACHED)
def _width(char: str) -> float:
    """Return the width of a character in hundredths of an em; a ligature's is that of its parts."""
    if char in _OF_ASCII:
        return _OF_ASCII[char]
    parts = unicodedata.normalize("NFKD", char)
    if parts != char:
        return sum(map(_width, parts))
    return _width_of_class(char)


def _width_of_class(char: str) -> float:
    if unicodedata.category(char) in _INVISIBLE:
        return 0
    if unicodedata.category(char) == "So":
        return _SYMBOL
    if unicodedata.east_asian_width(char) in {"W", "F"}:
        return _WIDE
    if unicodedata.bidirectional(char) in {"R", "AL", "AN"}:
        return _JOINED_SCRIPTS
    if char.isupper():
        return _CAPITAL
    return _SMALL if char.islower() else _WIDE
