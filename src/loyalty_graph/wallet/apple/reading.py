"""Reads the members of a pass file that may be damaged or hostile."""

import io
import zipfile
import zlib
from pathlib import PurePosixPath

MEMBERS_MAX = 100
UNPACKED_BYTES_MAX = 20 * 1024 * 1024
ENCRYPTED = 0x1


class ArchiveError(ValueError):
    """The archive cannot be read whole; the message says where."""


def read_members(data: bytes) -> dict[str, bytes]:
    """Return name and content of every member, each checked against its CRC-32.

    Raises:
        ArchiveError: damaged, encrypted, too large when unpacked, or with names that are unsafe
            or stand there twice.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive.infolist())
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except ArchiveError:
        raise
    # zipfile reports some damage only as the error of the part it stumbles over.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
        raise ArchiveError(f"the archive is damaged: {error}") from error


def _check_directory(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MEMBERS_MAX:
        raise ArchiveError(f"{len(entries)} members; {MEMBERS_MAX} is the limit")
    if sum(entry.file_size for entry in entries) > UNPACKED_BYTES_MAX:
        raise ArchiveError(f"more than {UNPACKED_BYTES_MAX:,} bytes when unpacked")
    names: set[str] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise ArchiveError(f"the name {entry.filename!r} leads out of the archive")
        if entry.filename in names:
            raise ArchiveError(f"{entry.filename} stands there twice")
        if entry.flag_bits & ENCRYPTED:
            raise ArchiveError(f"{entry.filename} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"{entry.filename} is compressed in a way phones do not know")
        names.add(entry.filename)
