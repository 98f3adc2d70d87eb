"""The numbering step: committed facts get the next integers of their programme, one by one.

Only the holder of one lease numbers, and each step locks that lease: a number becomes visible after
all lower ones. The wallet numbers cards in the same transaction (`wallet/tags.py`).
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from loyalty_graph import leases
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Update, store
from loyalty_graph.identifiers import made_at
from loyalty_graph.leases import Lease
from loyalty_graph.outbox.models import FactCount, FactRow
from loyalty_graph.queues import COUNTED_MAX, Queue

NUMBERING = "numbering"
"""The name of the lease."""
BATCH_MAX = 1_000


async def waiting() -> bool:
    """Say whether facts wait for a number; asks without disturbing those who write."""
    return await waiting_since() is not None


async def waiting_since() -> datetime | None:
    """Return since when the oldest fact waits for a number; None when none does."""
    # The order makes PostgreSQL use the index of these rows, also on a table it knows nothing of.
    oldest = FactRow.filter(sequence=None).order_by("id").limit(1)
    ids: list[UUID] = await oldest.values_list("id", flat=True)  # type: ignore[assignment] # one column
    return made_at(ids[0]) if ids else None


async def queue() -> Queue:
    """Return what waits for a number, and since when."""
    oldest = FactRow.filter(sequence=None).order_by("id").limit(COUNTED_MAX)
    ids: list[UUID] = await oldest.values_list("id", flat=True)  # type: ignore[assignment] # one column
    return Queue("facts", len(ids), made_at(ids[0]) if ids else None)


@transaction
async def number(
    lease: Lease, *, limit: int = BATCH_MAX, kept: Collection[UUID] | None = None
) -> int | None:
    """Number the oldest facts that have no number; return how many, or None without the lease.

    Within a step facts are in the order of their ids: of the requests that made them, and within a
    request of what happened. Where `kept` names the changes that the audit log has, another one,
    committed just now, waits for the next step, and so do the facts after it.
    """
    if not await leases.lock(lease):
        return None
    found = FactRow.filter(sequence=None).order_by("id").limit(limit)
    oldest = await found.values_list("program_id", "id", "change")
    known = set(kept or [])
    rows = [*takewhile(lambda row: kept is None or row[2] is None or row[1] in known, oldest)]
    waiting_facts: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for program_id, fact_id, _ in rows:
        waiting_facts[program_id].append(fact_id)
    first = await _take({program: len(ids) for program, ids in waiting_facts.items()})
    for program_id, ids in waiting_facts.items():
        numbers = [(fact_id, first[program_id] + place) for place, fact_id in enumerate(ids)]
        await store(program_id, [Update(FactRow, ("id",), ("sequence",), numbers)])
    return len(rows)


async def skip_ahead(program_ids: Collection[UUID], numbers: int) -> None:
    """Give none of the next so many numbers of these programmes; a restored database begins anew.

    Those who listened before have heard of some of them.
    """
    await _take(dict.fromkeys(program_ids, numbers))


async def _take(wanted: dict[UUID, int]) -> dict[UUID, int]:
    """Take this many numbers for each programme; return the first of each."""
    known = {row.program_id: row for row in await FactCount.filter(program_id__in=list(wanted))}
    first = {}
    for program_id, count in wanted.items():
        row = known.get(program_id)
        first[program_id] = row.highest + 1 if row else 1
        if row is None:
            await FactCount.create(program_id=program_id, highest=count)
        else:
            row.highest += count
            await row.save(update_fields=["highest"])
    return first
