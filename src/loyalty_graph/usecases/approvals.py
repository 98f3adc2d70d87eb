"""A second person of the staff decides on adjustments above the programme's limit."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.errors import ForbiddenError, InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import approvals
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger.approving import Approval
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import adjustments, posting

STAFF = "staff:"


@dataclass(frozen=True, slots=True)
class Decide:
    """What a second person decides; a rejection says why in its `note`."""

    caller: str
    idempotency_key: str
    member_id: UUID
    approval_id: UUID
    approves: bool
    note: str = ""

    @property
    def member(self) -> Reference:
        """Whose points are to move."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = [self.member_id, self.approval_id, self.approves, self.note]
        return claim(self.caller, self.idempotency_key, {"decideApproval": given})


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer: which adjustment it was, and the entry it came to."""

    member_id: UUID
    approval_id: UUID
    balance_points: int
    entry_sequence: int | None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "approval": str(self.approval_id),
            "balance": self.balance_points,
            "entry": self.entry_sequence,
        }


@posting.settling_conflicts
@transaction
async def decide(program_id: UUID, command: Decide, *, now: datetime) -> Decided:
    """Let an adjustment happen that waits, or not.

    Approved points are added or taken now, as if asked for now: they expire by the rules of today,
    and points that are taken must be there.

    Raises:
        ForbiddenError: No staff decides.
        NotFoundError: There is no such approval.
        InvalidInputError: The note is too long, or a rejection has none.
        ApprovalBySameError: The one who asked decides.
        ApprovalDecidedError: It was approved or rejected before.
        ApprovalExpiredError: Its time is over.
        MemberNotActiveError: The member has been closed, suspended or erased meanwhile.
        InsufficientPointsError: More is taken than can be spent.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load(program_id, [command], now=now, whole=True)
    if (earlier := batch.earlier(0)) is not None:
        return replace(_replay(earlier), replayed=True)
    account = batch.account(0, command.member)
    asked = await approvals.load(program_id, (account.member_id, command.approval_id))
    asked.check(command.caller, now=now)
    if command.approves:
        entry = await _adjust(batch, account, asked, by=command.caller)
        done = asked.approved(command.caller, command.note, entry=entry, now=now)
    else:
        done = asked.rejected(command.caller, command.note, now=now)
    batch.writes.append(approvals.decided(done))
    batch.record_change(
        f"approval.{done.state.lower()}",
        account.member_id,
        outbox.change(
            command.caller,
            before={"state": asked.state.value, "askedBy": asked.asked_by},
            after={"state": done.state.value, "points": done.points},
            reason=command.note,
            about=f"approval:{done.id}",
        ),
        approval=str(done.id),
        points=done.points,
    )
    answer = Decided(account.member_id, done.id, account.balance, done.entry_sequence)
    batch.answer(0, answer.kept())
    await batch.store()
    return answer


def _check(command: Decide) -> None:
    if not command.caller.startswith(STAFF):
        raise ForbiddenError(None, "Only the staff decides on adjustments.")
    posting.check_text(command.note, field="note")
    if not command.approves and not command.note.strip():
        raise InvalidInputError("Say why it is rejected.", field="note")


def _replay(kept: dict[str, Any]) -> Decided:
    return Decided(UUID(kept["member"]), UUID(kept["approval"]), kept["balance"], kept["entry"])


async def _adjust(
    batch: posting.Batch, account: ledger.Account, asked: Approval, *, by: str
) -> int:
    settings = (await programs.in_force(batch.program_id, batch.now, now=batch.now)).settings
    cause = ledger.Cause(
        reference=str(asked.id),
        at=batch.now,
        recorded_at=batch.now,
        actor=asked.asked_by,
        explanation={"by": "hand", "approved_by": by},
        text=asked.reason,
        salt=posting.salt(),
    )
    return adjustments.post(batch, account, asked.points, cause, settings).sequence
