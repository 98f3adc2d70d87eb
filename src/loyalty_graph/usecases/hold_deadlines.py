"""Giving back the points of holds whose time is over, in batches, by an index.

Readers count such a hold as over from that moment; this writes it down.
"""

from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import holds, reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.holding import HoldState
from loyalty_graph.usecases import held_points

AT_ONCE = 200


async def release_all(program_id: UUID, *, now: datetime) -> None:
    """End every hold whose time is over."""
    while await release_due(program_id, now=now):
        pass


@transaction
async def release_due(program_id: UUID, *, now: datetime, limit: int = AT_ONCE) -> int:
    """End holds whose time is over, at most `limit`; return how many. Run again it goes on."""
    keys = await holds.due(program_id, now=now, limit=limit)
    if not keys:
        return 0
    # With the accounts locked the holds are read again: others may have been quicker.
    members = sorted({member_id for member_id, _ in keys})
    terms = await reads.terms_in_force(program_id, now=now)
    accounts = await ledger.load_accounts(program_id, members, spenders=members, terms=terms)
    found = await holds.found(program_id, keys)
    overdue = [one for one in found.values() if one.state is HoldState.HELD]
    released = await held_points.release(
        program_id,
        accounts,
        overdue,
        by=held_points.BY_TIME,
        actor=held_points.SYSTEM,
        now=now,
    )
    facts = [_fact(one, accounts[one.hold.member_id].balance, now) for one in released]
    await store(
        program_id,
        [
            holds.ended([one.hold for one in released]),
            *ledger.writes(accounts.values()),
            outbox.facts(facts),
            outbox.mark_cards((one.hold.member_id for one in released), now=now),
        ],
    )
    return len(released)


def _fact(one: held_points.Released, balance: int, now: datetime) -> outbox.Fact:
    payload = {**one.payload, "balance": balance}
    return outbox.Fact(new_id(now), "points.released", one.hold.member_id, now, payload)
