"""What is wrong with a programme file, in plain words, each fault with its place in the file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from loyalty_graph.errors import ProgramFileError, shown
from loyalty_graph.programs.places import Path, Spot, line_and_column, spots

FAULTS_MAX = 50
KNOWN_SHOWN_MAX = 12
INT_MAX = 2**63 - 1
NESTING_MAX = 40
BEGINNING_MIN = 3

FORMS = {
    r"^[A-Z][A-Z0-9_]*$": "capital letters, digits and _, such as GOLD_2",
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "small letters, digits and hyphens, such as corner-grocer",
}
"""What patterns of the settings ask for, in words."""

_PLACE_AHEAD = re.compile(r"((?:\w+|\[\d+\])(?:\.\w+|\[\d+\])*)(?: \(\w+\))?: ", re.ASCII)
_STEP = re.compile(r"(\w+)|\[(\d+)\]", re.ASCII)
_WORD = re.compile(r"\w+", re.ASCII)
_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, at the way to it through the file.

    `at_key` points at the name, not at the value.
    """

    path: Path
    message: str
    at_key: bool = False


class Source:
    """A programme file: what it is called, its data, and its text where there is one."""

    def __init__(self, name: str, data: Mapping[str, Any], text: str | None = None) -> None:
        self.name = name
        self.data = data
        self._text = text
        self._found: Mapping[Path, Spot] | None = None

    def refusal(self, faults: Iterable[Fault]) -> ProgramFileError:
        """Return the error that tells all these faults, in the order of the file."""
        placed = sorted(((self._offset(one), one) for one in faults), key=lambda pair: pair[0])
        told = [self._told(offset, one) for offset, one in placed[:FAULTS_MAX]]
        if len(placed) > FAULTS_MAX:
            told.append(f"{self.name}: and {len(placed) - FAULTS_MAX} more faults.")
        return ProgramFileError(*dict.fromkeys(told))

    def _told(self, offset: int, fault: Fault) -> str:
        place = self.name
        if self._text is not None:
            line, column = line_and_column(self._text, offset)
            place = f"{self.name}:{line}:{column}"
        ending = "" if fault.message.endswith("?") else "."
        return f"{place}: {_path_text(fault.path)}: {fault.message}{ending}"

    def _offset(self, fault: Fault) -> int:
        if self._text is None:
            return 0
        if self._found is None:
            try:
                self._found = spots(self._text)
            except RecursionError:
                self._found = {}
        path = fault.path
        while path and path not in self._found:
            path = path[:-1]
        if not path:
            return 0
        spot = self._found[path]
        # What is missing has no place of its own; the table that lacks it is named.
        return spot.key if fault.at_key or path != fault.path else spot.start


