"""Proving and rebuilding a programme's ledger, member by member."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.ledger import audit as ledger_audit
from loyalty_graph.ledger import checkpoint_audit
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.ledger.checkpoints import Signed

MEMBERS_AT_ONCE = 100

Progress = Callable[[int], None]


async def verify(
    program_id: UUID,
    *,
    now: datetime,
    member_id: UUID | None = None,
    progress: Progress | None = None,
    keys: Collection[bytes] = (),
    published: Signed | None = None,
) -> Audit:
    """Work every member's books out again and compare; keep the outcome when all were audited.

    Nobody is held up meanwhile. Checkpoints are proven too, unless only one member is audited and
    none that was `published` is given.

    Args:
        program_id: Whose ledger.
        now: The moment.
        member_id: Audit only this member.
        progress: Is told how many accounts are done so far.
        keys: The public keys that may have signed checkpoints; none at all, and any may.
        published: A checkpoint that must still hold.

    Raises:
        CheckpointOfOthersError: It is another programme's.
    """
    result = Audit()
    if member_id is None or published is not None:
        result.findings = await checkpoint_audit.audit(program_id, keys=keys, published=published)
    if member_id is not None:
        part = await ledger_audit.audit(program_id, [member_id])
        part.findings = [*result.findings, *part.findings]
        return part
    async for members in _pages(program_id):
        part = await ledger_audit.audit(program_id, members)
        result.accounts += part.accounts
        result.transfers += part.transfers
        result.findings.extend(part.findings)
        if progress is not None:
            progress(result.accounts)
    await _keep(program_id, result, now)
    return result


async def rebuild(program_id: UUID, *, now: datetime, progress: Progress | None = None) -> int:
    """Derive all projections again from the transfers; return how many rows were different.

    Cards of members whose rows were are marked, and of a few others with them.
    """
    changed = done = 0
    async for members in _pages(program_id):
        changed += await _rebuild(program_id, members, now)
        done += len(members)
        if progress is not None:
            progress(done)
    return changed


async def _pages(program_id: UUID) -> AsyncIterator[list[UUID]]:
    after: UUID | None = None
    while members := await ledger_audit.page_of_members(
        program_id, after=after, limit=MEMBERS_AT_ONCE
    ):
        yield members
        after = members[-1]


@transaction
async def _rebuild(program_id: UUID, members: Sequence[UUID], now: datetime) -> int:
    await ledger.load_accounts(program_id, members)
    changed = await ledger_audit.rebuild(program_id, members)
    if changed:
        await store(program_id, [outbox.mark_cards(members, now=now)])
    return changed


@transaction
async def _keep(program_id: UUID, result: Audit, now: datetime) -> None:
    await ledger_audit.keep(program_id, result, now=now)
