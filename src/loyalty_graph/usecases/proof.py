"""Proving and rebuilding a programme's ledger, member by member."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import audit as ledger_audit
from loyalty_graph.ledger import checkpoint_audit, clearing
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.audit import Audit, Finding
from loyalty_graph.ledger.checkpoints import Signed
from loyalty_graph.ledger.clearing import Stray
from loyalty_graph.purchases import proving as purchases
from loyalty_graph.purchases.proving import Overdrawn
from loyalty_graph.usecases.proof_processes import Pages, Processes

MEMBERS_AT_ONCE = 100

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is audited: everything, unless something is left out.

    Only one member; only members with entries recorded `since` a moment; or, `fast`, without
    texts, actors and explanations, of which the chains hold hashes.
    """

    member_id: UUID | None = None
    since: datetime | None = None
    fast: bool = False


@dataclass(frozen=True, slots=True)
class Signatures:
    """What checkpoints are held against.

    The public keys that may have signed (none at all, and any may), and perhaps a checkpoint that
    was published, which must still hold.
    """

    keys: Collection[bytes] = ()
    published: Signed | None = None


EVERYTHING = Scope()
UNKNOWN = Signatures()


async def _here(program_id: UUID, pages: Pages, *, with_details: bool) -> AsyncIterator[Audit]:
    async for members in pages:
        yield await ledger_audit.audit(program_id, members, with_details=with_details)


async def verify(
    program_id: UUID,
    *,
    now: datetime,
    scope: Scope = EVERYTHING,
    signatures: Signatures = UNKNOWN,
    progress: Progress | None = None,
    helpers: Processes | None = None,
) -> Audit:
    """Work every member's books out again and compare; keep the outcome of an audit of everything.

    Nobody is held up meanwhile. Checkpoints, refunds and what is under way between members are
    proven too, unless only one member is audited; then only a checkpoint that was published is.

    Args:
        program_id: Whose ledger.
        now: The moment.
        scope: What is audited.
        signatures: What checkpoints are held against.
        progress: Is told how many accounts are done so far.
        helpers: Other processes that share the work.

    Raises:
        CheckpointOfOthersError: The checkpoint that was published is another programme's.
    """
    result = Audit()
    if scope.member_id is None or signatures.published is not None:
        result = await checkpoint_audit.audit(
            program_id, keys=signatures.keys, published=signatures.published
        )
    if scope.member_id is None:
        wrong: list[Overdrawn | Stray] = [
            *await purchases.overdrawn(program_id),
            *await clearing.strays(program_id),
        ]
        result.findings += [Finding(one.member_id, None, one.problem) for one in wrong]
    work = _here if helpers is None else helpers.audit
    async for part in work(program_id, _pages_of(program_id, scope), with_details=not scope.fast):
        result.add(part)
        if progress is not None:
            progress(result.accounts)
    # Helpers end in any order.
    result.findings.sort(key=lambda one: str(one.member_id or ""))
    if scope == EVERYTHING:
        await _keep(program_id, result, now)
    return result


async def _pages_of(program_id: UUID, scope: Scope) -> Pages:
    if scope.member_id is not None:
        yield [scope.member_id]
        return
    async for members in _pages(program_id, since=scope.since):
        yield members


async def rebuild(program_id: UUID, *, now: datetime, progress: Progress | None = None) -> int:
    """Derive all projections again from the transfers; return how many rows were different.

    Cards of members whose rows were are marked, and of a few others with them; the audit log says
    that it was done.
    """
    changed = done = 0
    async for members in _pages(program_id):
        changed += await _rebuild(program_id, members, now)
        done += len(members)
        if progress is not None:
            progress(done)
    return changed


async def _pages(program_id: UUID, *, since: datetime | None = None) -> Pages:
    after: UUID | None = None
    while members := await ledger_audit.page_of_members(
        program_id, after=after, limit=MEMBERS_AT_ONCE, since=since
    ):
        yield members
        after = members[-1]


@transaction
async def _rebuild(program_id: UUID, members: Sequence[UUID], now: datetime) -> int:
    await ledger.load_accounts(program_id, members)
    changed = await ledger_audit.rebuild(program_id, members)
    if changed:
        told = outbox.change("cli", about="ledger", after={"rows": changed})
        fact = outbox.Fact(new_id(now), "ledger.rebuilt", None, now, {"rows": changed}, told)
        await store(program_id, [outbox.facts([fact]), outbox.mark_cards(members, now=now)])
    return changed


@transaction
async def _keep(program_id: UUID, result: Audit, now: datetime) -> None:
    await ledger_audit.keep(program_id, result, now=now)
