"""Reads card templates: a folder with both platforms' JSON and images, checked whole before use."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loyalty_graph.errors import TemplateError
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet import images
from loyalty_graph.wallet.colours import Colour, parse_colour
from loyalty_graph.wallet.face import PROGRAM, VOCABULARY, CardFace, program_values
from loyalty_graph.wallet.google_checks import check_class, check_object
from loyalty_graph.wallet.pass_checks import SECTIONS, STYLE, check_pass
from loyalty_graph.wallet.placeholders import Kind, Name
from loyalty_graph.wallet.template_document import Document, parse

__all__ = ["SECTIONS", "STYLE", "TOTAL_BYTES_MAX", "Template", "load_template"]

CARD_FILE, CLASS_FILE, OBJECT_FILE = "pass.json", "google.class.json", "google.object.json"
TOTAL_BYTES_MAX = 256 * 1024
BACKGROUND = "colours.background"


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template: its JSON files with placeholders, and its images by file name.

    `card` is Apple's pass.json; `google_class` and `google_object` are Google's LoyaltyClass and
    LoyaltyObject. `images` are all there are; `images_of` are those of one card. `digest` changes
    with any byte that matters.
    """

    name: str
    digest: str
    card: Mapping[str, Any] = field(repr=False)
    google_class: Mapping[str, Any] = field(repr=False)
    google_object: Mapping[str, Any] = field(repr=False)
    images: Mapping[str, bytes] = field(repr=False)

    @property
    def class_vocabulary(self) -> Mapping[str, Name]:
        """Return what `google_class` may ask for: the programme, and images by their addresses."""
        return _google_vocabulary(PROGRAM, self.images)

    @property
    def object_vocabulary(self) -> Mapping[str, Name]:
        """Return what `google_object` may ask for: what the card shows, and images."""
        return _google_vocabulary(VOCABULARY, self.images)

    def class_values(self, settings: ProgramSettings, *, public_url: str) -> dict[str, Any]:
        """Return the values of `class_vocabulary`; images lie under `public_url`."""
        colour = parse_colour(settings.branding.background)
        return {
            **program_values(settings),
            **self._addresses((), public_url),
            BACKGROUND: self._background(colour),
        }

    def object_values(self, face: CardFace, *, public_url: str) -> dict[str, Any]:
        """Return the values of `object_vocabulary`; images lie under `public_url`."""
        return {
            **face.values(),
            **self._addresses((), public_url),
            BACKGROUND: self._background(face.colours.background if face.colours else None),
        }

    def images_of(self, _face: CardFace | None = None) -> dict[str, bytes]:
        """Return the images that the pass file of one card carries, by their names there."""
        found = images.chosen(self.images, ())
        return {name: self.images[file] for name, file in found.items() if _is_apples(name)}

    def _addresses(self, variants: tuple[str, ...], public_url: str) -> dict[str, str]:
        files = images.chosen(self.images, variants)
        addresses = {}
        for base in images.bases(self.images):
            name = images.largest(base, files)
            assert name is not None, "a base was found by its file"
            addresses[f"art.{base}"] = f"{public_url}/card-art/{self.digest}/{files[name]}"
        return addresses

    def _background(self, colour: Colour | None) -> str:
        own = parse_colour(self.card["backgroundColor"])
        assert own is not None, "a template's colours were checked when it was read"
        return (colour or own).hex


def load_template(folder: Path) -> Template:
    """Read and check a template folder.

    Raises:
        TemplateError: a file is missing or cannot be used; the message names file and place.
    """
    files = _read_files(folder)
    card, google_class, google_object = (
        parse(folder / name, files.pop(name, None)) for name in (CARD_FILE, CLASS_FILE, OBJECT_FILE)
    )
    _check_images(folder, files)
    check_pass(Document(folder / CARD_FILE, card, VOCABULARY))
    check_class(Document(folder / CLASS_FILE, google_class, _google_vocabulary(PROGRAM, files)))
    check_object(
        Document(folder / OBJECT_FILE, google_object, _google_vocabulary(VOCABULARY, files))
    )
    digest = hashlib.sha256(json.dumps([card, google_class, google_object]).encode())
    for name in sorted(files):
        digest.update(name.encode() + hashlib.sha256(files[name]).digest())
    return Template(folder.name, digest.hexdigest(), card, google_class, google_object, files)


def _google_vocabulary(names: Mapping[str, Name], files: Mapping[str, bytes]) -> Mapping[str, Name]:
    art = {f"art.{base}": Name(Kind.TEXT) for base in images.bases(files)}
    return {**names, **art, BACKGROUND: Name(Kind.TEXT)}


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
    return files


def _check_images(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        fault = images.fault(name, data)
        if fault:
            raise TemplateError(f"{folder / name}: {fault}.")
    absent = images.missing(files)
    if absent:
        raise TemplateError(f"{folder / absent}: a store card needs this image.")
    carried = sum(len(files[one]) for one in images.chosen(files, ()).values() if _is_apples(one))
    if carried > TOTAL_BYTES_MAX:
        raise TemplateError(
            f"{folder}: {carried:,} bytes; every phone loads them with each change, "
            f"so {TOTAL_BYTES_MAX:,} is the limit. Make the images smaller."
        )


def _is_apples(name: str) -> bool:
    part = images.parse(name)
    return part is not None and part.in_pass_file
