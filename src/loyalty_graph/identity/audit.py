"""The audit log: who changed what, from what to what, and why; written as facts get numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from loyalty_graph.db import assert_in_transaction, statements, transaction
from loyalty_graph.identity.models import AuditEntry
from loyalty_graph.outbox import FactRow

BATCH_MAX = 1_000
FIRST = UUID(int=0)
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


async def keep(*, after: UUID = FIRST) -> list[UUID]:
    """Write down the oldest changes whose facts have no number yet; return the facts' ids.

    Run it in the transaction that numbers them, and number no other changes there: one is in the
    log no later than others hear of it. One that is in it already is left.
    """
    assert_in_transaction()
    waiting = "where sequence is null and change is not null and id > $1 order by id limit $2"
    rows = await statements.select(FactRow, (*_OF_FACT, "change"), waiting, after, BATCH_MAX)
    entries = [(*row[:-1], *(row[-1][name] for name in _OF_CHANGE)) for row in rows]
    columns = (*_OF_FACT, *_OF_CHANGE)
    await statements.upsert(AuditEntry, columns, entries, ending="on conflict do nothing")
    return [row[_OF_FACT.index("id")] for row in rows]


@transaction
async def keep_all() -> None:
    """Write down every change that waits, for whoever reads the log where no worker runs."""
    kept = await keep()
    while len(kept) == BATCH_MAX:
        kept = await keep(after=kept[-1])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: by one of these callers, about a member or another thing, since a moment.

    What is `about` is named as in entries (`token:<id>`), or by its kind alone (`token`).
    """

    actors: Sequence[str] | None = None
    member_id: UUID | None = None
    about: str | None = None
    since: datetime | None = None


async def page(
    program_id: UUID, wanted: Wanted, *, limit: int, before: UUID | None = None
) -> list[Entry]:
    """Return entries, the newest first, those before an id."""
    rows = _found(program_id, wanted)
    if before is not None:
        rows = rows.filter(id__lt=before)
    columns = Entry.__dataclass_fields__
    return [
        Entry(**{name: getattr(row, name) for name in columns})
        for row in await rows.order_by("-id").limit(limit)
    ]


async def count(program_id: UUID, wanted: Wanted) -> int:
    """Return how many entries there are."""
    return await _found(program_id, wanted).count()


def _found(program_id: UUID, wanted: Wanted) -> QuerySet[AuditEntry]:
    rows = AuditEntry.filter(program_id=program_id)
    if wanted.actors is not None:
        rows = rows.filter(actor__in=list(wanted.actors))
    if wanted.member_id is not None:
        rows = rows.filter(member_id=wanted.member_id)
    if wanted.about is not None:
        rows = rows.filter(Q(about=wanted.about) | Q(about__startswith=f"{wanted.about}:"))
    return rows if wanted.since is None else rows.filter(at__gte=wanted.since)
