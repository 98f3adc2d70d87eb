"""Backups of the database: made while others write, proven if asked, and restored as a whole."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from loyalty_graph.config import Settings
from loyalty_graph.db import copies as database_copies
from loyalty_graph.db import migrate, open_database
from loyalty_graph.db.copies import Copies
from loyalty_graph.db.copies.contents import Standing
from loyalty_graph.db.errors import BackupError
from loyalty_graph.db.migrating.watching import Watch
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.ledger.checkpoint_keys import key_folder, known_keys
from loyalty_graph.usecases import backup_files, restoring
from loyalty_graph.usecases.backup_files import Manifest
from loyalty_graph.usecases.proof import Signatures
from loyalty_graph.usecases.restoring import Prepared

ASKED_EVERY_S = 1.0
MARK = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is, and what reads and writes it: `programs` as in `db.copies.of`."""

    settings: Settings
    url: str
    programs: Path | None = None

    @property
    def copies(self) -> Copies:
        """What copies it.

        Raises:
            DatabaseError: the URL cannot be used.
        """
        return database_copies.of(self.url, programs=self.programs)

    @property
    def signatures(self) -> Signatures:
        """Whose checkpoints are good here."""
        return Signatures(known_keys(key_folder(self.settings)))


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        manifest: Of the backup.
        prepared: What was done so that phones and listeners follow.
        audits: Of each programme, if it was asked for.
        aside: Where the database is that was there before; None when there was none.
        keys: How many keys were put back.
        other_keys: Keys that were left as they are, unlike those of the backup.
    """

    manifest: Manifest
    prepared: Prepared
    audits: dict[str, Audit]
    aside: str | None = None
    keys: int = 0
    other_keys: Sequence[str] = ()

    @property
    def in_place(self) -> bool:
        """Whether it has its place; not if its books differ."""
        return not differs(self.audits)


def differs(audits: Mapping[str, Audit]) -> bool:
    """Return whether the books of any programme do not add up."""
    return any(one.findings for one in audits.values())


async def backup(place: Place, file: Path, *, with_keys: bool, now: datetime) -> Manifest:
    """Write the database, as it is at one moment, into a file; nobody is held up.

    Raises:
        BackupError: the file is there already, or it cannot be made; nothing is left of it.
        DatabaseError: the database cannot be used.
    """
    backup_files.refuse_existing(file)
    copies = place.copies
    with _room_beside(file) as room:
        copy = room / copies.file_name
        contents = await copies.take(copy)
        keys = backup_files.key_files(place.settings) if with_keys else {}
        files = {copies.file_name: copy, **keys}
        return await asyncio.to_thread(
            backup_files.write, file, contents, files, database=copies.kind, made_at=now
        )


async def verify(place: Place, file: Path, *, now: datetime) -> dict[str, Audit]:
    """Restore a backup aside, and work all its books out again; what was restored is removed.

    Raises:
        BackupError: it is damaged, or cannot be restored.
    """
    copies = place.copies
    with _room_beside(file) as room:
        await _unpacked(copies, file, room)
        async with copies.made(room / copies.file_name) as made, open_database(made.url):
            await migrate()
            return await restoring.audit_everything(signatures=place.signatures, now=now)


async def refuse_at_once(place: Place, file: Path, *, replace: bool) -> None:
    """See what would make a restore fail before servers are stopped for it.

    Raises:
        BackupError: the file is no backup for this place, or what is there may not be replaced.
        DatabaseError: the database cannot be used.
    """
    _refuse_other_kind(place.copies, file, await asyncio.to_thread(backup_files.look_into, file))
    _refuse_to_lose(await place.copies.standing(), replace=replace)


async def until_nobody_runs(place: Place, *, wait: bool, tell: Callable[[str], None]) -> None:
    """See that no process runs on a database that is to be replaced.

    Args:
        place: Where it is.
        wait: Whether to wait for them; one that was killed is silent for a minute before it counts
            as ended.
        tell: Is told who is waited for, once for each change.

    Raises:
        BackupError: some run, and they are not waited for.
    """
    watch, said = Watch(), ""
    while marks := (await place.copies.standing()).processes:
        watch.see(marks)
        running = sorted(marks.keys() - watch.silent().keys())
        if not running:
            return
        message = f"These run on the database: {', '.join(running[:10])}."
        if not wait:
            raise BackupError(
                f"{message} End them; with --wait, one that was killed counts as ended after a"
                " minute of silence."
            )
        if message != said:
            said = message
            tell(message)
        await asyncio.sleep(ASKED_EVERY_S)


async def restore(
    place: Place, file: Path, *, replace: bool, audit: bool, now: datetime
) -> Restored:
    """Put the database of a backup in the place of the one that is there, which is kept aside.

    The sums are compared first; the database is made beside the present one, which is not touched
    before the new one is good, and its place is changed at once. Keys are put back where there are
    none. With `audit` its books are worked out again before; if they differ, all stays as it was.

    Args:
        place: Of the database to be restored; nobody may run on it.
        file: The backup.
        replace: Whether one that holds members may be replaced, or one that cannot be read.
        audit: Whether to prove the books.
        now: The moment.

    Raises:
        BackupError: it is damaged or of the other kind of database, or what is there may not be
            replaced; nothing was changed.
        DatabaseError: the database cannot be used.
    """
    copies = place.copies
    standing = await copies.standing()
    _refuse_to_lose(standing, replace=replace)
    with _room(copies.folder) as room:
        manifest = await _unpacked(copies, file, room)
        async with copies.made(room / copies.file_name) as made:
            audits: dict[str, Audit] = {}
            async with open_database(made.url):
                await migrate()
                prepared = await restoring.prepare(made_at=manifest.made_at, now=now)
                if audit:
                    audits = await restoring.audit_everything(signatures=place.signatures, now=now)
            if differs(audits):
                return Restored(manifest, prepared, audits)
            keys = backup_files.put_keys_back(place.settings, room, manifest)
            mark = now.strftime(MARK)
            aside = await made.put_in_place(mark=mark, keep=standing.is_there)
    return Restored(manifest, prepared, audits, aside, *keys)


async def adopt(
    place: Place, *, made_at: datetime, audit: bool, now: datetime
) -> tuple[Prepared, dict[str, Audit]]:
    """Make a database that was restored by other means one that can be run on; prove it if asked.

    `made_at` is the moment as of which it is.
    """
    async with open_database(place.url, create=False):
        await migrate()
        prepared = await restoring.prepare(made_at=made_at, now=now)
        signatures = place.signatures
        return prepared, (
            await restoring.audit_everything(signatures=signatures, now=now) if audit else {}
        )


def _refuse_to_lose(standing: Standing, *, replace: bool) -> None:
    number = standing.members
    if number == 0 or replace:
        return
    if number is None:
        found = "is damaged"
    else:
        found = f"holds {number:,} member{'' if number == 1 else 's'}"
    raise BackupError(f"The database {found}; --replace puts it aside and restores all the same.")


async def _unpacked(copies: Copies, file: Path, room: Path) -> Manifest:
    manifest = await asyncio.to_thread(backup_files.read, file, room)
    _refuse_other_kind(copies, file, manifest)
    return manifest


def _refuse_other_kind(copies: Copies, file: Path, manifest: Manifest) -> None:
    if manifest.database != copies.kind:
        kinds = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
        raise BackupError(
            f"{file} is of {kinds[manifest.database]}; it cannot be restored to"
            f" {kinds[copies.kind]}."
        )


def _room_beside(file: Path) -> AbstractContextManager[Path]:
    return _room(file.absolute().parent)


@contextmanager
def _room(folder: Path | None) -> Iterator[Path]:
    """Yield a folder for copies, closed to others, and remove it at the end.

    Raises:
        BackupError: Something in it, or beside it, cannot be written.
    """
    try:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".loyalty-copy-", dir=folder) as made:
            yield Path(made)
    except OSError as error:
        where = error.filename or folder
        raise BackupError(f"{where} cannot be written: {error.strerror}.") from error
