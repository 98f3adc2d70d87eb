"""The keys that sign checkpoints: a folder of PEM files, oldest first by name; the last one signs.

Of keys that were replaced the public part stays, so that what they signed can still be checked.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from loyalty_graph.config import Settings, write_once
from loyalty_graph.errors import SettingsError

FOLDER = "checkpoint-keys"
"""Its place in the data folder, where no other is set."""


def key_folder(settings: Settings) -> Path:
    """Return where the keys are, or will be."""
    return settings.checkpoint_keys or settings.data_dir / FOLDER


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key that signs now; without any, one is made that only its owner can read.

    Raises:
        SettingsError: The newest file holds no private Ed25519 key, or none can be made.
    """
    files = _files(folder)
    if not files:
        _write_new(folder, number=1)
        files = _files(folder)
    key = _read(files[-1])
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{files[-1]}: the newest key has to be a private one, to sign with.")
    return key


def known_keys(folder: Path) -> set[bytes]:
    """Return the public parts of all keys, also of those that were replaced.

    Raises:
        SettingsError: A file holds no Ed25519 key.
    """
    return {public for _, public in listed(folder)}


def listed(folder: Path) -> list[tuple[Path, bytes]]:
    """Return the files of keys with their public parts, oldest first; the last one signs.

    Raises:
        SettingsError: A file holds no Ed25519 key.
    """
    return [(path, public_part(_read(path))) for path in _files(folder)]


def replace_key(folder: Path) -> Ed25519PrivateKey:
    """Make a new key that signs from now on; of the one before only the public part is kept.

    Raises:
        SettingsError: There is none to replace, or it cannot be read or written.
    """
    files = _files(folder)
    if not files:
        raise SettingsError(f"{folder}: there is no key yet; the first checkpoint makes one.")
    replaced = _read(files[-1])
    _write_new(folder, number=len(files) + 1)
    if isinstance(replaced, Ed25519PrivateKey):
        kept = replaced.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        draft = files[-1].with_suffix(".new")
        draft.write_bytes(kept)
        draft.replace(files[-1])
    return signing_key(folder)


def public_part(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 bytes that everybody may know of a key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pem"))


def _write_new(folder: Path, *, number: int) -> None:
    """Write a key of its own; where another process was quicker, that one's stays."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        write_once(folder / f"{number:04}.pem", pem.decode())
    except OSError as error:
        raise SettingsError(
            f"{folder}: no key can be written: {os.strerror(error.errno or 0)}."
        ) from error


def _read(path: Path) -> Ed25519PrivateKey | Ed25519PublicKey:
    try:
        pem = path.read_bytes()
        is_private = b"PRIVATE KEY" in pem
        key = load_pem_private_key(pem, password=None) if is_private else load_pem_public_key(pem)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{path}: no key can be read from it.") from error
    if not isinstance(key, (Ed25519PrivateKey, Ed25519PublicKey)):
        raise SettingsError(f"{path}: a key of Ed25519 is needed.")
    return key
