"""Adjusting points by hand: a gift, a correction, a goodwill gesture; always with a reason."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.identity.rules import Issuer
from loyalty_graph.ledger import approvals
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger.approving import Approval, ApprovalState
from loyalty_graph.ledger.room import check_room
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.issuing import Issuing

POINTS_MAX = 10**12


@dataclass(frozen=True, slots=True)
class AdjustPoints:
    """Points to add, or to take with a number below zero, and why.

    `issuer` is whose daily cap it keeps to, if there is one.
    """

    caller: str
    idempotency_key: str
    member: Reference
    points: int
    reason: str
    issuer: Issuer | None = None

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"adjustPoints": [self.member.kind, self.member.value, self.points, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class PointsAdjusted:
    """The answer: the entry, and the balance after it; or what waits for a second person."""

    member_id: UUID
    points: int
    balance_points: int
    entry_sequence: int | None
    approval_id: UUID | None = None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
            **({} if self.approval_id is None else {"approval": str(self.approval_id)}),
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "PointsAdjusted":
        """Return the first answer to a retry."""
        approval = kept.get("approval")
        return cls(
            UUID(kept["member"]),
            kept["points"],
            kept["balance"],
            kept["entry"],
            None if approval is None else UUID(approval),
            replayed=True,
        )


@posting.settling_conflicts
@transaction
async def adjust(program_id: UUID, command: AdjustPoints, *, now: datetime) -> PointsAdjusted:
    """Add points that expire like earned ones, or take points that can be spent.

    More points than the programme lets one person move wait for a second one (`approvals`); nothing
    moves until then.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: No points, too many, or no reason.
        MemberNotActiveError: The member is closed, suspended or erased.
        InsufficientPointsError: More is taken than can be spent.
        PointsLimitError: The member would have too many.
        IssuanceCapError: The partner would issue more than it may today.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return PointsAdjusted.replay(earlier)
    account = batch.account(0, command.member)
    settings = (await programs.in_force(program_id, now, now=now)).settings
    limit = settings.points.approval_above
    if limit is not None and abs(command.points) > limit:
        return await _ask(batch, account, command, days=settings.points.approval_days)
    if command.points < 0 and not account.has_all_lots:
        batch = await posting.load(program_id, [command], now=now, whole=[account.member_id])
        account = batch.account(0, command.member)
    cause = ledger.Cause(
        reference=str(new_id(now)),
        at=now,
        recorded_at=now,
        actor=command.caller,
        explanation={"by": "hand"},
        text=command.reason,
        salt=posting.salt(),
    )
    issuing = await Issuing.of(program_id, [command], now=now, lock=True)
    await issuing.read(program_id)
    issuing.check(command, command.points)
    transfer = post(batch, account, command.points, cause, settings)
    issuing.count(command, command.points)
    answer = PointsAdjusted(account.member_id, command.points, account.balance, transfer.sequence)
    batch.answer(0, answer.kept())
    await batch.store()
    await issuing.settle(program_id)
    return answer


def post(
    batch: posting.Batch,
    account: ledger.Account,
    points: int,
    cause: ledger.Cause,
    settings: ProgramSettings,
) -> ledger.Transfer:
    """Adjust an account, with all its lots if points are taken, and tell of it.

    Raises:
        MemberNotActiveError: The member is closed, suspended or erased.
        InsufficientPointsError: More is taken than can be spent.
        PointsLimitError: The member would have too many.
    """
    check_room(account, points)
    expires_at = settings.expires_at(batch.now)
    before = {"balance": account.balance}
    transfer = ledger.adjust(account, points, cause, expires_at=expires_at)
    after = {"balance": account.balance, "points": points, "entry": transfer.sequence}
    by = cause.explanation.get("approved_by", cause.actor)
    batch.record_change(
        "points.adjusted",
        account.member_id,
        outbox.change(by, before=before, after=after, reason=cause.text),
        entry=transfer.sequence,
        points=points,
        balance=account.balance,
    )
    return transfer


async def _ask(
    batch: posting.Batch, account: ledger.Account, command: AdjustPoints, *, days: int
) -> PointsAdjusted:
    """Let the adjustment wait for a second person."""
    ledger.check_active(account, earning=command.points > 0)
    asked = Approval(
        member_id=account.member_id,
        id=new_id(batch.now),
        state=ApprovalState.WAITING,
        points=command.points,
        reason=command.reason,
        asked_by=command.caller,
        asked_at=batch.now,
        ends_at=batch.now + timedelta(days=days),
    )
    batch.writes.append(approvals.asked(asked))
    answer = PointsAdjusted(
        account.member_id, command.points, account.balance, None, approval_id=asked.id
    )
    batch.answer(0, answer.kept())
    batch.record_change(
        "approval.asked",
        account.member_id,
        outbox.change(
            command.caller,
            after={"points": command.points},
            reason=command.reason,
            about=f"approval:{asked.id}",
        ),
        approval=str(asked.id),
        points=command.points,
    )
    await batch.store()
    return answer


def _check(command: AdjustPoints) -> None:
    if not 0 < abs(command.points) <= POINTS_MAX:
        raise InvalidInputError(
            f"The points are {command.points}; use 1 to {POINTS_MAX}, or as many below zero.",
            field="points",
        )
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("An adjustment needs a reason.", field="reason")
