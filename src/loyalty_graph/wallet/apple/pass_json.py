"""Checks a finished pass.json: what a phone needs, and what readers are known to stumble over."""

import json
from collections.abc import Iterator
from typing import Any

STYLES = ("storeCard", "generic", "coupon", "eventTicket", "boardingPass")
REQUIRED_TEXTS = (
    "description",
    "organizationName",
    "passTypeIdentifier",
    "serialNumber",
    "teamIdentifier",
)
BARCODE_TEXTS = ("format", "message", "messageEncoding")
TOKEN_CHARACTERS_MIN = 16


class PassJsonError(ValueError):
    """A JSON member that a phone would refuse or show wrongly; the message says where."""


def parse_object(name: str, data: bytes) -> dict[str, Any]:
    """Return the JSON object in a member; a key that stands there twice is refused.

    Raises:
        PassJsonError: it is not JSON, or not an object.
    """
    try:
        parsed = json.loads(data, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise PassJsonError(f"{name} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise PassJsonError(f"{name} is not a JSON object")
    return parsed


def check_card(card: dict[str, Any]) -> None:
    """Check a pass.json as far as one can without a phone.

    Raises:
        PassJsonError: the first thing that is wrong.
    """
    if card.get("formatVersion") != 1:
        raise PassJsonError("formatVersion is not 1")
    for key in REQUIRED_TEXTS:
        _check_text(card.get(key), key)
    styles = [style for style in STYLES if style in card]
    if len(styles) != 1:
        raise PassJsonError(f"exactly one of {', '.join(STYLES)} belongs there")
    _check_fields(card, styles[0])
    for place, barcode in _objects(card, "barcodes"):
        for key in BARCODE_TEXTS:
            _check_text(barcode.get(key), f"{place}.{key}")
    _check_web_service(card)


def _check_fields(card: dict[str, Any], style: str) -> None:
    if not isinstance(card[style], dict):
        raise PassJsonError(f"{style} is not an object")
    keys: set[str] = set()
    for section in card[style]:
        if not section.endswith("Fields"):
            continue
        for place, entry in _objects(card[style], section):
            _check_text(entry.get("key"), f"{place}.key")
            # Readers show a number that is no text as an empty field.
            _check_text(entry.get("value"), f"{place}.value")
            if entry["key"] in keys:
                raise PassJsonError(f"{place}.key: {entry['key']} stands there already")
            keys.add(entry["key"])


def _check_web_service(card: dict[str, Any]) -> None:
    url, token = card.get("webServiceURL"), card.get("authenticationToken")
    if (url is None) != (token is None):
        raise PassJsonError("webServiceURL and authenticationToken belong together")
    if url is None:
        return
    _check_text(url, "webServiceURL")
    _check_text(token, "authenticationToken")
    if len(str(token)) < TOKEN_CHARACTERS_MIN:
        raise PassJsonError(f"authenticationToken is shorter than {TOKEN_CHARACTERS_MIN}")


def _check_text(value: object, place: str) -> None:
    if not isinstance(value, str):
        raise PassJsonError(f"{place} is not a text")
    if not value:
        raise PassJsonError(f"{place} is empty")


def _objects(holder: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = holder.get(key, [])
    if not isinstance(entries, list):
        raise PassJsonError(f"{key} is not a list")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise PassJsonError(f"{key}[{index}] is not an object")
        yield f"{key}[{index}]", entry


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PassJsonError("a key stands there twice")
    return found
