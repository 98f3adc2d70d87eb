"""What a simulated phone holds: passes taken from verified files, and what an update changed."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from loyalty_graph.wallet.apple.archive import PASS_JSON
from loyalty_graph.wallet.apple.pass_json import STYLES, parse_object
from loyalty_graph.wallet.apple.reading import read_members

SECTIONS = (
    "headerFields",
    "primaryFields",
    "secondaryFields",
    "auxiliaryFields",
    "backFields",
)
LOCALISED = {"label", "value", "changeMessage", "logoText", "description", "organizationName"}
STRINGS_ENTRY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*=\s*"((?:[^"\\]|\\.)*)"\s*;')
ESCAPED = re.compile(r"\\(.)")
PLACEHOLDER = "%@"


class Change(BaseModel):
    """A field that an update changed; `message` is what the phone says of it, if anything."""

    label: str
    before: str
    after: str
    message: str | None


class HeldPass(BaseModel):
    """A pass as a phone holds it.

    Attributes:
        card: The pass.json in the phone's language.
        last_modified: The header of the answer that brought it, to be sent back word for word.
        changes: What the last update changed.
        versions: How many files of it the phone has had.
    """

    serial: str
    pass_type: str
    service_url: str | None
    token: str | None
    card: dict[str, Any]
    last_modified: str | None
    added_at: datetime
    updated_at: datetime
    changes: list[Change] = []
    versions: int = 1

    @property
    def name(self) -> str:
        """Return what the pass calls itself."""
        return str(self.card.get("logoText") or self.card.get("organizationName", ""))

    def fields(self, section: str) -> list[dict[str, Any]]:
        """Return the fields of one section, such as `primaryFields`."""
        style = next(one for one in STYLES if one in self.card)
        found: list[dict[str, Any]] = self.card[style].get(section, [])
        return found

    def notice(self) -> str | None:
        """Return what the phone's lock screen says of the last update, if anything.

        One change message is shown as it is; when several fields have one, the phone only says
        that the pass has changed.
        """
        told = [one.message for one in self.changes if one.message]
        return told[0] if len(told) == 1 else f"{self.name} has changed." if told else None


def take(
    data: bytes,
    *,
    language: str,
    last_modified: str | None,
    previous: HeldPass | None,
    now: datetime,
) -> HeldPass:
    """Return the pass in a file that was verified, as the version after `previous`."""
    members = read_members(data)
    card = parse_object(PASS_JSON, members[PASS_JSON])
    strings = _strings(members, language)
    held = HeldPass(
        serial=card["serialNumber"],
        pass_type=card["passTypeIdentifier"],
        service_url=None if (url := card.get("webServiceURL")) is None else url.rstrip("/"),
        token=card.get("authenticationToken"),
        card=_localised(card, strings),
        last_modified=last_modified,
        added_at=now,
        updated_at=now,
    )
    if previous is None:
        return held
    changed = {
        "added_at": previous.added_at,
        "changes": list(_changes(previous, held)),
        "versions": previous.versions + 1,
    }
    return held.model_copy(update=changed)


def _changes(before: HeldPass, after: HeldPass) -> Iterator[Change]:
    known = {field["key"]: field for section in SECTIONS for field in before.fields(section)}
    for section in SECTIONS:
        for field in after.fields(section):
            old, new = known.get(field["key"], {}).get("value", ""), field["value"]
            if old == new:
                continue
            message = field.get("changeMessage")
            told = message.replace(PLACEHOLDER, new) if message else None
            yield Change(
                label=field.get("label") or field["key"], before=old, after=new, message=told
            )


def _localised(value: Any, strings: Mapping[str, str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _localised(one, strings, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_localised(one, strings, key) for one in value]
    return strings.get(value, value) if key in LOCALISED and isinstance(value, str) else value


def _strings(members: Mapping[str, bytes], language: str) -> dict[str, str]:
    """Return the texts of a language, from `xx.lproj/pass.strings` in UTF-8 or UTF-16."""
    data = members.get(f"{language}.lproj/pass.strings", b"")
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    return {_unescaped(key): _unescaped(value) for key, value in STRINGS_ENTRY.findall(text)}


def _unescaped(text: str) -> str:
    return ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)
