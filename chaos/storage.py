"""Troubles of storage: a full disk, a file that is damaged, moved away, or must not be written."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.processes import Program, StartError
from chaos.servers import SqliteFile
from chaos.town import LOOK_EVERY_S, SkippedError, Town, Trouble

PAGES_LEFT = 4
PAGE_BYTES = 4096
MOVED_S = 0.5


async def fill_file(town: Town) -> None:
    """Let the file of the database grow no more, as on a full disk."""
    api, url = town.apis[0], town.storage.url
    [[pages]] = await town.storage.rows("PRAGMA page_count")
    await _restart(api, f"{url}&max_pages={pages + PAGES_LEFT}")
    await town.refused(town.size.tills)
    await _restart(api, url)


async def _restart(api: Program, url: str) -> None:
    await api.stop()
    api.environment["LOYALTY_DATABASE_URL"] = url
    await api.start()


async def damage_file(town: Town) -> None:
    """Overwrite a page in the middle of the file; nobody opens it, or changes it by a byte."""
    api, path = town.apis[0], _path(town)
    await api.stop()
    whole = shutil.copy(path, path.with_suffix(".whole"))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // PAGE_BYTES // 2 * PAGE_BYTES)
        file.write(os.urandom(PAGE_BYTES))
    await _refuses(api, path, "damaged")
    Path(whole).replace(path)
    await api.start()


async def protect_file(town: Town) -> None:
    """Take away the right to write the file; it is refused before anything is done."""
    api, path = town.apis[0], _path(town)
    await api.stop()
    with _protected(path):
        await _refuses(api, path, "read-only")
    await api.start()


@contextmanager
def _protected(path: Path) -> Iterator[None]:
    """Let nobody write a file, not even root."""
    is_root = os.geteuid() == 0
    if not is_root:
        path.chmod(0o400)
    elif subprocess.run(["chattr", "+i", path], check=False).returncode:
        raise SkippedError("root can write any file here")
    try:
        yield
    finally:
        if is_root:
            subprocess.run(["chattr", "-i", path], check=True)
        else:
            path.chmod(0o600)


async def _refuses(api: Program, path: Path, because: str) -> None:
    """State that a process does not start on a file, says why, and leaves the file alone."""
    before = hashlib.sha256(path.read_bytes()).digest()
    said = "nothing, and served it"
    try:
        await api.start()
    except StartError as error:
        said = str(error)
    assert because in said, f"of a file that is {because} it said: {said}"
    assert "Traceback" not in said, said
    assert hashlib.sha256(path.read_bytes()).digest() == before, "it changed the file"


async def move_file(town: Town) -> None:
    """Move the file away while it is in use, and back; meanwhile nothing may be acknowledged."""
    path = _path(town)
    parts = [one for one in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if one.exists()]
    for one in parts:
        one.rename(f"{one}.away")
    await town.refused(town.size.tills)
    for one in parts:
        Path(f"{one}.away").rename(one)


def _path(town: Town) -> Path:
    assert isinstance(town.storage, SqliteFile), "this trouble is made to SQLite"
    return town.storage.path


async def fill_disk(town: Town) -> None:
    """Fill the disk of the database server, and free it again."""
    disk = town.server.disk
    if disk is None:
        raise SkippedError("mounting a disk in memory is not permitted here")
    await asyncio.to_thread(disk.fill)
    await town.refused(town.size.tills)
    disk.free()
    # Without space for its log the server gives up, and recovers by itself or is started again.
    await asyncio.sleep(LOOK_EVERY_S)
    await town.server.ensure_running()


ROUNDS: dict[str, dict[str, Trouble]] = {
    "sqlite": {
        "fill_file": fill_file,
        "damage_file": damage_file,
        "protect_file": protect_file,
        "move_file": move_file,
    },
    "postgres": {"fill_disk": fill_disk},
}
