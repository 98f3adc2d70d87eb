"""The audit log: who changed what, from what to what, and why; written as facts get numbers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import assert_in_transaction, statements
from loyalty_graph.identity.models import AuditEntry
from loyalty_graph.outbox import FactRow

BATCH_MAX = 1_000
_OF_FACT = ("program_id", "id", "member_id", "kind", "at")
_OF_CHANGE = ("actor", "about", "before", "after", "reason")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was changed; `actor` is a caller, `about` names what is no member."""

    id: UUID
    member_id: UUID | None
    kind: str
    at: datetime
    actor: str
    about: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str


async def keep() -> int:
    """Write down committed changes whose facts have no number yet; return how many facts.

    Run it in the transaction that numbers them: a change is in the log no later than others hear of
    it. One that is in it already is left.
    """
    assert_in_transaction()
    waiting = "where sequence is null and change is not null order by id limit $1"
    rows = await statements.select(FactRow, (*_OF_FACT, "change"), waiting, BATCH_MAX)
    entries = [(*row[:-1], *(row[-1][name] for name in _OF_CHANGE)) for row in rows]
    columns = (*_OF_FACT, *_OF_CHANGE)
    await statements.upsert(AuditEntry, columns, entries, ending="on conflict do nothing")
    return len(rows)


async def page(
    program_id: UUID, *, limit: int, before: UUID | None, actor: str | None, member_id: UUID | None
) -> list[Entry]:
    """Return entries, the newest first, those before an id, by an actor or about a member."""
    asked = {"id__lt": before, "actor": actor, "member_id": member_id}
    wanted = {name: value for name, value in asked.items() if value is not None}
    rows = AuditEntry.filter(program_id=program_id, **wanted).order_by("-id").limit(limit)
    columns = Entry.__dataclass_fields__
    return [Entry(**{name: getattr(row, name) for name in columns}) for row in await rows]


async def count(program_id: UUID, *, actor: str | None, member_id: UUID | None) -> int:
    """Return how many entries there are, by an actor or about a member."""
    asked = {"actor": actor, "member_id": member_id}
    wanted = {name: value for name, value in asked.items() if value is not None}
    return await AuditEntry.filter(program_id=program_id, **wanted).count()
