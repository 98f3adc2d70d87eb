"""One JSON file of a card template under examination: every fault is named with its place."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loyalty_graph.errors import TemplateError
from loyalty_graph.wallet.placeholders import Name, PlaceholderError, compile_text, compile_tree


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file and the names that its placeholders may ask for."""

    path: Path
    data: Mapping[str, Any]
    vocabulary: Mapping[str, Name]

    def fault(self, place: str, words: str) -> TemplateError:
        """Return the error that says what is wrong where."""
        return TemplateError(f"{self.path}: {place}: {words}.")

    def check_absent(self, keys: tuple[str, ...]) -> None:
        """Refuse keys that are set for each card: a template that sets them would be ignored.

        Raises:
            TemplateError: One of them is there.
        """
        for key in keys:
            if key in self.data:
                raise self.fault(key, "is set for each pass; remove it from the template")

    def check_text(
        self, holder: Mapping[str, Any], key: str, place: str, *, needed: bool = False
    ) -> None:
        """Refuse what is no text, and a needed one that some cards would lack.

        Raises:
            TemplateError: It is such.
        """
        text = holder.get(key)
        if text is None and not needed:
            return
        if not isinstance(text, str) or not text:
            raise self.fault(place, 'must be a text; write numbers as "42"')
        optional = self._optional(self.names(text, place))
        if needed and optional:
            raise self.fault(place, f"is required, but {optional[0]} may have no value")

    def check_texts(self) -> None:
        """Refuse placeholders that mean nothing where a text is wanted.

        Raises:
            TemplateError: There is one.
        """
        for place, text in texts(self.data):
            self.names(text, place)

    def check_tree(self) -> None:
        """Refuse placeholders that mean nothing, in a file that may have numbers too.

        Raises:
            TemplateError: There is one.
        """
        for place, text in texts(self.data):
            try:
                compile_tree(text, self.vocabulary, essential=frozenset())
            except PlaceholderError as error:
                raise self.fault(place, str(error)) from None

    def objects(
        self, holder: Mapping[str, Any], key: str, prefix: str
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield place and object of each entry of a list.

        Raises:
            TemplateError: It is no list, or an entry is no object.
        """
        entries = holder.get(key, [])
        if not isinstance(entries, list):
            raise self.fault(f"{prefix}{key}", "must be a list")
        for index, entry in enumerate(entries):
            place = f"{prefix}{key}[{index}]"
            if not isinstance(entry, dict):
                raise self.fault(place, "must be an object")
            yield place, entry

    def names(self, text: str, place: str) -> frozenset[str]:
        """Return the names a text asks for.

        Raises:
            TemplateError: A placeholder means nothing.
        """
        try:
            return compile_text(text, self.vocabulary).names
        except PlaceholderError as error:
            raise self.fault(place, str(error)) from None

    def _optional(self, names: frozenset[str]) -> list[str]:
        return sorted(name for name in names if self.vocabulary[name].optional)


def parse(path: Path, data: bytes | None) -> dict[str, Any]:
    """Return the JSON object in a file; `data` is None when there is no such file.

    Raises:
        TemplateError: It is missing or no JSON object.
    """
    if data is None:
        raise TemplateError(f"{path}: a template needs this file.")
    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise TemplateError(f"{path}: this is not JSON: {error}.") from None
    if not isinstance(parsed, dict):
        raise TemplateError(f"{path}: this must be a JSON object.")
    return parsed


def texts(node: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield place and text of every text in a tree."""
    if isinstance(node, str):
        yield place, node
    elif isinstance(node, dict):
        for key, part in node.items():
            yield from texts(part, f"{place}.{key}" if place else key)
    elif isinstance(node, list):
        for index, part in enumerate(node):
            yield from texts(part, f"{place}[{index}]")
