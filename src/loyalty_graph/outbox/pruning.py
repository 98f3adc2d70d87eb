"""Takes away facts that nobody waits for any more: the oldest numbers first, a few at a time."""

from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.statements import execute, select
from loyalty_graph.identifiers import made_at
from loyalty_graph.outbox.models import FactRow

KEPT_FOR = timedelta(days=30)
AT_ONCE = 500

_OLDEST = "where program_id = $1 and sequence is not null order by sequence limit $2"
_REMOVE = "delete from fact where program_id = $1 and sequence <= $2"


@transaction
async def prune(program_id: UUID, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Remove facts of more than 30 days ago, no more than so many; return how many there were.

    Only what has a number goes, for until then nobody has heard of it and the audit log may lack
    it; and no number before all lower ones, so that what is left has no gap.
    """
    oldest = await select(FactRow, ("sequence", "id"), _OLDEST, program_id, limit)
    old = [*takewhile(lambda row: made_at(row[1]) < now - KEPT_FOR, oldest)]
    return await execute(_REMOVE, program_id, old[-1][0]) if old else 0


async def oldest(program_id: UUID) -> int | None:
    """Return the lowest number that a programme's facts still have; None when there are none."""
    rows = await select(FactRow, ("sequence",), _OLDEST, program_id, 1)
    return rows[0][0] if rows else None
