"""When the points of members lapse whose points slide: kept, so that the past can be told."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Insert, Lookup, fetch
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import LapseRow
from loyalty_graph.ledger.rules import Account


def write(accounts: Iterable[Account]) -> Insert:
    """Return what keeps the moments to which these accounts have slid."""
    return Insert(
        LapseRow,
        ("member_id", "id", "recorded_at", "lapses_at"),
        [
            (one.member_id, new_id(one.slid_at), one.slid_at, one.lapses_at)
            for one in accounts
            if one.slid_at
        ],
    )


async def known(
    program_id: UUID, member_ids: Sequence[UUID], *, at: Mapping[UUID, datetime]
) -> dict[UUID, datetime | None]:
    """Return when the points of members were to lapse, by what was known `at` a time of each."""
    keys = [(one,) for one in member_ids]
    columns = ("recorded_at", "lapses_at")
    [found] = await fetch(
        program_id, Lookup(LapseRow, ("member_id",), keys, columns, order_by="recorded_at, id")
    )
    then = {
        one: [lapses_at for recorded_at, lapses_at in rows if recorded_at <= at[one]]
        for one, rows in zip(member_ids, found, strict=True)
    }
    return {one: (moments or [None])[-1] for one, moments in then.items()}
