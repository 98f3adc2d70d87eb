"""Small disks for tests, which are skipped where this machine does not permit to mount one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos import disks
from chaos.disks import MountError, SmallDisk

__all__ = ["SmallDisk", "small_disk"]


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of this size; skip the test where that is not permitted."""
    try:
        with disks.small_disk(folder, megabytes=megabytes) as disk:
            yield disk
    except MountError as error:
        pytest.skip(str(error))
