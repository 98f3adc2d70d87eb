"""Reads card templates: a folder with pass.json and images, checked whole before it is used."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loyalty_graph.errors import TemplateError
from loyalty_graph.wallet import images
from loyalty_graph.wallet.colours import CONTRAST_MIN, Colour, contrast, parse_colour
from loyalty_graph.wallet.face import VOCABULARY
from loyalty_graph.wallet.placeholders import PlaceholderError, Text, compile_text

CARD_FILE = "pass.json"
STYLE = "storeCard"
TOTAL_BYTES_MAX = 256 * 1024
REQUIRED_TEXTS = ("organizationName", "description")
COLOURS = ("backgroundColor", "foregroundColor", "labelColor")
# These belong to one pass or to its certificate; a template that sets them would be ignored.
SET_PER_PASS = (
    "passTypeIdentifier",
    "teamIdentifier",
    "serialNumber",
    "authenticationToken",
    "webServiceURL",
)
SECTIONS = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields", "backFields")
BARCODE_FORMATS = tuple(f"PKBarcodeFormat{name}" for name in ("QR", "PDF417", "Aztec", "Code128"))
CHANGED_VALUE = "%@"


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template: its pass.json with placeholders, and its images by file name.

    `digest` changes with any byte of either that matters.
    """

    name: str
    digest: str
    card: Mapping[str, Any] = field(repr=False)
    images: Mapping[str, bytes] = field(repr=False)


def load_template(folder: Path) -> Template:
    """Read and check a template folder.

    Raises:
        TemplateError: a file is missing or cannot be used; the message names file and place.
    """
    files = _read_files(folder)
    card = _parse(folder / CARD_FILE, files.pop(CARD_FILE, None))
    _check_images(folder, files)
    _PassJson(folder / CARD_FILE, card).check()
    digest = hashlib.sha256(json.dumps(card).encode())
    for name in sorted(files):
        digest.update(name.encode() + hashlib.sha256(files[name]).digest())
    return Template(folder.name, digest.hexdigest(), card, files)


