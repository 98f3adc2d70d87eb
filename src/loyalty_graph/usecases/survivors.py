"""Who members live on as: what comes to a merged member goes on to the survivor, lot by lot."""

import secrets
from collections.abc import MutableMapping
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db.sets import Write
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import joining, pending, reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.rules import Account, Cause
from loyalty_graph.members import merges
from loyalty_graph.members.rules import MemberStatus

SYSTEM = "system"
PERHAPS_MERGED = {MemberStatus.MERGED, MemberStatus.ERASED}
"""Somebody who was merged may have been erased since, and lives on as before."""
SALT_BYTES = 16


async def living(
    program_id: UUID, accounts: MutableMapping[UUID, Account], account: Account, *, now: datetime
) -> Account:
    """Return the account of who a member lives on as, usually the one given.

    A survivor's is locked, loaded with all its lots, and added to the `accounts` of the batch.
    """
    if account.status not in PERHAPS_MERGED:
        return account
    survivor_id = await merges.survivor_of(program_id, account.member_id)
    if survivor_id not in accounts:
        terms = await reads.terms_in_force(program_id, now=now)
        found = await ledger.load_accounts(
            program_id, [survivor_id], whole=[survivor_id], terms=terms
        )
        pending.activate_due(found[survivor_id], now=now)
        accounts[survivor_id] = found[survivor_id]
    return accounts[survivor_id]


async def forward(
    program_id: UUID, accounts: MutableMapping[UUID, Account], *, now: datetime
) -> list[outbox.Fact]:
    """Let survivors have whatever came to members merged into them; return what to tell of it."""
    stranded = [
        one
        for one in accounts.values()
        if one.status in PERHAPS_MERGED and (one.balance or one.pending)
    ]
    moved = [await _forward(program_id, accounts, one, now=now) for one in stranded]
    return [one for one in moved if one is not None]


async def _forward(
    program_id: UUID, accounts: MutableMapping[UUID, Account], account: Account, *, now: datetime
) -> outbox.Fact | None:
    survivor = await living(program_id, accounts, account, now=now)
    if survivor is account:
        return None
    reference, before = str(new_id(now)), survivor.sequence
    # Nothing stays there, so what is there came in just now.
    account.has_all_lots = True
    left = joining.leave(account, cause(reference, {"into": str(survivor.member_id)}, now=now))
    joining.arrive(survivor, left, cause(reference, {"from": str(account.member_id)}, now=now))
    return joined(survivor, before, left, now=now)


def cause(
    reference: str,
    explanation: dict[str, str],
    *,
    now: datetime,
    actor: str = SYSTEM,
    text: str = "",
) -> Cause:
    """Return why points go from one member to another."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Cause(reference, now, now, actor, explanation, text, salt=salt)


def joined(survivor: Account, before: int, left: joining.Leaving, *, now: datetime) -> outbox.Fact:
    """Return the fact that points of another member came; `before` is the entry before them."""
    payload = {
        "entries": [one.sequence for one in survivor.posted if one.sequence > before],
        "points": sum(one.points for one in left.parts.values()) - left.debt,
        "balance": survivor.balance,
    }
    return outbox.Fact(new_id(now), "points.joined", survivor.member_id, now, payload)


async def count_less(program_id: UUID, member_id: UUID, points: int) -> list[Write]:
    """Return the write that lets less count for the survivor than a merged member brought."""
    merge = (await merges.in_force(program_id, [member_id]))[member_id]
    return [merges.counting(merge, max(0, merge.qualifying_points - points))]
