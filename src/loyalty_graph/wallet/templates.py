"""Reads card templates: a folder with both platforms' JSON and images, checked whole before use."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loyalty_graph.config import bundled
from loyalty_graph.errors import TemplateError
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet import images
from loyalty_graph.wallet.colours import Colour, Colours, parse_colour
from loyalty_graph.wallet.face import PROGRAM, VOCABULARY, CardFace, program_values
from loyalty_graph.wallet.google_checks import check_class, check_object
from loyalty_graph.wallet.looks import STAMPS, Look, read_look
from loyalty_graph.wallet.pass_checks import SECTIONS, STYLE, check_pass
from loyalty_graph.wallet.placeholders import Kind, Name
from loyalty_graph.wallet.strings import (
    STRINGS_FILE,
    Languages,
    Table,
    check_strings,
    for_phones,
    language_of,
    read_strings,
    said,
    with_languages,
)
from loyalty_graph.wallet.template_document import Document, parse

__all__ = ["SECTIONS", "STYLE", "Template", "load_template", "template_folders"]

TEMPLATES = "passes/templates"
CARD_FILE, CLASS_FILE, OBJECT_FILE = "pass.json", "google.class.json", "google.object.json"
LOOK_FILE = "look.json"
CARRIED_BYTES_MAX = 256 * 1024
TOTAL_BYTES_MAX = 4 * 1024 * 1024
BACKGROUND = "colours.background"


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template: its JSON files with placeholders, and its images by file name.

    `card` is Apple's pass.json; `google_class` and `google_object` are Google's LoyaltyClass and
    LoyaltyObject. `images` are all there are; `files_of` are those of one card. `digest` changes
    with any byte that matters.
    """

    name: str
    digest: str
    card: Mapping[str, Any] = field(repr=False)
    google_class: Mapping[str, Any] = field(repr=False)
    google_object: Mapping[str, Any] = field(repr=False)
    images: Mapping[str, bytes] = field(repr=False)
    look: Look = field(repr=False)
    languages: Languages = field(repr=False)

    @property
    def vocabulary(self) -> Mapping[str, Name]:
        """Return what `card` may ask for."""
        return _vocabulary(self.look)

    @property
    def class_vocabulary(self) -> Mapping[str, Name]:
        """Return what `google_class` may ask for: the programme, and images by their addresses."""
        return _for_google(PROGRAM, self.images)

    @property
    def object_vocabulary(self) -> Mapping[str, Name]:
        """Return what `google_object` may ask for: what the card shows, and images."""
        return _for_google(self.vocabulary, self.images)

    def values(self, face: CardFace) -> dict[str, Any]:
        """Return the values of `vocabulary`."""
        stamps = self.look.stamps
        return {**face.values(), **(stamps.values(face.points_balance) if stamps else {})}

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
        colours = self.colours_of(face)
        return {
            **self.values(face),
            **self._addresses(self.variants_of(face), public_url),
            BACKGROUND: self._background(colours.background if colours else None),
        }

    def colours_of(self, face: CardFace) -> Colours | None:
        """Return the colours of one card: of its tier, else of its programme, else None."""
        code = face.tier.code if face.tier else None
        return self.look.tiers.get(code or "", face.colours)

    def variants_of(self, face: CardFace) -> tuple[str, ...]:
        """Return by which variants a card's images are chosen: its tier, its stamps."""
        variants = []
        if face.tier and face.tier.code:
            variants.append(face.tier.code)
        if self.look.stamps:
            variants.append(str(self.look.stamps.filled(face.points_balance)))
        return tuple(variants)

    def image_files(self, variants: tuple[str, ...]) -> Mapping[str, str]:
        """Return which files are the images of such a card: strip.png -> strip.GOLD.png."""
        return images.chosen(self.images, variants)

    def images_of(self, variants: tuple[str, ...]) -> dict[str, bytes]:
        """Return the images that the pass file of such a card carries, by their names there."""
        found = self.image_files(variants)
        return {name: self.images[file] for name, file in found.items() if _is_apples(name)}

    def files_of(self, variants: tuple[str, ...]) -> dict[str, bytes]:
        """Return images and languages that the pass file of such a card carries."""
        tables = {
            f"{language}.lproj/{STRINGS_FILE}": for_phones(table)
            for language, table in self.languages.items()
        }
        return {**self.images_of(variants), **tables}

    def _addresses(self, variants: tuple[str, ...], public_url: str) -> dict[str, str]:
        files = self.image_files(variants)
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


def template_folders(own: Path | None = None) -> dict[str, Path]:
    """Return the folders of all card templates there are, by name.

    Args:
        own: Where further ones are; one with the name of a packed one takes its place.

    Raises:
        TemplateError: The folder `own` cannot be read.
    """
    found = {path.name: path for path in bundled(TEMPLATES).iterdir() if path.is_dir()}
    if own is not None:
        try:
            found |= {path.name: path for path in own.iterdir() if _is_template(path)}
        except OSError as error:
            raise TemplateError(
                f"LOYALTY_TEMPLATES_DIR: {own} cannot be read: {error.strerror}."
            ) from error
    return dict(sorted(found.items()))