def _path_text(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown(text.removeprefix(".")) or "file"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" without its end, or else what is known, or nothing.

    >>> did_you_mean("CAEK", ["CAKE", "POST"])
    '; did you mean CAKE?'
    """
    names = list(known)
    lower = {one.lower(): one for one in names}
    begins = [one for one in lower if len(name) >= BEGINNING_MIN and one.startswith(name.lower())]
    if close := begins or get_close_matches(name.lower(), lower, n=1):
        return f"; did you mean {lower[close[0]]}?"
    if not 0 < len(names) <= KNOWN_SHOWN_MAX:
        return ""
    return f"; known here: {', '.join(names)}"


def fault_of(message: str, at: Path, data: Any) -> Fault:
    """Return the fault that a sentence tells; a place at its beginning leads on from `at`.

    "levels[1] (GOLD): entry 5 is not ..." at tiers becomes a fault of tiers.levels[1].entry.
    """
    match = _PLACE_AHEAD.match(message)
    if match is None:
        return Fault(at, message)
    steps = [name or int(number) for name, number in _STEP.findall(match[1])]
    path = (*at, *steps)
    if _at(data, path) is None:
        return Fault(at, message)
    rest = message[match.end() :]
    word = _WORD.match(rest)
    if word is not None and isinstance(_at(data, path), Mapping) and word[0] in _at(data, path):
        return Fault((*path, word[0]), rest)
    return Fault(path, rest)


def faults_of(
    errors: Iterable[Mapping[str, Any]], data: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[Fault]:
    """Yield what pydantic found wrong with `data`, whose JSON Schema is `schema`."""
    for error in errors:
        path = _path_in(data, error)
        kind = error["type"]
        if kind == "extra_forbidden":
            name = shown(str(path[-1]))
            instead = did_you_mean(name, fields_at(schema, path[:-1]))
            told = f"there is no setting {name} here{instead}"
            yield Fault(path, told, at_key=True)
        elif kind == "missing":
            yield Fault(path, "is missing", at_key=True)
        elif kind == "value_error":
            yield fault_of(error["msg"].removeprefix("Value error, "), path, data)
        else:
            yield Fault(path, _in_words(error), at_key=error["loc"][-1:] == ("[key]",))


def _in_words(error: Mapping[str, Any]) -> str:
    kind, limits, given = error["type"], error.get("ctx", {}), error["input"]
    if kind in {"enum", "literal_error"}:
        words = _QUOTED.findall(str(limits.get("expected", "")))
        return f"{_given(given)} is none of {', '.join(words)}{_suggested(given, words)}"
    if kind in {"greater_than_equal", "less_than_equal"}:
        limit = limits["ge"] if "ge" in limits else limits["le"]
        bound = "at least" if "ge" in limits else "at most"
        number = f"{limit:,}" if isinstance(limit, int) else limit
        return f"should be {bound} {number}, not {_given(given)}"
    if kind == "string_pattern_mismatch":
        pattern = limits["pattern"]
        return f"{_given(given)} cannot be used; write {FORMS.get(pattern, f'it as {pattern}')}"
    message = error["msg"].replace("valid tuple", "list").replace("valid dictionary", "table")
    message = re.sub(" or instance of \\w+", "", message)
    told = re.sub(r"^(Input|String|Value|Tuple|Dictionary|Decimal input) should", "should", message)
    scalar = isinstance(given, str | int | float) and kind != "string_too_long"
    return f"{told}, not {_given(given)}" if scalar and told != message else told


def _given(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) <= INT_MAX:
        return f"{value:,}"
    if isinstance(value, float):
        return str(value)
    return shown(f'"{value}"' if isinstance(value, str) else type(value).__name__)


def _suggested(given: Any, words: Sequence[str]) -> str:
    close = did_you_mean(given, words) if isinstance(given, str) else ""
    return close if "did you mean" in close else ""


def _path_in(data: Mapping[str, Any], error: Mapping[str, Any]) -> Path:
    """Return the way through the data; pydantic's own also names the branches of unions."""
    path: Path = ()
    here: Any = data
    for part in error["loc"]:
        in_table = isinstance(here, Mapping) and part in here
        if in_table or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            path, here = (*path, part), here[part]
    if error["type"] == "missing":
        path = (*path, error["loc"][-1])
    return path


def fields_at(schema: Mapping[str, Any], path: Path) -> list[str]:
    """Return the settings that the JSON Schema of the file knows at a way through it."""
    nodes: list[Mapping[str, Any]] = [schema]
    for part in path:
        nodes = _below(_branches(schema, nodes), part)
    found = (name for node in _branches(schema, nodes) for name in node.get("properties", {}))
    return list(dict.fromkeys(found))


def _below(nodes: Iterable[Mapping[str, Any]], part: str | int) -> list[Mapping[str, Any]]:
    """Return the nodes of a JSON Schema for a part of what these nodes describe."""
    below = (
        node.get("items")
        if isinstance(part, int)
        else node.get("properties", {}).get(part, node.get("additionalProperties"))
        for node in nodes
    )
    return [one for one in below if isinstance(one, Mapping)]


def _branches(schema: Mapping[str, Any], nodes: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for node in nodes:
        if "$ref" in node:
            yield from _branches(schema, [schema["$defs"][node["$ref"].rpartition("/")[2]]])
        yield node
        for several in ("anyOf", "oneOf", "allOf"):
            yield from _branches(schema, node.get(several, ()))


def unstorable(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what no version can hold, whatever the setting: depth, huge numbers, NUL."""
    waiting: list[tuple[Path, Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > NESTING_MAX:
            yield Fault(path[:3], f"is nested deeper than {NESTING_MAX} levels")
        elif isinstance(value, Mapping):
            waiting += [((*path, name), part) for name, part in value.items()]
            for name in islice((one for one in value if "\0" in one), 1):
                yield Fault((*path, name), "the name holds the character NUL", at_key=True)
        elif isinstance(value, list):
            waiting += [((*path, number), part) for number, part in enumerate(value)]
        elif isinstance(value, str) and "\0" in value:
            yield Fault(path, "holds the character NUL")
        elif isinstance(value, int) and abs(value) > INT_MAX:
            yield Fault(path, f"should be within {INT_MAX:,}")


def mistyped(data: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the numbers and switches that are written as something else, such as 500.00 or "12".

    pydantic would take them, and who means 500 euros by 500.00 would get a tier at 5.00.
    """
    waiting: list[tuple[Path, Any, list[Mapping[str, Any]]]] = [((), data, [schema])]
    while waiting:
        path, value, nodes = waiting.pop()
        branches = [*_branches(schema, nodes)]
        if isinstance(value, Mapping | list):
            parts = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting += [((*path, part), below, _below(branches, part)) for part, below in parts]
        elif told := _other_type(value, {node.get("type") for node in branches}):
            unit = (
                "; money is in its smallest unit: 12.50 is 1250" if _is_money(path, value) else ""
            )
            yield Fault(path, f"{told}, not {_given(value)}{unit}")


def _other_type(value: Any, types: set[Any]) -> str | None:
    """Return what a value should be instead, None when it is of one of these types.

    What pydantic refuses by itself is left to it.
    """
    is_switch, is_text = isinstance(value, bool), isinstance(value, str)
    if "integer" in types and "number" not in types:
        if is_switch or isinstance(value, float) or (is_text and "string" not in types):
            return f"should be a whole number{' without quotes' if is_text else ''}"
    elif types - {None, "null"} == {"boolean"} and not is_switch:
        return "should be true or false"
    return None


def _is_money(path: Path, value: Any) -> bool:
    name = str(path[-1])
    return isinstance(value, float) and (name.endswith("_minor") or name in {"entry", "keep"})


def _at(data: Any, path: Path) -> Any:
    for part in path:
        in_table = isinstance(data, Mapping) and part in data
        if not in_table and not (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            return None
        data = data[part]
    return data
