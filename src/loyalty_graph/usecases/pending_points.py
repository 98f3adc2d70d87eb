"""Letting points that wait be spent before their time, or cancelling them, by hand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, MemberNotActiveError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import moved, pending, reads, waiting
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.errors import (
    NotPendingError,
    PendingActivatedError,
    PendingAmountError,
    PendingCancelledError,
)
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.purchases import reads as purchase_reads
from loyalty_graph.purchases import service as purchases
from loyalty_graph.usecases import posting, survivors
from loyalty_graph.usecases.tiering import Tiering

POINTS_MAX = 10**12
Waiting = list[tuple[ledger.Lot, Entry]]
"""Lots that wait, those that wait longest first, with the entries that opened them."""


@dataclass(frozen=True, slots=True)
class Earning:
    """What earned the points: an entry of the member's ledger (its sequence), or a purchase."""

    member_id: UUID
    of: int | UUID

    @property
    def noun(self) -> str:
        """What it is called."""
        return "entry" if isinstance(self.of, int) else "purchase"


@dataclass(frozen=True, slots=True)
class ActivatePending:
    """Points that need not wait any longer, since `at`; only those that await an `event`, if given.

    When its caller gave no time, `is_dated` is False and `at` is the request's moment.
    """

    caller: str
    idempotency_key: str
    earning: Earning
    at: datetime
    is_dated: bool = True
    event: str | None = None
    reason: str = ""

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.earning.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        what = [self.earning.member_id, self.earning.of]
        given = {"activatePending": what, "at": self.at if self.is_dated else None}
        more = {"event": self.event, "reason": self.reason}
        return claim(self.caller, self.idempotency_key, {**given, **more})


@dataclass(frozen=True, slots=True)
class CancelPending:
    """Points that wait and are cancelled: all of them, or so many of those that wait longest."""

    caller: str
    idempotency_key: str
    earning: Earning
    points: int | None
    reason: str

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.earning.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        what = [self.earning.member_id, self.earning.of, self.points, self.reason]
        return claim(self.caller, self.idempotency_key, {"cancelPending": what})


@dataclass(frozen=True, slots=True)
class PendingMoved:
    """The answer: how many points wait no more, the first entry about them, the balance then."""

    member_id: UUID
    points: int
    balance_points: int
    entry_sequence: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "PendingMoved":
        """Return the first answer to a retry."""
        member_id = UUID(kept["member"])
        return cls(member_id, kept["points"], kept["balance"], kept["entry"], replayed=True)


@posting.settling_conflicts
@transaction
async def activate(program_id: UUID, command: ActivatePending, *, now: datetime) -> PendingMoved:
    """Let everything that waits of an entry or a purchase be spent from now on.

    What a merged member had earned waits with the survivor.

    Raises:
        NotFoundError: No such entry or purchase.
        InvalidInputError: The time cannot be used, or the reason is too long.
        NotPendingError: None of its points ever waited.
        PendingActivatedError: They can be spent already.
        PendingCancelledError: They are gone.
        IdempotencyMismatchError: The key was used with other input.
    """
    check_offset(command.at, field="at")
    posting.check_text(command.reason, field="reason")
    batch = await posting.load(program_id, [command], now=now, whole=True)
    if (earlier := batch.earlier(0)) is not None:
        return PendingMoved.replay(earlier)
    account = batch.account(0, command.member)
    version = await programs.in_force(program_id, now, now=now)
    version.settings.check_time(command.at, now=now, field="at")
    holder = await survivors.living(program_id, batch.accounts, account, now=now)
    batch.serve(holder.member_id)
    found = await _waiting(program_id, holder, command.earning, event=command.event)
    posted = []
    for lot, entry in reversed(found):
        _check_after(entry, command.at)
        cause = ledger.Cause(
            reference=pending.activation(lot.sequence),
            at=command.at,
            recorded_at=now,
            actor=command.caller,
            explanation={
                "by": "hand",
                **({} if lot.awaits is None else {"awaited": lot.awaits}),
                "lot": lot.sequence,
                "points": lot.remaining,
                **_earned_by(entry),
            },
            text=command.reason,
            salt=posting.salt(),
        )
        posted.append(pending.activate(holder, lot, cause))
    _record(batch, holder, posted, command, "pending.activated")
    return await _store(batch, holder, posted)


