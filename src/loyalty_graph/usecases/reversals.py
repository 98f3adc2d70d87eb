"""Reversing an entry: what no refund, cancellation or other undoing takes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, MemberNotActiveError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import reads, returning, reversing, waiting
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.counting import UNDONE
from loyalty_graph.ledger.errors import (
    EntryNotReversibleError,
    EntryReversedError,
    PendingCancelledError,
)
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ClawbackPolicy
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.tiering import Tiering

EARNED = {Kind.EARN, Kind.EARN_PENDING}
HAS_LEFT = {MemberStatus.CLOSED, MemberStatus.MERGED, MemberStatus.ERASED}
_FOR_GOOD = "adjust the points, with the reason"
ADVICE: Mapping[Kind, str] = {
    Kind.EARN: "refund or void the purchase",
    Kind.EARN_PENDING: "refund or void the purchase",
    Kind.ACTIVATE: "reverse the entry that earned the points",
    Kind.CANCEL: _FOR_GOOD,
    Kind.HOLD: "release the hold, or cancel the redemption",
    Kind.RELEASE: _FOR_GOOD,
    Kind.CAPTURE: "cancel or refund the redemption, if there is one, or " + _FOR_GOOD,
    Kind.REDEEM: "cancel or refund the redemption, or refund the purchase that it paid",
    Kind.UNREDEEM: _FOR_GOOD,
    Kind.EXPIRE: "reinstate the points",
    Kind.REINSTATE: _FOR_GOOD,
    Kind.REVERSE: _FOR_GOOD,
    Kind.TRANSFER_OUT: "let the points be transferred back",
    Kind.TRANSFER_IN: "let the points be transferred back",
    Kind.MERGE_OUT: "unmerge the members",
    Kind.MERGE_IN: "unmerge the members",
}
"""What undoes an entry of a kind that is not reversed here."""


@dataclass(frozen=True, slots=True)
class ReverseEntry:
    """An entry (the member's and its sequence) to take back, and why."""

    caller: str
    idempotency_key: str
    member_id: UUID
    sequence: int
    reason: str

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"reverseEntry": [self.member_id, self.sequence, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class EntryReversed:
    """The answer: what was taken (below zero: given) back, and what was spent and is forgiven."""

    member_id: UUID
    points: int
    shortfall_points: int
    balance_points: int
    entry_sequence: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        points = [self.points, self.shortfall_points, self.balance_points]
        return {"member": str(self.member_id), "points": points, "entry": self.entry_sequence}

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "EntryReversed":
        """Return the first answer to a retry."""
        points, shortfall, balance = kept["points"]
        member_id = UUID(kept["member"])
        return cls(member_id, points, shortfall, balance, kept["entry"], replayed=True)


@posting.settling_conflicts
@transaction
async def reverse(program_id: UUID, command: ReverseEntry, *, now: datetime) -> EntryReversed:
    """Take back what an entry did: points of an activity, brought along, or adjusted by hand.

    Points that came in are taken as a claw-back takes them, by the policy in force now; a programme
    that lets members keep theirs forgives what was spent. Points that were taken by hand return to
    their lots. What the entry counted for a tier, it counts no more.

    Raises:
        NotFoundError: No such entry.
        InvalidInputError: There is no reason, or too long a one.
        EntryReversedError: It was reversed before.
        PendingCancelledError: Its points were cancelled while they waited.
        EntryNotReversibleError: Something else undoes such an entry.
        MemberNotActiveError: Points are to be given back to a member who may not have them, or the
            member has left: nothing is there to be taken, and what is forfeited stays so.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    tiering = await Tiering.of(program_id, now=now)
    batch = await posting.load(
        program_id, [command], now=now, whole=[command.member_id], by_member=tiering.lookups
    )
    if (earlier := batch.earlier(0)) is not None:
        return EntryReversed.replay(earlier)
    account = batch.account(0, command.member)
    if account.status in HAS_LEFT:
        raise MemberNotActiveError(account.member_id, account.status)
    await tiering.take(batch)
    entry = await _reversible(program_id, command)
    gone = await waiting.cancelled(program_id, account.member_id, f"{entry.reference}:")
    if gone and gone == entry.pending:
        raise PendingCancelledError("entry", field="entryId")
    done = await _undo(program_id, account, entry, _cause(command, entry, now=now), gone=gone)
    counted = entry.qualifying - gone
    tiering.count(account.member_id, spend_minor=0, points=-counted, at=entry.at)
    tiering.add_to(batch)
    return await _store(batch, account, done, command)


def _check(command: ReverseEntry) -> None:
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("A reversal needs a reason.", field="reason")


async def _reversible(program_id: UUID, command: ReverseEntry) -> Entry:
    key = command.member_id, command.sequence
    entry = (await reads.entries(program_id, [key])).get(key)
    if entry is None:
        raise NotFoundError(
            "entry", command.sequence, place="this member's ledger", field="entryId"
        )
    is_bought = entry.kind in EARNED and "activity" not in (entry.explanation or {})
    if entry.kind in ADVICE and (is_bought or entry.kind not in EARNED):
        raise EntryNotReversibleError(entry.kind, ADVICE[entry.kind])
    member_id, reference = entry.member_id, _reference(entry.sequence)
    if await ledger_service.is_posted(program_id, member_id, Kind.REVERSE, reference):
        raise EntryReversedError(entry.sequence)
    return entry


def _reference(sequence: int) -> str:
    return f"{UNDONE}{sequence}"


def _cause(command: ReverseEntry, entry: Entry, *, now: datetime) -> ledger.Cause:
    return ledger.Cause(
        reference=_reference(entry.sequence),
        at=now,
        recorded_at=now,
        actor=command.caller,
        explanation={"entry": entry.sequence, "of": entry.kind},
        text=command.reason,
        rule_version=entry.rule_version,
        salt=posting.salt(),
    )


async def _undo(
    program_id: UUID, account: ledger.Account, entry: Entry, cause: ledger.Cause, *, gone: int
) -> ledger.Reversal:
    if entry.points < 0:
        return await _give_back(program_id, account, entry, cause)
    version = await programs.in_force(program_id, cause.recorded_at, now=cause.recorded_at)
    policy = version.settings.points.clawback
    if policy is ClawbackPolicy.KEEP:
        policy = ClawbackPolicy.CLAMP_TO_ZERO
    if entry.kind in EARNED:
        lot = {entry.sequence}
        origins = reversing.Origins(lot, lot)
        points = entry.points + entry.pending - gone
        return reversing.claw_back(account, points, cause, origins=origins, policy=policy)
    return reversing.take_out(
        account,
        entry.points,
        cause,
        origin=entry.sequence,
        into=entry.debit,
        qualifying=entry.qualifying,
        may_go_negative=policy is ClawbackPolicy.ALLOW_NEGATIVE,
    )


async def _give_back(
    program_id: UUID, account: ledger.Account, entry: Entry, cause: ledger.Cause
) -> ledger.Reversal:
    ledger.check_active(account)
    kind, reference = entry.kind, entry.reference
    taken = await ledger_service.taken_by(program_id, account, reference, kind=kind)
    history = await ledger_service.forgiveness(program_id, [account.member_id])
    forgiven = returning.forgiven_after(history[account.member_id], taken.sequence)
    posted = returning.readjust(account, taken.uses, cause, forgiven=forgiven)
    return ledger.Reversal(entry.points, 0, posted[0])


async def _store(
    batch: posting.Batch, account: ledger.Account, done: ledger.Reversal, command: ReverseEntry
) -> EntryReversed:
    assert done.transfer is not None, "every entry that is reversed did something"
    answer = EntryReversed(
        account.member_id,
        done.clawed_back,
        done.shortfall,
        account.balance,
        done.transfer.sequence,
    )
    batch.answer(0, answer.kept())
    batch.record_by(
        command.caller,
        "points.reversed",
        account.member_id,
        why=command.reason,
        entry=answer.entry_sequence,
        points=-answer.points,
        shortfall=answer.shortfall_points,
        balance=answer.balance_points,
    )
    await batch.store()
    return answer
