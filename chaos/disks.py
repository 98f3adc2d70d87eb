"""Small disks that fill up, where this machine permits to mount them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class MountError(Exception):
    """This machine does not permit to mount a disk in memory."""


@dataclass(frozen=True)
class SmallDisk:
    """A disk in memory, and the folder it is mounted on."""

    folder: Path

    def fill(self) -> None:
        """Leave no space at all."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        """Take away what filled it."""
        (self.folder / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of this size on a new folder until the block ends.

    Raises:
        MountError: That is not permitted here.
    """
    folder.mkdir()
    size = f"size={megabytes}m,mode=0755"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MountError("mounting a disk in memory is not permitted here") from error
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