def _is_template(path: Path) -> bool:
    """Return whether a folder is meant to be a template; one that is hidden, as .git, is not."""
    return path.is_dir() and not path.name.startswith(".")


def load_template(folder: Path) -> Template:
    """Read and check a template folder.

    Raises:
        TemplateError: a file is missing or cannot be used; the message names file and place.
    """
    files, languages = _read_files(folder)
    look_file = files.pop(LOOK_FILE, None)
    card, google_class, google_object = (
        parse(folder / name, files.pop(name, None)) for name in (CARD_FILE, CLASS_FILE, OBJECT_FILE)
    )
    look = _look(folder / LOOK_FILE, look_file)
    vocabulary = _vocabulary(look)
    _check_images(folder, files, look)
    check_pass(Document(folder / CARD_FILE, card, vocabulary))
    check_class(Document(folder / CLASS_FILE, google_class, _for_google(PROGRAM, files)))
    check_object(Document(folder / OBJECT_FILE, google_object, _for_google(vocabulary, files)))
    trees = ((CARD_FILE, card), (CLASS_FILE, google_class), (OBJECT_FILE, google_object))
    spoken = [one for name, tree in trees for one in said(name, tree)]
    check_strings(folder, spoken, languages, vocabulary)
    return Template(
        folder.name,
        _digest([card, google_class, google_object, languages], files, look_file),
        card,
        with_languages(google_class, languages),
        google_object,
        files,
        look,
        languages,
    )


def _look(path: Path, data: bytes | None) -> Look:
    return read_look(None if data is None else Document(path, parse(path, data), {}))


def _digest(trees: list[Any], files: Mapping[str, bytes], look: bytes | None) -> str:
    digest = hashlib.sha256(json.dumps(trees).encode())
    for name in sorted(files):
        digest.update(name.encode() + hashlib.sha256(files[name]).digest())
    digest.update(look or b"")
    return digest.hexdigest()


def _vocabulary(look: Look) -> Mapping[str, Name]:
    return {**VOCABULARY, **STAMPS} if look.stamps else VOCABULARY


def _for_google(names: Mapping[str, Name], files: Mapping[str, bytes]) -> Mapping[str, Name]:
    art = {f"art.{base}": Name(Kind.TEXT) for base in images.bases(files)}
    return {**names, **art, BACKGROUND: Name(Kind.TEXT)}


def _read_files(folder: Path) -> tuple[dict[str, bytes], Languages]:
    if not folder.is_dir():
        raise TemplateError(f"{folder}: there is no such template folder.")
    files: dict[str, bytes] = {}
    languages: dict[str, Table] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file():
            files[path.name] = path.read_bytes()
        elif language := language_of(path.name):
            languages[language] = _read_language(path)
        else:
            raise TemplateError(f"{path}: a template has no folders but languages: de.lproj.")
    return files, languages


def _read_language(folder: Path) -> Table:
    for path in sorted(folder.iterdir()):
        if path.name != STRINGS_FILE:
            raise TemplateError(f"{path}: a language has {STRINGS_FILE} and nothing else.")
    path = folder / STRINGS_FILE
    if not path.is_file():
        raise TemplateError(f"{path}: a language needs this file.")
    return read_strings(path, path.read_bytes())


def _check_images(folder: Path, files: Mapping[str, bytes], look: Look) -> None:
    for name, data in files.items():
        fault = images.fault(name, data)
        if fault:
            raise TemplateError(f"{folder / name}: {fault}.")
    absent = images.missing(
        files, [str(n) for n in range(look.stamps.of + 1)] if look.stamps else []
    )
    if absent:
        raise TemplateError(f"{folder / absent}: a store card needs this image.")
    for variant in (None, *sorted(images.variants(files))):
        found = images.chosen(files, (variant,) if variant else ())
        carried = sum(len(files[file]) for name, file in found.items() if _is_apples(name))
        if carried > CARRIED_BYTES_MAX:
            which = f"with {variant}, " if variant else ""
            raise TemplateError(
                f"{folder}: {which}{carried:,} bytes; every phone loads them with each change, "
                f"so {CARRIED_BYTES_MAX:,} is the limit. Make the images smaller."
            )
    total = sum(map(len, files.values()))
    if total > TOTAL_BYTES_MAX:
        raise TemplateError(f"{folder}: {total:,} bytes; {TOTAL_BYTES_MAX:,} is the limit.")


def _is_apples(name: str) -> bool:
    part = images.parse(name)
    return part is not None and part.in_pass_file
