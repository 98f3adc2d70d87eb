"""Versions of programmes as they were stored: the newest, a certain one, and all of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.errors import NotFoundError
from loyalty_graph.programs.models import Program, ProgramVersion

VERSION_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version with what it was made of.

    `file` is the programme as JSON, `source` its text (None where it had none), `actor` who applied
    it, `change_count` how much differs from the version before; None for the first one.
    """

    program_id: UUID
    number: int
    file: dict[str, Any]
    source: str | None
    in_force_from: datetime
    loaded_at: datetime
    actor: str
    note: str
    change_count: int | None


def _stored(row: ProgramVersion) -> StoredVersion:
    return StoredVersion(
        row.program_id,
        row.version,
        row.file,
        row.source,
        row.in_force_from,
        row.loaded_at,
        row.actor,
        row.note,
        row.change_count,
    )


async def newest(slug: str, *, lock: bool = False) -> StoredVersion | None:
    """Return the newest version of the programme with this slug, or None when there is none.

    With `lock`, nobody else stores one before this transaction ends.
    """
    programs = Program.filter(slug=slug)
    program = await (programs.select_for_update() if lock else programs).get_or_none()
    return None if program is None else await version(program.id, program.version)


async def version(program_id: UUID, number: int) -> StoredVersion:
    """Return a version of a programme.

    Raises:
        NotFoundError: It has no such version.
    """
    row = None
    if 0 < number <= VERSION_MAX:
        row = await ProgramVersion.get_or_none(program_id=program_id, version=number)
    if row is None:
        raise NotFoundError("version", number, field="version")
    return _stored(row)


async def history(
    program_id: UUID, *, limit: int, before: int | None = None
) -> list[StoredVersion]:
    """Return a programme's newest versions, at most `limit`; those below `before`, if given."""
    rows = ProgramVersion.filter(program_id=program_id)
    if before is not None:
        rows = rows.filter(version__lt=before)
    return [_stored(row) for row in await rows.order_by("-version").limit(limit)]
