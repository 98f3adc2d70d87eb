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
# Run daily, it finds one or two lots of a member; loading all open ones took most of its time.
LOTS_AT_ONCE = 8


async def run(program_id: UUID, *, now: datetime) -> int:
    """Expire every lot past its date; return the points that expired. Run twice it does no more."""
    expired = 0
    while points := await _expire_some(program_id, now=now):
        expired += points
    return expired


@transaction
async def _expire_some(program_id: UUID, *, now: datetime) -> int:
    members = await ledger.members_with_due_lots(program_id, now=now, limit=MEMBERS_AT_ONCE)
    if not members:
        return 0
    found = await ledger.load_accounts(
        program_id, members, spenders=members, lots_at_once=LOTS_AT_ONCE
    )
    # Others may have used up the points while this waited for their accounts.
    accounts = [account for account in found.values() if rules.expire(account, now=now)]
    await store(
        program_id,
        [
            *ledger.writes(accounts),
            outbox.facts(_fact(account, now) for account in accounts),
            outbox.mark_cards((account.member_id for account in accounts), now=now),
        ],
    )
    return sum(_points(account) for account in accounts)


def _points(account: rules.Account) -> int:
    return sum(transfer.points for transfer in account.posted)


def _fact(account: rules.Account, now: datetime) -> outbox.Fact:
    payload = {
        "entries": [transfer.sequence for transfer in account.posted],
        "points": _points(account),
        "balance": account.balance,
    }
    return outbox.Fact(new_id(now), "points.expired", account.member_id, now, payload)
