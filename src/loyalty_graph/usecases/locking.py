"""Locking members: suspended for a reason, perhaps earning on, until somebody unlocks them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.rules import Account
from loyalty_graph.members import locks
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import MemberStatus, Reference, check_next_status
from loyalty_graph.usecases import posting


@dataclass(frozen=True, slots=True)
class SetLock:
    """A member to be locked, or unlocked, and why.

    `may_earn` is None when the lock is to be taken off.
    """

    caller: str
    idempotency_key: str
    member: Reference
    reason: str
    may_earn: bool | None

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = [self.member.kind, self.member.value, self.reason, self.may_earn]
        return claim(self.caller, self.idempotency_key, {"lockMember": given})


@dataclass(frozen=True, slots=True)
class LockSet:
    """The answer: whose lock it is."""

    member_id: UUID
    replayed: bool = False


@posting.settling_conflicts
@transaction
async def set_lock(program_id: UUID, command: SetLock, *, now: datetime) -> LockSet:
    """Suspend a member, or let an end be put to that.

    Who is locked cannot spend; points stay and expire as ever, and those that are earned meanwhile,
    if that is allowed, can be spent afterwards. Locking somebody locked changes the lock.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The member is closed or gone, or not locked; or no reason.
        IdempotencyMismatchError: The key was used with other input.
    """
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("A lock needs a reason, and so does its end.", field="reason")
    batch = await posting.load(program_id, [command], now=now)
    if (earlier := batch.earlier(0)) is not None:
        return LockSet(UUID(earlier["member"]), replayed=True)
    account = batch.account(0, command.member)
    was = MemberStatus(account.status)
    becomes = MemberStatus.ACTIVE if command.may_earn is None else MemberStatus.SUSPENDED
    if was is becomes is MemberStatus.ACTIVE:
        raise InvalidInputError("The member is not locked.", field="status")
    if (was, becomes) != (MemberStatus.SUSPENDED, MemberStatus.SUSPENDED):
        check_next_status(was, becomes)
    await _set(batch, account, command, becomes)
    earned = was is MemberStatus.ACTIVE or account.may_earn
    earns = becomes is MemberStatus.ACTIVE or bool(command.may_earn)
    batch.record_change(
        "member.status_changed",
        account.member_id,
        outbox.change(
            command.caller,
            before={"status": was.value, "mayEarn": earned},
            after={"status": becomes.value, "mayEarn": earns},
            reason=command.reason,
        ),
        **{"from": was.value, "to": becomes.value, "mayEarn": earns},
    )
    batch.shown.add(account.member_id)
    batch.answer(0, {"member": str(account.member_id)})
    await batch.store()
    return LockSet(account.member_id)


async def _set(
    batch: posting.Batch, account: Account, command: SetLock, becomes: MemberStatus
) -> None:
    member_id, may_earn = account.member_id, command.may_earn
    # Apart from the batch, which may write the same account's row.
    writes = [
        members.set_status(member_id, becomes),
        ledger.set_status(member_id, becomes, may_earn=bool(may_earn)),
    ]
    if may_earn is None:
        await locks.lift(batch.program_id, member_id)
        await store(batch.program_id, writes)
        return
    lock = locks.Lock(command.reason, may_earn, batch.now, command.caller)
    await store(batch.program_id, [*writes, locks.put(member_id, lock)])