def _read_files(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise TemplateError(f"{folder}: there is no such template folder.")
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.is_file():
            raise TemplateError(f"{path}: a template has files only, no folders.")
        files[path.name] = path.read_bytes()
    total = sum(map(len, files.values()))
    if total > TOTAL_BYTES_MAX:
        raise TemplateError(
            f"{folder}: {total:,} bytes; every phone loads them with each change, "
            f"so {TOTAL_BYTES_MAX:,} is the limit. Make the images smaller."
        )
    return files


def _parse(path: Path, data: bytes | None) -> dict[str, Any]:
    if data is None:
        raise TemplateError(f"{path}: a template needs this file.")
    try:
        card = json.loads(data)
    except ValueError as error:
        raise TemplateError(f"{path}: this is not JSON: {error}.") from None
    if not isinstance(card, dict):
        raise TemplateError(f"{path}: this must be a JSON object.")
    return card


def _check_images(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        fault = images.fault(name, data)
        if fault:
            raise TemplateError(f"{folder / name}: {fault}.")
    absent = images.missing(set(files))
    if absent:
        raise TemplateError(f"{folder / absent}: a store card needs this image.")


@dataclass(frozen=True, slots=True)
class _PassJson:
    """One pass.json under examination."""

    path: Path
    card: Mapping[str, Any]

    def check(self) -> None:
        if self.card.get("formatVersion") != 1:
            raise self._fault("formatVersion", "must be 1")
        for key in SET_PER_PASS:
            if key in self.card:
                raise self._fault(key, "is set for each pass; remove it from the template")
        for key in REQUIRED_TEXTS:
            self._check_text(self.card, key, key, needed=True)
        self._check_colours()
        self._check_barcodes()
        self._check_fields()
        for place, text in _texts(self.card, ""):
            self._compiled(text, place)

    def _check_text(
        self, holder: Mapping[str, Any], key: str, place: str, *, needed: bool = False
    ) -> None:
        text = holder.get(key)
        if text is None and not needed:
            return
        if not isinstance(text, str) or not text:
            raise self._fault(place, 'must be a text; write numbers as "42"')
        optional = sorted(
            name for name in self._compiled(text, place).names if VOCABULARY[name].optional
        )
        if needed and optional:
            raise self._fault(place, f"is required, but {optional[0]} may have no value")

    def _check_colours(self) -> None:
        found: dict[str, Colour] = {}
        for key in COLOURS:
            colour = parse_colour(str(self.card.get(key)))
            if colour is None:
                raise self._fault(key, 'must be a colour such as "rgb(20, 56, 41)"')
            found[key] = colour
        for key in COLOURS[1:]:
            ratio = contrast(found["backgroundColor"], found[key])
            if ratio < CONTRAST_MIN:
                raise self._fault(
                    key,
                    f"has a contrast of {ratio:.2f} with the background; "
                    f"text needs {CONTRAST_MIN} (WCAG 1.4.3)",
                )

    def _check_barcodes(self) -> None:
        for place, barcode in self._objects(self.card, "barcodes", ""):
            if barcode.get("format") not in BARCODE_FORMATS:
                raise self._fault(f"{place}.format", f"must be one of {', '.join(BARCODE_FORMATS)}")
            self._check_text(barcode, "message", f"{place}.message", needed=True)
            self._check_text(barcode, "messageEncoding", f"{place}.messageEncoding", needed=True)
            self._check_text(barcode, "altText", f"{place}.altText")

    def _check_fields(self) -> None:
        style = self.card.get(STYLE)
        if not isinstance(style, dict):
            raise self._fault(STYLE, "is missing; a loyalty card is a store card")
        keys: set[str] = set()
        for section in style:
            if section not in SECTIONS:
                raise self._fault(f"{STYLE}.{section}", f"is not one of {', '.join(SECTIONS)}")
            for place, entry in self._objects(style, section, f"{STYLE}."):
                self._check_field(place, entry, keys)

    def _check_field(self, place: str, entry: Mapping[str, Any], keys: set[str]) -> None:
        key = entry.get("key")
        if not isinstance(key, str) or not key or key in keys:
            fault = f"{key} stands there already" if key in keys else "must be a text"
            raise self._fault(f"{place}.key", f"{fault}; every field needs its own key")
        keys.add(key)
        if "value" not in entry:
            raise self._fault(f"{place}.value", "is missing")
        for part in ("value", "label", "changeMessage"):
            self._check_text(entry, part, f"{place}.{part}")
        if CHANGED_VALUE not in entry.get("changeMessage", CHANGED_VALUE):
            raise self._fault(
                f"{place}.changeMessage", f"needs {CHANGED_VALUE}, where the new value is put"
            )

    def _objects(
        self, holder: Mapping[str, Any], key: str, prefix: str
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        entries = holder.get(key, [])
        if not isinstance(entries, list):
            raise self._fault(f"{prefix}{key}", "must be a list")
        for index, entry in enumerate(entries):
            place = f"{prefix}{key}[{index}]"
            if not isinstance(entry, dict):
                raise self._fault(place, "must be an object")
            yield place, entry

    def _compiled(self, text: str, place: str) -> Text:
        try:
            return compile_text(text, VOCABULARY)
        except PlaceholderError as error:
            raise self._fault(place, str(error)) from None

    def _fault(self, place: str, words: str) -> TemplateError:
        return TemplateError(f"{self.path}: {place}: {words}.")


def _texts(node: object, place: str) -> Iterator[tuple[str, str]]:
    """Yield place and text of every text in a tree."""
    if isinstance(node, str):
        yield place, node
    elif isinstance(node, dict):
        for key, part in node.items():
            yield from _texts(part, f"{place}.{key}" if place else key)
    elif isinstance(node, list):
        for index, part in enumerate(node):
            yield from _texts(part, f"{place}[{index}]")
