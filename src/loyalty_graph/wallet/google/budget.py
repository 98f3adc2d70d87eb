"""The budget of notifications: three for each object in 24 hours, counted by us before they go.

Taken before the request, so that whatever happens afterwards there are never more; given back only
when Google certainly did not notify.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Update, store
from loyalty_graph.wallet.google.models import GoogleObjectRow
from loyalty_graph.wallet.google.rules import milliseconds, one_more

Key = tuple[UUID, str]
"""A programme and the serial of a pass."""


async def take(wanted: Collection[Key], *, now: datetime) -> set[Key]:
    """Take a notification for each of these objects that has one left; return those."""
    return await _change(wanted, lambda notified: one_more(notified, now=now))


async def give_back(taken: Collection[Key], *, taken_at: datetime) -> None:
    """Undo what was taken at a moment."""
    moment = milliseconds(taken_at)

    def without(notified: list[int]) -> list[int] | None:
        place = notified.index(moment) if moment in notified else None
        return None if place is None else [*notified[:place], *notified[place + 1 :]]

    await _change(taken, without)


@transaction
async def _change(
    keys: Collection[Key], change: Callable[[list[int]], list[int] | None]
) -> set[Key]:
    """Change the moments of these objects, unless that yields None; return those changed."""
    if not keys:
        return set()
    rows = GoogleObjectRow.filter(
        program_id__in=list({program_id for program_id, _ in keys}),
        serial__in=list({serial for _, serial in keys}),
    )
    # Locked in one order, so that two workers never wait for each other.
    locked: Sequence[GoogleObjectRow] = await rows.order_by(
        "program_id", "serial"
    ).select_for_update()
    changed: defaultdict[UUID, list[tuple[str, list[int]]]] = defaultdict(list)
    for row in locked:
        if (notified := change(row.notified)) is not None:
            changed[row.program_id].append((row.serial, notified))
    for program_id, values in changed.items():
        update = Update(GoogleObjectRow, ("serial",), ("notified",), values)
        await store(program_id, [update])
    return {(program_id, serial) for program_id, rows_ in changed.items() for serial, _ in rows_}
