"""Where the parts of a TOML text stand, so that a fault can name its line and column."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""The way to a part: names of keys, and places in lists from 0."""

# Loops are written out, not possessive: those of groups stop too early in Python before 3.11.5.
_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DATE_AND_TIME = r"\d{4}-\d\d-\d\d [0-9:.Z+-]+"
_SCALAR = re.compile(
    r'"""[^\\"]*(?:(?:\\.|"(?!""))[^\\"]*)*"""(?:"{0,2})'
    r"|'''[^']*(?:'(?!'')[^']*)*'''(?:'{0,2})"
    r'|"[^\\"]*(?:\\.[^\\"]*)*"'
    r"|'[^']*'"
    rf"|{_DATE_AND_TIME}"
    r"|[^,\]}\s#]+",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Offsets into the text: where a part is named, and from where to where its value stands.

    A table or list of tables has no value of its own: it stands where its header names it.
    """

    key: int
    start: int
    end: int


def spots(text: str) -> Mapping[Path, Spot]:
    """Return the spot of every table, list, item and value of a TOML text.

    The text must be one that `tomllib` reads: what is no TOML is not noticed here. It may be nested
    as deep as Python can recurse.
    Source of the grammar: TOML 1.0.0.
    """
    return _Scanner(text).scan()


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of an offset, both from 1; a tab is one column."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._spots: dict[Path, Spot] = {}
        self._items: dict[Path, int] = {}

    def scan(self) -> dict[Path, Spot]:
        """Read statement after statement."""
        table: Path = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._statement(table)
            self._skip_blank()
        return self._spots

    def _header(self) -> Path:
        is_item = self._text.startswith("[[", self._at)
        self._at += 1 + is_item
        path: Path = ()
        keys = self._dotted_key()
        for number, (name, start, end) in enumerate(keys, 1):
            path = (*path, name)
            self._spots.setdefault(path, Spot(start, start, end))
            if is_item and number == len(keys):
                self._items[path] = self._items.get(path, 0) + 1
            if path in self._items:
                path = (*path, self._items[path] - 1)
                self._spots.setdefault(path, Spot(start, start, end))
        if not is_item:
            # A table may be opened after its own parts; what is said of it stands at its header.
            _, start, end = keys[-1]
            self._spots[path] = Spot(start, start, end)
        self._at = self._text.index("]", self._at) + 1 + is_item
        return path

    def _statement(self, table: Path) -> None:
        path, first = table, self._at
        for name, start, end in self._dotted_key():
            path, first = (*path, name), start
            self._spots.setdefault(path, Spot(start, start, end))
        self._at = self._text.index("=", self._at) + 1
        self._skip_blank()
        self._value(path, first)

    def _dotted_key(self) -> list[tuple[str, int, int]]:
        keys = []
        while True:
            self._skip_blank()
            start = self._at
            name = self._simple_key()
            keys.append((name, start, self._at))
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _simple_key(self) -> str:
        start = self._at
        quoted = self._text[start] in "\"'"
        match = (_SCALAR if quoted else _BARE).match(self._text, start)
        assert match is not None, "tomllib read this text, so a key stands here"
        self._at = match.end()
        return str(tomllib.loads(f"key = {match[0]}")["key"]) if quoted else match[0]

    def _value(self, path: Path, key: int) -> None:
        start = self._at
        if self._text[start] == "[":
            self._list(path)
        elif self._text[start] == "{":
            self._inline_table(path)
        else:
            match = _SCALAR.match(self._text, start)
            assert match is not None, "tomllib read this text, so a value stands here"
            self._at = match.end()
        self._spots[path] = Spot(key, start, self._at)

    def _list(self, path: Path) -> None:
        number = 0
        while self._next_part("]"):
            self._value((*path, number), self._at)
            number += 1

    def _inline_table(self, path: Path) -> None:
        while self._next_part("}"):
            self._statement(path)

    def _next_part(self, closing: str) -> bool:
        """Step over the opening sign or a comma; at the end, over the closing sign."""
        self._skip_blank()
        if self._text[self._at] != closing:
            self._at += self._text[self._at] in "[{,"
            self._skip_blank()
        if self._text[self._at] == closing:
            self._at += 1
            return False
        return True

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        assert match is not None, "it matches nothing too"
        self._at = match.end()
