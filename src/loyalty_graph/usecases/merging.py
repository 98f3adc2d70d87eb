"""Two members who are one person become one, and can be parted again for a while.

Both histories and chains stay. What the one has goes to the other through the book CLEARING, lot by
lot; from then on whatever found the one finds the other. What cannot change hands has to end first.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.errors import InvalidInputError, MemberNotActiveError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import joining, moved, sliding, transfers
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.errors import (
    MergeBlockedError,
    MergeWithSelfError,
    NotMergedError,
    UnmergeTooLateError,
)
from loyalty_graph.ledger.room import check_room
from loyalty_graph.ledger.rules import Account, Cause
from loyalty_graph.members import merges
from loyalty_graph.members import reads as member_reads
from loyalty_graph.members import service as members
from loyalty_graph.members.merges import Merge
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.rewards import service as rewards
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.course import advance
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.usecases import posting, survivors
from loyalty_graph.usecases.tiering import Tiering
from loyalty_graph.wallet import links, voiding

UNMERGE_DAYS = 30


@dataclass(frozen=True, slots=True)
class MergeMembers:
    """A member to live on as another one, and why."""

    caller: str
    idempotency_key: str
    merged: Reference
    into: Reference
    reason: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        references = [[one.kind, one.value] for one in (self.merged, self.into)]
        given = {"mergeMembers": references, "reason": self.reason}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class UnmergeMembers:
    """A member to be himself again, and why."""

    caller: str
    idempotency_key: str
    merged_id: UUID
    reason: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"unmergeMembers": [self.merged_id, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two members of a command."""

    member: Reference
    claim: Claim


@dataclass(frozen=True, slots=True)
class Merged:
    """The answer: whose points moved (the survivor's when merged), with the entry and balance."""

    member_id: UUID
    other_id: UUID
    balance_points: int
    entry_sequence: int | None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "ids": [str(self.member_id), str(self.other_id)],
            "balance": self.balance_points,
            "entry": self.entry_sequence,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "Merged":
        """Return the first answer to a retry."""
        member_id, other_id = map(UUID, kept["ids"])
        return cls(member_id, other_id, kept["balance"], kept["entry"], replayed=True)


