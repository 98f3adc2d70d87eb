"""Cards that change though nothing happens: points that soon expire, a tier or a plan that ends."""

from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Update, store
from loyalty_graph.db.statements import select
from loyalty_graph.wallet.models import PassRow

PASSES_AT_ONCE = 500
PASSES_OF_A_RUN_MAX = 10_000
"""The next run goes on: a day on which all points of a programme expire holds no purchase up."""

_OVER = """
where program_id = $1 and holds_until <= $2
order by holds_until limit $3 for no key update skip locked
"""


async def mark_outdated(program_id: UUID, *, now: datetime) -> int:
    """Mark the cards that show something else from now on, so many at most; return how many.

    Until when a copy holds was written down when it was handed out (`holds_until`), and is written
    anew when the next one is.
    """
    outdated = 0
    while outdated < PASSES_OF_A_RUN_MAX and (passes := await _mark_some(program_id, now)):
        outdated += passes
    return outdated


@transaction
async def _mark_some(program_id: UUID, now: datetime) -> int:
    key = ("member_id", "platform", "serial")
    found = await select(PassRow, key, _OVER, program_id, now, PASSES_AT_ONCE)
    if not found:
        return 0
    marks = outbox.mark_cards((row[0] for row in found), now=now)
    nothing_known = Update(PassRow, key, ("holds_until",), [(*row, None) for row in found])
    await store(program_id, [nothing_known, marks])
    return len(found)
