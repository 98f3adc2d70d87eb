"""Expiring points whose date has passed, member by member, in batches."""

from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules
from loyalty_graph.ledger import service as ledger

MEMBERS_AT_ONCE = 200


async def run(program_id: UUID, *, now: datetime) -> int:
    """Expire every lot past its date; return the points that expired. Run twice it does no more."""
    expired = 0
    while (points := await _expire_some(program_id, now=now)) is not None:
        expired += points
    return expired


@transaction
async def _expire_some(program_id: UUID, *, now: datetime) -> int | None:
    members = await ledger.members_with_due_lots(program_id, now=now, limit=MEMBERS_AT_ONCE)
    if not members:
        return None
    accounts = await ledger.load_accounts(program_id, members, whole=members)
    transfers = {one.member_id: rules.expire(one, now=now) for one in accounts.values()}
    facts = [
        outbox.Fact(
            new_id(now),
            "points.expired",
            account.member_id,
            now,
            {
                "entries": [transfer.sequence for transfer in transfers[account.member_id]],
                "points": sum(transfer.points for transfer in transfers[account.member_id]),
                "balance": account.balance,
            },
        )
        for account in accounts.values()
    ]
    await store(
        program_id,
        [
            *ledger.writes(accounts.values()),
            outbox.facts(facts),
            outbox.mark_cards(accounts, now=now),
        ],
    )
    return sum(transfer.points for one in transfers.values() for transfer in one)
