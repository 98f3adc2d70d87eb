"""Keys in files: a folder of the data folder, oldest first by name; a new file is taken up at once.

Where several machines serve, the folder has to be the same for all of them.
"""

import logging
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loyalty_graph.config import SECRET_KEY_BYTES, SECRET_KEY_LENGTH_MIN, write_once
from loyalty_graph.errors import SettingsError

ENDING = ".key"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key of a ring; `made_at` is when its file was written."""

    path: Path
    secret: bytes
    made_at: datetime

    def __repr__(self) -> str:
        """Return its place, and nothing of what is secret."""
        return f"RingKey({self.path})"


class KeyRing:
    """The keys in a folder, read again whenever there are others.

    Keys are only added: one that vanishes stays known for as long as the process runs.

    Args:
        folder: Where they are; it need not be there.

    Raises:
        SettingsError: A file cannot be read, or holds too short a key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: list[str] = []
        self._keys: list[RingKey] = []
        self.look()

    @property
    def keys(self) -> list[RingKey]:
        """The keys as they were last read, oldest first."""
        return self._keys

    def look(self) -> bool:
        """Read the keys again if there are others; say whether there are more now."""
        names = _names(self.folder)
        if names == self._names:
            return False
        self._names = names
        if len(names) < len(self._keys):
            logger.error("Keys have vanished from %s; put them back.", self.folder)
            return False
        self._keys = read_keys(self.folder)
        return True


def read_keys(folder: Path) -> list[RingKey]:
    """Return the keys in a folder, oldest first; none where there is no folder.

    Raises:
        SettingsError: A file cannot be read, or holds too short a key.
    """
    return [_read(folder / name) for name in _names(folder)]


def add_key(folder: Path) -> RingKey:
    """Make a key that is the newest from now on, in a file only its owner can read.

    Raises:
        SettingsError: It cannot be written.
    """
    known = read_keys(folder)
    path = folder / f"{len(known) + 1:04}{ENDING}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_once(path, secrets.token_hex(SECRET_KEY_BYTES))
    except OSError as error:
        raise SettingsError(f"{folder}: no key can be written: {error.strerror}.") from error
    return _read(path)


def _names(folder: Path) -> list[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - done at requests: a Path for each costs more
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if name.endswith(ENDING))


def _read(path: Path) -> RingKey:
    try:
        secret, modified = path.read_bytes().strip(), path.stat().st_mtime
    except OSError as error:
        raise SettingsError(f"{path}: no key can be read from it.") from error
    if len(secret) < SECRET_KEY_LENGTH_MIN:
        raise SettingsError(f"{path}: a key has at least {SECRET_KEY_LENGTH_MIN} characters.")
    return RingKey(path, secret, datetime.fromtimestamp(modified, UTC))