@posting.settling_conflicts
@transaction
async def merge(program_id: UUID, command: MergeMembers, *, now: datetime) -> Merged:
    """Let a member live on as another one, who gets points, debt and what counts for tiers.

    Pending points stay pending, and the higher tier stays. Cards of the merged member are void and
    links to them stop working; an old number, address or id finds the survivor, and what comes back
    of old purchases and redemptions is the survivor's.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: There is no reason, or too long a one.
        MergeWithSelfError: Both are one member.
        MemberNotActiveError: One of them is not active. A lock would not outlive the merge, and
            its points could be spent.
        MergeBlockedError: Something of the other one has to end first.
        PointsLimitError: Both have too many points for one.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command.reason)
    batch, tiering = await _load(program_id, [command.into, command.merged], command.claim, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return Merged.replay(earlier)
    into = batch.account(0, command.into, field="into")
    merged = batch.account(1, command.merged, field="from")
    if into is merged:
        raise MergeWithSelfError
    _check_active(into, field="into")
    _check_active(merged, field="from")
    await _check_free(batch, merged)
    check_room(into, max(merged.balance + merged.pending, merged.qualifying))
    done = Merge(merged.member_id, new_id(now), into.member_id, merged.qualifying, now)
    before = into.sequence
    left = joining.leave(merged, _cause(done.id, command, {"into": str(into.member_id)}, now=now))
    sliding.join(into, merged, now=now)
    joining.arrive(into, left, _cause(done.id, command, {"from": str(merged.member_id)}, now=now))
    tiering.join(into.member_id, merged.member_id)
    tiering.add_to(batch, actor=command.caller, reason=command.reason)
    batch.writes.append(merges.merged(done))
    if into.sequence > before:
        batch.facts.append(survivors.joined(into, before, left, now=now))
    told: dict[str, Any] = {"into": str(into.member_id), "balance": merged.balance}
    batch.record_by(command.caller, "member.merged", merged.member_id, why=command.reason, **told)
    await _shut_out(batch, done)
    return await _store(batch, into, merged, before)


@posting.settling_conflicts
@transaction
async def unmerge(program_id: UUID, command: UnmergeMembers, *, now: datetime) -> Merged:
    """Let a member be himself again, with what is left of the lots he had brought.

    What was spent meanwhile stays spent, and debt that was paid stays paid. What he bought counts
    for his tier again; the survivor's tier stays until its period ends. Old numbers and addresses
    find him again, but those that the survivor took over. Cards that were void stay void.

    Raises:
        InvalidInputError: There is no reason, or too long a one.
        NotMergedError: No such member, or one who was not merged.
        MemberNotActiveError: The member was erased since, perhaps with the survivor.
        UnmergeTooLateError: The merge is more than 30 days old.
        MergeBlockedError: The survivor is merged himself.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command.reason)
    found = (await merges.in_force(program_id, [command.merged_id])).get(command.merged_id)
    sides = [command.merged_id, *([found.into_id] if found else [])]
    wanted = [Reference(ReferenceKind.ID, str(one)) for one in sides]
    batch, tiering = await _load(program_id, wanted, command.claim, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return Merged.replay(earlier)
    done = (await merges.in_force(program_id, [command.merged_id])).get(command.merged_id)
    if done is None or found is None:
        raise NotMergedError(command.merged_id)
    merged, into = batch.account(0, wanted[0]), batch.account(1, wanted[1])
    _check_parting(done, merged, into, now=now)
    before = merged.sequence
    await _part(batch, merged, into, _cause(new_id(now), command, {}, now=now), done)
    tiering.part(into.member_id, merged.member_id)
    tiering.add_to(batch, actor=command.caller, reason=command.reason)
    batch.writes.append(merges.unmerged(done, now=now))
    told: dict[str, Any] = {"from": str(into.member_id), "balance": merged.balance}
    batch.record_by(command.caller, "member.unmerged", merged.member_id, why=command.reason, **told)
    batch.record("points.parted", into.member_id, balance=into.balance)
    await _let_in(batch, done)
    return await _store(batch, merged, into, before)


def _check_active(account: Account, *, field: str) -> None:
    if account.status != MemberStatus.ACTIVE:
        raise MemberNotActiveError(account.member_id, account.status, field=field)


def _check(reason: str) -> None:
    posting.check_text(reason, field="reason")
    if not reason.strip():
        raise InvalidInputError("This needs a reason.", field="reason")


async def _load(
    program_id: UUID, wanted: list[Reference], claimed: Claim, *, now: datetime
) -> tuple[posting.Batch, Tiering]:
    """Return a batch with both accounts, locked and whole; both have the one key."""
    tiering = await Tiering.of(program_id, now=now)
    sides = [_Side(one, claimed) for one in wanted]
    batch = await posting.load(program_id, sides, now=now, whole=True, by_member=tiering.lookups)
    await tiering.take(batch)
    return batch, tiering


async def _check_free(batch: posting.Batch, merged: Account) -> None:
    """Refuse a member of whom something is open that cannot change hands."""
    redemptions, vouchers = await rewards.unsettled(batch.program_id, merged.member_id)
    found = (
        ("a hold", merged.held > 0),
        ("a redemption that is not used", bool(redemptions)),
        ("a voucher with money on it", bool(vouchers)),
        ("a subscription", await _subscribes(batch, merged.member_id)),
        ("a transfer under way", await transfers.has_open(batch.program_id, merged.member_id)),
    )
    if open_ := [name for name, is_open in found if is_open]:
        raise MergeBlockedError(*open_, field="from")


async def _subscribes(batch: posting.Batch, member_id: UUID) -> bool:
    [[rows]] = await fetch(batch.program_id, subscriptions.of_members([member_id], limit=1))
    for state in (subscriptions.held_of(row).state for row in rows):
        version = await programs.in_force(batch.program_id, batch.now, now=batch.now)
        terms = await subscriptions.terms(batch.program_id, state, version)
        present, _ = advance(state, terms, batch.now)
        return present.status is not Status.EXPIRED
    return False


def _cause(
    move_id: UUID,
    command: MergeMembers | UnmergeMembers,
    explanation: dict[str, str],
    *,
    now: datetime,
) -> Cause:
    return survivors.cause(
        str(move_id), explanation, now=now, actor=command.caller, text=command.reason
    )


async def _shut_out(batch: posting.Batch, done: Merge) -> None:
    """Let the survivor be found, and nothing be shown of the other one any more."""
    program_id, member_id = batch.program_id, done.member_id
    await _set_status(program_id, member_id, MemberStatus.MERGED)
    await merges.hand_over(program_id, member_id, done.into_id)
    await voiding.void_all(program_id, member_id, now=batch.now)
    await links.revoke_all(program_id, member_id, now=batch.now)
    batch.shown |= {member_id, done.into_id}


async def _let_in(batch: posting.Batch, done: Merge) -> None:
    """Let the member be found again."""
    await _set_status(batch.program_id, done.member_id, MemberStatus.ACTIVE)
    found = await member_reads.members(batch.program_id, [done.member_id])
    await merges.take_back(batch.program_id, found[done.member_id], done.into_id)
    batch.shown |= {done.member_id, done.into_id}


async def _set_status(program_id: UUID, member_id: UUID, status: MemberStatus) -> None:
    # Apart from the batch, which writes the same account's row.
    account = ledger.set_status(member_id, status)
    await store(program_id, [members.set_status(member_id, status), account])


def _check_parting(done: Merge, merged: Account, into: Account, *, now: datetime) -> None:
    if merged.status != MemberStatus.MERGED:
        raise MemberNotActiveError(merged.member_id, merged.status, field="memberId")
    until = done.merged_at + timedelta(days=UNMERGE_DAYS)
    if now > until:
        raise UnmergeTooLateError(until.isoformat())
    if into.status == MemberStatus.MERGED:
        raise MergeBlockedError("a member between, who is merged", field="memberId")


async def _part(
    batch: posting.Batch, merged: Account, into: Account, cause: Cause, done: Merge
) -> None:
    program_id, member_id = batch.program_id, merged.member_id
    lots = await moved.lots(program_id, member_id, into.member_id)
    accounts = {member_id: merged}
    await ledger.add_lots(program_id, accounts, {(member_id, one.old) for one in lots})
    because = replace(cause, explanation={"unmerged": str(member_id)})
    qualifying = min(done.qualifying_points, into.qualifying)
    # The account is his own again, so that nothing goes on to the survivor.
    merged.status = MemberStatus.ACTIVE
    joining.part(into, merged, lots, because, qualifying=qualifying)


async def _store(batch: posting.Batch, account: Account, other: Account, before: int) -> Merged:
    """Store everything; the entry is the first one of the account after `before`."""
    entry = before + 1 if account.sequence > before else None
    answer = Merged(account.member_id, other.member_id, account.balance, entry)
    batch.answer(0, answer.kept())
    # What time did to either is stored too, though nothing else of it may have moved.
    batch.serve(account.member_id)
    batch.serve(other.member_id)
    await batch.store()
    return answer
