"""Importing balances of another system: checked as a whole first, then written in batches.

A row is known by its source and key, which its entry bears for good: what is in the ledger already
is left as it is, whoever brings it again and however late. Each batch is one transaction with the
place it ends at, so an import that was stopped goes on where it was.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TextIO
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.idempotency import Answered, Claim, answers, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.jobs import service as jobs
from loyalty_graph.ledger import migrating
from loyalty_graph.ledger.errors import BalanceFileError
from loyalty_graph.ledger.migrating import Progress
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import service as tiers
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.balance_checks import BalanceCheck, check, in_pages
from loyalty_graph.usecases.balance_rows import BalanceFormat, BalanceRow, RowFault, rows_of
from loyalty_graph.usecases.balance_writing import write_page

JOB = "balances.import"
SOURCE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SOURCE_LENGTH_MAX = 30
SOURCE_DEFAULT = "import"

Tell = Callable[[str, int, int], None]


def _tell_nobody(_phase: str, _done: int, _total: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class BalanceFile:
    """What is imported: the system it comes from, how it is written, and what opens it."""

    source: str
    form: BalanceFormat
    open: Callable[[], TextIO]


def file_of(text: str, *, source: str, form: BalanceFormat) -> BalanceFile:
    """Return a text as a file."""
    return BalanceFile(source, form, lambda: io.StringIO(text.removeprefix("\ufeff"), newline=""))


@dataclass(frozen=True, slots=True)
class ImportBalances:
    """Balances to import, as a text, once under a key."""

    caller: str
    idempotency_key: str
    source: str
    form: BalanceFormat
    content: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"importBalances": [self.source, self.form, self.content]}
        return claim(self.caller, self.idempotency_key, given)


def check_source(source: str) -> None:
    """Refuse a name for a system that entries cannot bear.

    Raises:
        InvalidInputError: It has other than small letters, digits and hyphens, or is too long.
    """
    if len(source) > SOURCE_LENGTH_MAX or SOURCE.fullmatch(source) is None:
        raise InvalidInputError(
            f"A source has 1 to {SOURCE_LENGTH_MAX} small letters, digits and hyphens.",
            field="source",
        )


async def try_file(
    program_id: UUID, file: BalanceFile, *, now: datetime, tell: Tell = _tell_nobody
) -> BalanceCheck:
    """Return what an import would do, and what is wrong with which rows; writes nothing.

    Raises:
        InvalidInputError: The source cannot be used, or there are too many rows.
    """
    check_source(file.source)
    version = await programs.in_force(program_id, now, now=now)
    with file.open() as lines:
        total = sum(1 for _ in lines)
    with file.open() as lines:
        return await check(
            program_id,
            rows_of(lines, file.form, version.settings, now=now),
            source=file.source,
            scheme=await tiers.scheme(version),
            now=now,
            tell=lambda done: tell("check", done, total),
        )


async def import_file(
    program_id: UUID, file: BalanceFile, *, caller: str, now: datetime, tell: Tell = _tell_nobody
) -> Progress | BalanceCheck:
    """Import a file to its end, or go on where it was left; return what is wrong with it, if so.

    Then nothing of it is imported.

    Raises:
        InvalidInputError: The source cannot be used, or there are too many rows.
    """
    check_source(file.source)
    digest = _digest(file)
    progress = await migrating.begun(program_id, file.source, digest)
    if progress is None:
        found = await try_file(program_id, file, now=now, tell=tell)
        if found.faulty:
            return found
        fresh = migrating.new_progress(file.source, file.form, caller, found.rows, now=now)
        progress = await _begin_file(program_id, fresh, digest=digest, now=now)
    return await _go_on(program_id, progress, file, now=now, tell=tell)


@transaction
async def _begin_file(
    program_id: UUID, fresh: Progress, *, digest: bytes, now: datetime
) -> Progress:
    progress = await migrating.begin(program_id, fresh, digest=digest, content=None)
    if progress.id == fresh.id:
        await _tell(program_id, progress, now=now)
    return progress


async def _tell(program_id: UUID, begun: Progress, *, now: datetime) -> None:
    """Tell the audit log of an import once, not of each of its rows."""
    what = {"import": str(begun.id), "source": begun.source, "rows": begun.rows}
    told = outbox.change(begun.caller, about=f"import:{begun.id}", after=what)
    fact = outbox.Fact(new_id(now), "balances.import_begun", None, now, what, told)
    await store(program_id, [outbox.facts([fact])])


async def begin(
    program_id: UUID, command: ImportBalances, *, now: datetime
) -> tuple[Progress, bool]:
    """Begin an import that a worker carries out; return it, and whether this was a retry.

    Raises:
        BalanceFileError: Some rows cannot be used; it holds what is wrong with which.
        InvalidInputError: The source cannot be used, or there are too many rows.
        IdempotencyMismatchError: The key was used with other input.
    """
    if (earlier := await _earlier(program_id, command.claim)) is not None:
        return earlier, True
    file = file_of(command.content, source=command.source, form=command.form)
    found = await try_file(program_id, file, now=now)
    if found.faulty:
        raise BalanceFileError(found.faults, faulty=found.faulty, rows=found.rows)
    return await _begin(program_id, command, found.rows, digest=_digest(file), now=now)


@posting.settling_conflicts
@transaction
async def _begin(
    program_id: UUID, command: ImportBalances, rows: int, *, digest: bytes, now: datetime
) -> tuple[Progress, bool]:
    # A twin of this call may have begun it meanwhile.
    if (earlier := await _earlier(program_id, command.claim)) is not None:
        return earlier, True
    fresh = migrating.new_progress(command.source, command.form, command.caller, rows, now=now)
    await migrating.begin(program_id, fresh, digest=digest, content=command.content)
    await _tell(program_id, fresh, now=now)
    answered = Answered([], [])
    answered.keep(command.claim, {"import": str(fresh.id)})
    await store(program_id, [answered.write(now=now)])
    await jobs.add(program_id, JOB, str(fresh.id), due_at=now)
    return fresh, False


async def _earlier(program_id: UUID, wanted: Claim) -> Progress | None:
    answered = Answered([wanted], (await fetch(program_id, answers([wanted])))[0])
    kept = answered.earlier(wanted)
    return None if kept is None else await progress_of(program_id, UUID(kept["import"]))


async def run(program_id: UUID, *, now: datetime) -> int:
    """Carry out the imports that were begun through the API; return how many there were."""
    waiting = await migrating.waiting(program_id)
    for progress, content in waiting:
        form = BalanceFormat(progress.form)
        file = file_of(content, source=progress.source, form=form)
        await _go_on(program_id, progress, file, now=now)
    return len(waiting)


async def progress_of(program_id: UUID, import_id: UUID) -> Progress:
    """Return how far an import is.

    Raises:
        NotFoundError: There is no such import.
    """
    found = await migrating.imports(program_id, [import_id])
    if import_id not in found:
        raise NotFoundError("import", import_id, field="id")
    return found[import_id]


async def _go_on(
    program_id: UUID,
    progress: Progress,
    file: BalanceFile,
    *,
    now: datetime,
    tell: Tell = _tell_nobody,
) -> Progress:
    """Write what is left of an import, batch by batch."""
    while progress.ended_at is None:
        with file.open() as lines:
            # Read as of the beginning, so that every part of a file means the same.
            version = await programs.in_force(program_id, progress.begun_at, now=now)
            rows = rows_of(lines, file.form, version.settings, now=progress.begun_at)
            progress = await _write(program_id, progress, rows, now=now, tell=tell)
    return progress


async def _write(
    program_id: UUID,
    progress: Progress,
    rows: Iterator[BalanceRow | RowFault],
    *,
    now: datetime,
    tell: Tell,
) -> Progress:
    """Write the rows that are left, until another process is found to write them too."""
    left = islice(rows, progress.done, None)
    is_alone = True
    while is_alone and progress.ended_at is None:
        page, before = next(in_pages(left), []), progress.done
        progress = await write_page(program_id, progress, page, now=now)
        is_alone = progress.done == before + len(page)
        tell("import", progress.done, progress.rows)
    return progress


def _digest(file: BalanceFile) -> bytes:
    digest = hashlib.sha256(file.form.encode())
    with file.open() as lines:
        for line in lines:
            digest.update(line.encode(errors="surrogateescape"))
    return digest.digest()