def _check_after(entry: Entry, at: datetime) -> None:
    if at < entry.at:
        raise InvalidInputError(
            f"That is before the points were earned, {entry.at.isoformat()}.", field="at"
        )


@posting.settling_conflicts
@transaction
async def cancel(program_id: UUID, command: CancelPending, *, now: datetime) -> PendingMoved:
    """Take points back that wait, also off what counts for a tier.

    Of what a merged member had earned nothing is cancelled by hand: only refunds find it.
    What is left of them goes on waiting. Caps and budgets of rules get no room back, and goods that
    are brought back take only what was not cancelled before.

    Raises:
        NotFoundError: No such entry or purchase.
        InvalidInputError: No points or too many, or no reason.
        NotPendingError: None of its points ever waited.
        PendingActivatedError: They can be spent already.
        PendingCancelledError: They are gone.
        PendingAmountError: Fewer wait.
        MemberNotActiveError: The member was merged or erased.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    tiering = await Tiering.of(program_id, now=now)
    batch = await posting.load(
        program_id, [command], now=now, whole=True, by_member=tiering.lookups
    )
    if (earlier := batch.earlier(0)) is not None:
        return PendingMoved.replay(earlier)
    account = batch.account(0, command.member)
    if account.status in {MemberStatus.MERGED, MemberStatus.ERASED}:
        raise MemberNotActiveError(account.member_id, account.status)
    await tiering.take(batch)
    found = await _waiting(program_id, account, command.earning)
    if any(entry.kind is not Kind.EARN_PENDING for _, entry in found):
        raise NotPendingError(command.earning.noun)
    left = _checked_points(command, found)
    counting = await _counting(program_id, account.member_id, found[0][1])
    posted = []
    for lot, entry in found:
        cause = _cancellation(command, account, lot, entry, now=now)
        transfer = pending.cancel(account, {lot.sequence}, left, cause, counting=counting)
        if transfer is not None:
            left -= transfer.points
            counting += transfer.qualifying
            posted.append(transfer)
            tiering.count(account.member_id, spend_minor=0, points=transfer.qualifying, at=entry.at)
    tiering.add_to(batch)
    _record(batch, account, posted, command, "points.cancelled")
    return await _store(batch, account, posted)


def _check(command: CancelPending) -> None:
    if command.points is not None and not 0 < command.points <= POINTS_MAX:
        raise InvalidInputError(
            f"The points are {command.points}; use 1 to {POINTS_MAX}.", field="points"
        )
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("A cancellation needs a reason.", field="reason")


def _checked_points(command: CancelPending, found: Waiting) -> int:
    """Return how many points are to be cancelled; there are as many."""
    most = sum(lot.remaining for lot, _ in found)
    if command.points is not None and command.points > most:
        raise PendingAmountError(asked=command.points, waiting=most)
    return command.points or most


def _cancellation(
    command: CancelPending, account: ledger.Account, lot: ledger.Lot, entry: Entry, *, now: datetime
) -> ledger.Cause:
    return ledger.Cause(
        reference=f"{pending.cancellation(entry.reference)}:{account.sequence + 1}",
        at=now,
        recorded_at=now,
        actor=command.caller,
        explanation={"by": "hand", "lot": lot.sequence, **_earned_by(entry)},
        text=command.reason,
        rule_version=entry.rule_version,
        salt=posting.salt(),
    )


async def _counting(program_id: UUID, member_id: UUID, entry: Entry) -> int:
    """Return what counts for a tier of what a purchase earned, or an entry that none did.

    What refunds left to the member, since the programme lets them keep it, counts no more.
    """
    if (purchase := _earned_by(entry).get("purchase")) is None:
        return entry.pending
    bought, _ = await purchases.load(program_id, member_id, UUID(purchase))
    due = await purchase_reads.due_before(program_id, member_id, bought.id)
    return max(0, bought.points - due - await waiting.cancelled(program_id, member_id, purchase))


def _earned_by(entry: Entry) -> dict[str, str]:
    """Return the purchase that earned the points, as an explanation names it, if one did."""
    is_bought = entry.kind is Kind.EARN_PENDING and "activity" not in (entry.explanation or {})
    return {"purchase": pending.origin_of(entry.reference)} if is_bought else {}


async def _waiting(
    program_id: UUID, account: ledger.Account, earning: Earning, *, event: str | None = None
) -> Waiting:
    """Return what waits of an entry or a purchase, what waits longest first.

    Raises:
        NotFoundError: There is no such thing.
        LoyaltyError: Nothing waits, for the reason that it names.
    """
    earned = await _earned(program_id, earning)
    if event is not None:
        earned = [one for one in earned if (one.explanation or {}).get("awaits") == event]
    by_sequence = await _opened(program_id, account, earning, earned)
    lots = [lot for lot in account.waiting if lot.sequence in by_sequence]
    if lots:
        lots.sort(key=lambda lot: (lot.activates_at, *ledger.soonest_first(lot)), reverse=True)
        return [(lot, by_sequence[lot.sequence]) for lot in lots]
    if not earned:
        raise NotPendingError(earning.noun)
    opened = {(account.member_id, one) for one in by_sequence}
    opened |= {(one.member_id, one.sequence) for one in earned}
    if await _is_activated(program_id, account, opened):
        raise PendingActivatedError(earning.noun)
    raise PendingCancelledError(earning.noun)


async def _opened(
    program_id: UUID, account: ledger.Account, earning: Earning, earned: Sequence[Entry]
) -> dict[int, Entry]:
    """Return the lots (sequences) that hold what was earned, of the member or the survivor."""
    by_sequence = {one.sequence: one for one in earned}
    if account.member_id == earning.member_id:
        return by_sequence
    arrived = await moved.lots(program_id, earning.member_id, account.member_id)
    return {one.new: by_sequence[one.old] for one in arrived if one.old in by_sequence}


async def _is_activated(
    program_id: UUID, account: ledger.Account, lots: Collection[tuple[UUID, int]]
) -> bool:
    """Return whether one of these lots was activated, if only since its time has come by now."""
    by_now = {one.cause.reference for one in account.posted}
    for member_id, lot in lots:
        reference = pending.activation(lot)
        if member_id == account.member_id and reference in by_now:
            return True
        if await ledger_service.is_posted(program_id, member_id, Kind.ACTIVATE, reference):
            return True
    return False


async def _earned(program_id: UUID, earning: Earning) -> list[Entry]:
    """Return the entries by which the points were earned that wait, or waited."""
    if isinstance(earning.of, UUID):
        await purchases.load(program_id, earning.member_id, earning.of)
        return await waiting.entries(program_id, earning.member_id, earning.of)
    key = earning.member_id, earning.of
    entry = (await reads.entries(program_id, [key])).get(key)
    if entry is None:
        raise NotFoundError("entry", earning.of, place="this member's ledger", field="pending")
    return [entry] if entry.pending > 0 else []


def _record(
    batch: posting.Batch,
    account: ledger.Account,
    posted: Sequence[ledger.Transfer],
    command: ActivatePending | CancelPending,
    kind: str,
) -> None:
    batch.record_by(
        command.caller,
        kind,
        account.member_id,
        why=command.reason,
        entries=[one.sequence for one in posted],
        points=sum(one.points for one in posted),
        balance=account.balance,
    )


async def _store(
    batch: posting.Batch, account: ledger.Account, posted: Sequence[ledger.Transfer]
) -> PendingMoved:
    answer = PendingMoved(
        account.member_id,
        sum(one.points for one in posted),
        account.balance,
        posted[0].sequence,
    )
    batch.answer(0, answer.kept())
    await batch.store()
    return answer
