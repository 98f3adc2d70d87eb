"""The languages of a card template: `xx.lproj/pass.strings`, and what becomes of them.

The text as it stands in the template is the key; it is English. Texts without placeholders go into
the pass file, and the phone puts them into its own language. Texts with placeholders are filled by
us, in the language of the member. Google gets the class in every language side by side, the object
in the member's language: with all of them a save link would be too long to hold it.
Source: Apple, Wallet Developer Guide, "Localize passes"; Google Wallet API, LocalizedString.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loyalty_graph.errors import TemplateError
from loyalty_graph.wallet.pass_checks import CHANGED_VALUE, STYLE
from loyalty_graph.wallet.placeholders import (
    OPENING,
    Name,
    PlaceholderError,
    compile_text,
    compile_tree,
)
from loyalty_graph.wallet.template_document import texts
from loyalty_graph.wallet.words import FALLBACK, language

STRINGS_FILE = "pass.strings"
FOLDER = re.compile(r"([a-z]{2,3}(?:-[A-Za-z]{2,4})?)\.lproj")
ENTRY = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*=\s*"((?:[^"\\]|\\.)*)"\s*;', re.DOTALL)
COMMENT = re.compile(r"\s*/\*.*?\*/", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
APPLES = ("label", "value", "changeMessage")
"""What phones look up."""
DESCRIPTION = "description"
GOOGLES = {
    "label": "localizedLabel",
    "header": "localizedHeader",
    "body": "localizedBody",
    "accountIdLabel": "localizedAccountIdLabel",
    "accountNameLabel": "localizedAccountNameLabel",
    "rewardsTierLabel": "localizedRewardsTierLabel",
}
"""Google's texts, and where their translations stand."""

Table = Mapping[str, str]
Languages = Mapping[str, Table]
Said = tuple[str, str, str]
"""(file, place, text)"""


def language_of(folder: str) -> str | None:
    """Return the language of a folder such as de.lproj; None for another folder."""
    match = FOLDER.fullmatch(folder)
    return match[1] if match else None


def read_strings(path: Path, data: bytes) -> Table:
    """Return the texts of a file with lines such as `"Tier" = "Stufe";`.

    Raises:
        TemplateError: It cannot be read, or a key stands there twice.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: this is not UTF-8: {error}.") from None
    found: dict[str, str] = {}
    place = 0
    while text[place:].strip():
        if comment := COMMENT.match(text, place):
            place = comment.end()
            continue
        entry = ENTRY.match(text, place)
        if entry is None:
            line = text.count("\n", 0, place + len(text[place:]) - len(text[place:].lstrip())) + 1
            raise TemplateError(f'{path}: line {line}: write it as "English" = "translated";')
        key, value = (_unescaped(part) for part in entry.groups())
        if key in found:
            raise TemplateError(f"{path}: {key}: stands there already.")
        found[key] = value
        place = entry.end()
    return found


def check_strings(
    folder: Path, texts_: Sequence[Said], languages: Languages, vocabulary: Mapping[str, Name]
) -> None:
    """Refuse languages that lack a text of the card, or say it with other placeholders.

    Raises:
        TemplateError: One does.
    """
    if languages and FALLBACK not in languages:
        path = folder / f"{FALLBACK}.lproj" / STRINGS_FILE
        raise TemplateError(
            f"{path}: a template in several languages needs this file; other phones show it."
        )
    for code, table in languages.items():
        path = folder / f"{code}.lproj" / STRINGS_FILE
        for file, place, text in texts_:
            if text not in table:
                raise TemplateError(f'{path}: "{text}" is missing; {file} says it at {place}.')
        for key, value in table.items():
            if _parts(key, vocabulary, path) != _parts(value, vocabulary, path):
                raise TemplateError(
                    f'{path}: "{key}": the translation must have the same placeholders.'
                )


def said(file: str, tree: Mapping[str, Any]) -> list[Said]:
    """Return what a file of a template says in words of its own: file, place and text."""
    if STYLE in tree:
        description = str(tree.get(DESCRIPTION, ""))
        found = [(DESCRIPTION, description)] if _says_something(description) else []
        found += _shown(tree[STYLE], APPLES, STYLE)
    else:
        found = list(_shown(tree, GOOGLES))
    return [(file, place, text) for place, text in found]


def for_phones(table: Table) -> bytes:
    """Return the pass.strings of one language for the pass file: what the phone looks up."""
    lines = (
        f'"{_escaped(key)}" = "{_escaped(value)}";\n'
        for key, value in sorted(table.items())
        if OPENING not in key
    )
    return "".join(lines).encode()


class Spoken:
    """A tree with placeholders, compiled once for each language of its template."""

    def __init__(
        self,
        tree: Mapping[str, Any],
        languages: Languages,
        vocabulary: Mapping[str, Name],
        *,
        essential: frozenset[str],
        wholly: bool = False,
    ) -> None:
        self._trees = {
            one: compile_tree(
                translated(tree, table, wholly=wholly), vocabulary, essential=essential
            )
            for one, table in (languages or {FALLBACK: {}}).items()
        }
        self._known = tuple(self._trees)

    def fill(self, values: Mapping[str, object], locale: str) -> dict[str, Any]:
        """Return the tree with its texts filled, in the language of a locale or in English."""
        filled: dict[str, Any] = self._trees[language(locale, self._known)].fill(values, locale)
        return filled


def with_languages(node: Any, languages: Languages) -> Any:
    """Return a tree for Google in which texts without placeholders stand in every language."""
    if isinstance(node, list):
        return [with_languages(part, languages) for part in node]
    if not isinstance(node, dict):
        return node
    tree = {key: with_languages(part, languages) for key, part in node.items()}
    for key, localized in GOOGLES.items():
        text = node.get(key)
        if isinstance(text, str) and text in languages.get(FALLBACK, {}) and OPENING not in text:
            tree[localized] = _localized(text, languages)
    return tree


def translated(node: Any, table: Table, *, wholly: bool = False) -> Any:
    """Return a tree with its sentences in the language of a table.

    That is texts with placeholders; `wholly` also those that Google has no other language for.
    """
    if isinstance(node, str):
        return table.get(node, node) if OPENING in node else node
    if isinstance(node, dict):
        return {
            key: table.get(part, part)
            if wholly and key in GOOGLES and isinstance(part, str)
            else translated(part, table, wholly=wholly)
            for key, part in node.items()
        }
    if isinstance(node, list):
        return [translated(part, table, wholly=wholly) for part in node]
    return node


def _localized(text: str, languages: Languages) -> dict[str, Any]:
    return {
        "defaultValue": {"language": FALLBACK, "value": languages[FALLBACK][text]},
        "translatedValues": [
            {"language": code, "value": table[text]}
            for code, table in sorted(languages.items())
            if code != FALLBACK and text in table
        ],
    }


def _shown(node: Any, keys: Container[str], place: str = "") -> Iterator[tuple[str, str]]:
    """Yield place and text of what a card says under these keys in words of its own."""
    for where, text in texts(node, place):
        key = where.rpartition(".")[2]
        if key in keys and _says_something(text):
            yield where, text


def _says_something(text: str) -> bool:
    """Return whether a text has words of its own between its placeholders."""
    return any(map(str.isalpha, re.sub(r"\{\{.*?\}\}|%@", "", text)))


def _parts(text: str, vocabulary: Mapping[str, Name], path: Path) -> tuple[frozenset[str], int]:
    try:
        return compile_text(text, vocabulary).names, text.count(CHANGED_VALUE)
    except PlaceholderError as error:
        raise TemplateError(f'{path}: "{text}": {error}.') from None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
