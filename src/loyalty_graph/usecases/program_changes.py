"""What differs between two versions of a programme file, place by place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAMED_BY = ("code", "product_types")
"""What an entry of a list is known by, so that one more in front changes no other place."""

EMPTY: tuple[Any, ...] = ([], {}, "", None)


@dataclass(frozen=True, slots=True)
class Change:
    """A place in the file and its values; None where there was, or is, nothing."""

    place: str
    before: Any
    after: Any


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs between two files as JSON values, in the order of their places."""
    old, new = dict(_places("", before)), dict(_places("", after))
    return [
        Change(place, old.get(place), new.get(place))
        for place in sorted(old.keys() | new.keys())
        if old.get(place) != new.get(place)
    ]


def _places(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _places(f"{place}.{name}".removeprefix("."), part)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for number, part in enumerate(value):
            yield from _places(f"{place}[{_name(part, number)}]", part)
    elif value not in EMPTY:
        yield place, value


def _name(part: Mapping[str, Any], number: int) -> str:
    known = next((part[name] for name in NAMED_BY if part.get(name)), number)
    return "+".join(known) if isinstance(known, list) else str(known)
