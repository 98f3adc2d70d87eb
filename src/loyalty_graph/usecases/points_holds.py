"""Setting points aside for a while, spending them then, or giving them back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import holds
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger.holding import Hold, HoldState
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.usecases import giving_back, held_points, posting
from loyalty_graph.usecases.giving_back import GivingBack

POINTS_MAX = 10**12
MINUTES_MAX = 30 * 24 * 60


@dataclass(frozen=True, slots=True)
class HoldPoints:
    """Points to set aside for so many minutes, and why."""

    caller: str
    idempotency_key: str
    member: Reference
    points: int
    minutes: int
    reason: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        wish = [self.member.kind, self.member.value, self.points, self.minutes, self.reason]
        return claim(self.caller, self.idempotency_key, {"holdPoints": wish})


class HoldStep(StrEnum):
    """How a hold ends by somebody's wish."""

    CAPTURE = "captureHold"
    RELEASE = "releaseHold"


@dataclass(frozen=True, slots=True)
class EndHold:
    """A hold that ends: `points` of it are captured, or all of them when None."""

    caller: str
    idempotency_key: str
    step: HoldStep
    member_id: UUID
    hold_id: UUID
    points: int | None = None
    reason: str = ""

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        wish = [self.member_id, self.hold_id, self.points, self.reason]
        return claim(self.caller, self.idempotency_key, {self.step.value: wish})


@dataclass(frozen=True, slots=True)
class HoldMoved:
    """The answer: the hold, its entry and the balance after it."""

    member_id: UUID
    hold_id: UUID
    balance_points: int
    entry_sequence: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "ids": [str(self.member_id), str(self.hold_id)],
            "balance": self.balance_points,
            "entry": self.entry_sequence,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "HoldMoved":
        """Return the first answer to a retry."""
        member_id, hold_id = map(UUID, kept["ids"])
        return cls(member_id, hold_id, kept["balance"], kept["entry"], replayed=True)


@posting.settling_conflicts
@transaction
async def hold(program_id: UUID, command: HoldPoints, *, now: datetime) -> HoldMoved:
    """Set points aside, from those that expire first. The member's holds that are over end before.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: No points or too many, no time or too long, or no reason.
        MemberNotActiveError: The member may not spend now.
        InsufficientPointsError: Fewer points can be spent.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load_to_spend(program_id, [command], [command.points], at=now, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return HoldMoved.replay(earlier)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    await held_points.end_overdue(batch, account)
    wanted = Hold(
        member_id=account.member_id,
        id=new_id(now),
        state=HoldState.HELD,
        points=command.points,
        captured_points=0,
        entry_sequence=account.sequence + 1,
        created_at=now,
        ends_at=now + timedelta(minutes=command.minutes),
    )
    why = {"until": wanted.ends_at.isoformat()}
    cause = held_points.cause_of(wanted, why, actor=command.caller, now=now, text=command.reason)
    transfer = ledger.hold(account, command.points, cause)
    batch.writes.append(holds.new([wanted]))
    told = {"hold": str(wanted.id), "entry": transfer.sequence, "points": transfer.points}
    return await _answer(batch, account, command, "points.held", told, **why)


def _check(command: HoldPoints) -> None:
    _check_points(command.points)
    if not 0 < command.minutes <= MINUTES_MAX:
        raise InvalidInputError(
            f"Points are set aside for 1 to {MINUTES_MAX} minutes.", field="minutes"
        )
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("A hold needs a reason.", field="reason")


def _check_points(points: int) -> None:
    if not 0 < points <= POINTS_MAX:
        raise InvalidInputError(f"The points are {points}; use 1 to {POINTS_MAX}.", field="points")


@posting.settling_conflicts
@transaction
async def end(program_id: UUID, command: EndHold, *, now: datetime) -> HoldMoved:
    """Capture a hold, in part or whole, or release it: what is not spent goes back to its lots.

    Points whose date has passed meanwhile expire at once.

    Raises:
        NotFoundError: No such hold.
        InvalidInputError: The points cannot be captured whatever the hold is, or the text is long.
        HoldExpiredError: Its time is over.
        HoldEndedError: It was captured or released before.
        HoldAmountError: More points are to be captured than it sets aside.
        MemberNotActiveError: It is captured for a member who may not spend.
        IdempotencyMismatchError: The key was used with other input.
    """
    posting.check_text(command.reason, field="reason")
    if command.points is not None:
        _check_points(command.points)
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return HoldMoved.replay(earlier)
    account = batch.account(0, command.member)
    held = await holds.load(program_id, account.member_id, command.hold_id)
    held.check_open(now=now)
    do = _capture if command.step is HoldStep.CAPTURE else _release
    return await do(batch, account, held, command)


async def _capture(
    batch: posting.Batch, account: ledger.Account, held: Hold, command: EndHold
) -> HoldMoved:
    after = held.captured(command.points or held.points, now=batch.now)
    cause = held_points.cause_of(
        held,
        {"held": held.points, "by": held_points.BY_CAPTURE},
        actor=command.caller,
        now=batch.now,
        text=command.reason,
    )
    transfer = ledger.capture(account, after.captured_points, cause)
    if rest := held.points - after.captured_points:
        back = GivingBack(held.member_id, cause, is_held=True, points=rest)
        await giving_back.give_back(batch.program_id, batch.accounts, [back])
    batch.writes.append(holds.ended([after]))
    told = {"hold": str(held.id), "entry": transfer.sequence, "points": transfer.points}
    return await _answer(batch, account, command, "points.captured", told, released=rest)


async def _release(
    batch: posting.Batch, account: ledger.Account, held: Hold, command: EndHold
) -> HoldMoved:
    [released] = await held_points.release(
        batch.program_id,
        batch.accounts,
        [held],
        by=held_points.BY_HAND,
        actor=command.caller,
        now=batch.now,
        text=command.reason,
    )
    batch.writes.append(holds.ended([released.hold]))
    return await _answer(batch, account, command, "points.released", released.payload)


async def _answer(
    batch: posting.Batch,
    account: ledger.Account,
    command: HoldPoints | EndHold,
    kind: str,
    told: dict[str, Any],
    **more: Any,
) -> HoldMoved:
    """Keep the answer, record the fact and write everything; `told` names hold, entry, points."""
    answer = HoldMoved(account.member_id, UUID(told["hold"]), account.balance, told["entry"])
    batch.answer(0, answer.kept())
    payload = {**told, **more, "balance": account.balance}
    batch.record_by(command.caller, kind, account.member_id, why=command.reason, **payload)
    await batch.store()
    return answer
