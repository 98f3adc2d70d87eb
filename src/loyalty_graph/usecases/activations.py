"""Activating pending points whose time has come, member by member, in batches."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import due, pending, reads, rules
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.kinds import Kind

MEMBERS_AT_ONCE = 200


async def run(program_id: UUID, *, now: datetime) -> int:
    """Activate every lot whose time has come; return the points. Run twice it does no more."""
    activated = 0
    while points := await _activate_some(program_id, now=now):
        activated += points
    return activated


@transaction
async def _activate_some(program_id: UUID, *, now: datetime) -> int:
    members = await due.members_with_points_to_activate(program_id, now=now, limit=MEMBERS_AT_ONCE)
    if not members:
        return 0
    terms = await reads.terms_in_force(program_id, now=now)
    found = await ledger.load_accounts(program_id, members, whole=members, terms=terms)
    transfers = [
        transfer
        for account in found.values()
        for transfer in pending.activate_due(account, now=now)
    ]
    accounts = [account for account in found.values() if account.posted]
    await store(
        program_id,
        [
            *ledger.writes(accounts),
            outbox.facts(facts(accounts, now=now)),
            outbox.mark_cards((account.member_id for account in accounts), now=now),
        ],
    )
    return sum(transfer.points for transfer in transfers)


def facts(accounts: Iterable[rules.Account], *, now: datetime) -> Iterator[outbox.Fact]:
    """Return a fact for each account in which points were activated."""
    for account in accounts:
        activated = [one for one in account.posted if one.kind is Kind.ACTIVATE]
        if activated:
            payload = {
                "entries": [transfer.sequence for transfer in activated],
                "points": sum(transfer.points for transfer in activated),
                "balance": activated[-1].balance_after,
            }
            yield outbox.Fact(new_id(now), "points.activated", account.member_id, now, payload)
