"""The file of a backup: a ZIP archive with the database, a manifest, and perhaps the keys.

Anybody can open it with other tools. It is written whole or not at all, for its owner alone.
"""

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ValidationError

from loyalty_graph import __version__
from loyalty_graph.config import LINK_KEY_FILE, Settings, write_once
from loyalty_graph.db.copies.contents import Contents
from loyalty_graph.db.copies.postgres import PostgresCopies
from loyalty_graph.db.copies.sqlite import SqliteCopies, sync_folder
from loyalty_graph.db.errors import BackupError
from loyalty_graph.identity.development_issuer import JWKS_FILE, KEY_FILE
from loyalty_graph.ledger.checkpoint_keys import FOLDER as CHECKPOINT_KEYS
from loyalty_graph.ledger.checkpoint_keys import key_folder
from loyalty_graph.wallet.apple.development_ca import DEVELOPMENT_FOLDER
from loyalty_graph.wallet.apple.tokens import FOLDER as PASS_KEYS
from loyalty_graph.wallet.link_keys import FOLDER as LINK_KEYS

FORMAT: Literal[1] = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 1 << 20
KEY_FOLDERS = (CHECKPOINT_KEYS, DEVELOPMENT_FOLDER, PASS_KEYS, LINK_KEYS)
KEY_FILES = (LINK_KEY_FILE, KEY_FILE, JWKS_FILE)
KEY_NAME = re.compile(
    rf"keys/({'|'.join(map(re.escape, KEY_FILES))}|({'|'.join(KEY_FOLDERS)})/\w[\w.-]*)"
)
DATABASES = {one.file_name for one in (SqliteCopies, PostgresCopies)}
DEFLATED = zipfile.ZIP_DEFLATED
CHUNK = 1 << 20


class Stored(BaseModel):
    """A file of a backup."""

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds: of which database, from when, how far it had come, and how much of it.

    `made_at` is when its one moment was; `counts` are rows by table.
    """

    format: Literal[1] = FORMAT
    version: str = __version__
    made_at: datetime
    database: Literal["sqlite", "postgres"]
    schema_step: str
    counts: dict[str, int]
    files: dict[str, Stored]


def key_files(settings: Settings) -> dict[str, Path]:
    """Return the files with keys there are, by their names in a backup."""
    folders = {CHECKPOINT_KEYS: key_folder(settings)}
    found = {f"keys/{name}": settings.data_dir / name for name in KEY_FILES}
    for name in KEY_FOLDERS:
        folder = folders.get(name, settings.data_dir / name)
        found |= {f"keys/{name}/{one.name}": one for one in sorted(folder.glob("*"))}
    return {name: path for name, path in found.items() if path.is_file()}


def place_of_key(settings: Settings, name: str) -> Path:
    """Return where a key of a backup belongs."""
    folder, _, file = name.removeprefix("keys/").partition("/")
    if not file:
        return settings.data_dir / folder
    return (
        key_folder(settings) if folder == CHECKPOINT_KEYS else settings.data_dir / folder
    ) / file


def refuse_existing(file: Path) -> None:
    """Refuse to write over a backup.

    Raises:
        BackupError: there is such a file.
    """
    if file.exists():
        raise BackupError(f"{file} is there already; name another file.")


def write(
    file: Path, contents: Contents, files: Mapping[str, Path], *, database: str, made_at: datetime
) -> Manifest:
    """Write a backup of these files (their names in it -> where they are); return its manifest.

    Raises:
        BackupError: it cannot be written; nothing is left of it.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        opened = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w+b") as out, zipfile.ZipFile(out, "w", DEFLATED) as archive:
            manifest = Manifest.model_validate(
                {
                    "made_at": made_at,
                    "database": database,
                    "schema_step": contents.step,
                    "counts": contents.counts,
                    "files": {name: _pack(archive, name, path) for name, path in files.items()},
                }
            )
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
            archive.close()
            os.fsync(out.fileno())
        draft.replace(file)
        sync_folder(file.absolute().parent)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _pack(archive: zipfile.ZipFile, name: str, path: Path) -> Stored:
    with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as into:
        return _copied(source, into)


def look_into(file: Path) -> Manifest:
    """Return what a backup says of itself; its sums are not compared.

    Raises:
        BackupError: it is no backup, one of a newer version, or damaged.
    """
    with _opened(file) as archive:
        return _manifest(file, archive)


def read(file: Path, into: Path) -> Manifest:
    """Unpack a backup into a folder once every sum in its manifest was found right.

    Raises:
        BackupError: it is no backup, one of a newer version, or damaged.
    """
    with _opened(file) as archive:
        manifest = _manifest(file, archive)
        for name, stored in manifest.files.items():
            place = into / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with archive.open(name) as source, place.open("xb") as out:
                if _copied(source, out) != stored:
                    raise BackupError(f"{file} is damaged: {name} is not what it was.")
    return manifest


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise BackupError(f"{file} is no backup, or it is damaged: {error}.") from error
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror}.") from error


def _manifest(file: Path, archive: zipfile.ZipFile) -> Manifest:
    with archive.open(MANIFEST) as source:
        text = source.read(MANIFEST_BYTES_MAX)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BackupError(f"{file} is no backup that this version can read.") from error
    strange = [
        name for name in manifest.files if name not in DATABASES and not KEY_NAME.fullmatch(name)
    ]
    if strange:
        raise BackupError(f"{file} is no backup of ours: it holds {strange[0]!r}.")
    return manifest


def _copied(source: IO[bytes], into: IO[bytes]) -> Stored:
    size, digest = 0, hashlib.sha256()
    while chunk := source.read(CHUNK):
        into.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return Stored(bytes=size, sha256=digest.hexdigest())


def put_keys_back(settings: Settings, unpacked: Path, manifest: Manifest) -> tuple[int, list[str]]:
    """Write the keys of an unpacked backup where there are none.

    Return how many were written, and the names of those that were left out because others are there
    already.
    """
    written, others = 0, []
    for name in sorted(name for name in manifest.files if KEY_NAME.fullmatch(name)):
        content, place = (unpacked / name).read_bytes(), place_of_key(settings, name)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.exists():
            write_once(place, content.decode())
            written += 1
        elif place.read_bytes() != content:
            others.append(str(place))
    return written, others
