"""Keyset paging: opaque cursors made of a list's sort key, and the page they lead to."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

from loyalty_graph.errors import InvalidInputError

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100
NUMBER_MAX = 2**63 - 1
CURSOR_CHARACTERS_MAX = 500

CursorPart: TypeAlias = datetime | UUID | int | str
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list, in the list's order."""

    rows: Sequence[Row]
    has_next: bool
    has_previous: bool


def page_size(first: int | None) -> int:
    """Return how many rows a page has; `None` means the default.

    Raises:
        InvalidInputError: `first` is below 1 or above 100.
    """
    if first is None:
        return PAGE_SIZE_DEFAULT
    if not 1 <= first <= PAGE_SIZE_MAX:
        raise InvalidInputError(
            f"first must be between 1 and {PAGE_SIZE_MAX}, not {first}.", field="first"
        )
    return first


def page_of(rows: Sequence[Row], *, size: int, after: object | None) -> Page[Row]:
    """Cut a page from `size + 1` rows: the row too many only tells that there are more.

    After a cursor there is at least the row it names, so a page with `after` has a previous one.
    """
    return Page(rows[:size], has_next=len(rows) > size, has_previous=after is not None)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The codec of one list's cursors: the list's name and the types of its sort key.

    A cursor is base64url of a JSON list. It is opaque, not secret: whoever changes one only starts
    elsewhere in a list they may read anyway.
    """

    list_name: str
    parts: tuple[type[CursorPart], ...]

    def encode(self, key: Sequence[CursorPart]) -> str:
        """Return the cursor of the row with this sort key."""
        assert len(key) == len(self.parts), "the sort key has the parts the codec was made for"
        document = json.dumps(
            [self.list_name, *(_to_json(part) for part in key)],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    def decode(self, text: str, *, argument: str = "after") -> tuple[CursorPart, ...]:
        """Return the sort key in a cursor.

        Raises:
            InvalidInputError: it is not one of this list's cursors; names the argument.
        """
        try:
            name, *values = _read_document(text)
            if name == self.list_name and len(values) == len(self.parts):
                return tuple(map(_from_json, values, self.parts))
        except (ValueError, TypeError):
            pass
        raise InvalidInputError(
            f"{argument} is not a cursor of this list; "
            "take it from pageInfo.endCursor or from an edge.",
            field=argument,
        )


def _read_document(text: str) -> list[object]:
    if len(text) > CURSOR_CHARACTERS_MAX:
        raise ValueError("too long for a cursor")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    document = json.loads(raw)
    if not isinstance(document, list):
        raise TypeError("a cursor holds a list")
    return document


def _to_json(part: CursorPart) -> int | str:
    if isinstance(part, datetime):
        return part.astimezone(UTC).isoformat()
    return str(part) if isinstance(part, UUID) else part


def _from_json(value: object, kind: type[CursorPart]) -> CursorPart:
    if kind is int:
        if type(value) is int and -NUMBER_MAX <= value <= NUMBER_MAX:
            return value
        raise TypeError("a whole number of 64 bits is expected")
    if not isinstance(value, str):
        raise TypeError("text is expected")
    if kind is datetime:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError("an aware instant is expected")
        return instant
    return UUID(value) if kind is UUID else value
