"""Balances of other systems: which rows are in the ledger already, and how far imports are."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Lookup, Row
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.models import BalanceImportRow, TransferRow

DIGEST_LENGTH = 32


def reference(source: str, key: str) -> str:
    """Return the reference of a row's entry: a row of a source counts once, for good.

    It holds a digest of the key: references outlive an erasure, and a key may say who it was.
    """
    return f"{source}:{hashlib.sha256(key.encode()).hexdigest()[:DIGEST_LENGTH]}"


def explanation(source: str, key: str, points: int) -> dict[str, Any]:
    """Return why a row's entries are in the ledger; `points` are those of all its lots."""
    return {"source": source, "row": key, "points": points}


class Migrated(NamedTuple):
    """A row that is in the ledger: whose points it brought, and how many; None once erased."""

    member_id: UUID
    points: int | None


def rows_known(references: Iterable[str]) -> Lookup:
    """Return the look-up of rows that are in the ledger already, one key for each."""
    keys = [(Kind.MIGRATE, one) for one in references]
    return Lookup(TransferRow, ("kind", "reference"), keys, ("member_id", "explanation"))


def migrated(found: Sequence[Row]) -> Migrated | None:
    """Return what the look-up found of a row; None when it is not in the ledger."""
    if not found:
        return None
    member_id, told = found[0]
    return Migrated(member_id, None if told is None else told["points"])


@dataclass(slots=True)
class Progress:
    """How far an import is.

    Of its `rows`, `done` are behind it: `known` were in the ledger before, `refused` could not be
    written any more, as the first of the `faults` tell, and the others brought `points`; `joined`
    members are new.
    """

    id: UUID
    source: str
    form: str
    caller: str
    rows: int
    begun_at: datetime
    done: int = 0
    known: int = 0
    joined: int = 0
    points: int = 0
    refused: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    ended_at: datetime | None = None

    @property
    def imported(self) -> int:
        """Return how many rows were written."""
        return self.done - self.known - self.refused


_PROGRESS = tuple(Progress.__dataclass_fields__)
_MOVING = ("done", "known", "joined", "points", "refused", "faults", "ended_at")


async def begin(
    program_id: UUID, progress: Progress, *, digest: bytes, content: str | None
) -> Progress:
    """Store that an import has begun; `content` is kept until it has ended."""
    values = {name: getattr(progress, name) for name in _PROGRESS}
    await BalanceImportRow.create(program_id=program_id, digest=digest, content=content, **values)
    return progress


def new_progress(source: str, form: str, caller: str, rows: int, *, now: datetime) -> Progress:
    """Return the progress of an import that begins now."""
    return Progress(new_id(now), source, form, caller, rows, now)


async def locked(program_id: UUID, import_id: UUID) -> Progress:
    """Return how far an import is, and keep others from moving it on."""
    assert_in_transaction()
    query = BalanceImportRow.filter(program_id=program_id, id=import_id)
    return _progress(await query.select_for_update().get())


async def move_on(program_id: UUID, progress: Progress) -> None:
    """Store how far an import is; its content is forgotten once it has ended."""
    changes: Mapping[str, Any] = {name: getattr(progress, name) for name in _MOVING}
    forgotten = {} if progress.ended_at is None else {"content": None}
    row = BalanceImportRow.filter(program_id=program_id, id=progress.id)
    await row.update(**changes, **forgotten)


async def begun(program_id: UUID, source: str, digest: bytes) -> Progress | None:
    """Return the import of this very file that was begun and has not ended, if any."""
    rows = BalanceImportRow.filter(
        program_id=program_id, source=source, digest=digest, ended_at__isnull=True
    )
    row = await rows.order_by("-id").first()
    return None if row is None else _progress(row)


async def waiting(program_id: UUID) -> list[tuple[Progress, str]]:
    """Return the imports that have not ended and whose content is kept, the oldest first."""
    rows = BalanceImportRow.filter(
        program_id=program_id, ended_at__isnull=True, content__isnull=False
    )
    return [(_progress(row), row.content or "") for row in await rows.order_by("id")]


async def imports(program_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Progress]:
    """Return how far these imports are; unknown ones are absent."""
    rows = await BalanceImportRow.filter(program_id=program_id, id__in=list(ids))
    return {row.id: _progress(row) for row in rows}


async def newest(program_id: UUID, *, limit: int) -> list[Progress]:
    """Return how far the newest imports are."""
    rows = BalanceImportRow.filter(program_id=program_id)
    return [_progress(row) for row in await rows.order_by("-id").limit(limit)]


def _progress(row: BalanceImportRow) -> Progress:
    return Progress(**{name: getattr(row, name) for name in _PROGRESS})
