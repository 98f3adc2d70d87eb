"""Expiring points whose date has passed, member by member, in batches."""

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
from loyalty_graph.usecases import activations

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
    terms = await reads.terms_in_force(program_id, now=now)
    members = await due.members_with_due_lots(
        program_id, terms=terms, now=now, limit=MEMBERS_AT_ONCE
    )
    if not members:
        return 0
    found = await ledger.load_accounts(
        program_id,
        members,
        spenders=members,
        # Lots that their owner was not told of yet stand before others that have ended.
        whole=[] if terms.notice_days is None and terms.sliding is None else members,
        lots_at_once=LOTS_AT_ONCE,
        terms=terms,
    )
    # What becomes active pays debt first, in the order in which it waited: all of it, or none.
    if waiting := [one for one, account in found.items() if _waits_unseen(account)]:
        found |= await ledger.load_accounts(program_id, waiting, whole=waiting, terms=terms)
    for account in found.values():
        pending.activate_due(account, now=now)
        rules.expire(account, now=now)
    # Others may have used up the points while this waited for their accounts.
    accounts = [account for account in found.values() if account.posted]
    await store(
        program_id,
        [
            *ledger.writes(accounts),
            outbox.facts([*activations.facts(accounts, now=now), *_facts(accounts, now)]),
            outbox.mark_cards((account.member_id for account in accounts), now=now),
        ],
    )
    return sum(_points(account) for account in accounts)


def _waits_unseen(account: rules.Account) -> bool:
    return bool(account.pending) and not account.has_all_lots


def _expired(account: rules.Account) -> list[rules.Transfer]:
    return [one for one in account.posted if one.kind is Kind.EXPIRE]


def _points(account: rules.Account) -> int:
    return sum(transfer.points for transfer in _expired(account))


def _facts(accounts: Iterable[rules.Account], now: datetime) -> Iterator[outbox.Fact]:
    for account in accounts:
        payload = {
            "entries": [transfer.sequence for transfer in _expired(account)],
            "points": _points(account),
            "balance": account.balance,
        }
        yield outbox.Fact(new_id(now), "points.expired", account.member_id, now, payload)
