"""Adjusting points by hand: a gift, a correction, a goodwill gesture; always with a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import posting

POINTS_MAX = 10**12


@dataclass(frozen=True, slots=True)
class AdjustPoints:
    """Points to add, or to take with a number below zero, and why."""

    caller: str
    idempotency_key: str
    member: Reference
    points: int
    reason: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"adjustPoints": [self.member.kind, self.member.value, self.points, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class PointsAdjusted:
    """The answer: the entry, and the balance after it."""

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
    def replay(cls, kept: dict[str, Any]) -> "PointsAdjusted":
        """Return the first answer to a retry."""
        return cls(
            UUID(kept["member"]), kept["points"], kept["balance"], kept["entry"], replayed=True
        )


@posting.settling_conflicts
@transaction
async def adjust(program_id: UUID, command: AdjustPoints, *, now: datetime) -> PointsAdjusted:
    """Add points that expire like earned ones, or take points that can be spent.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: No points, too many, or no reason.
        InsufficientPointsError: More is taken than can be spent.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return PointsAdjusted.replay(earlier)
    account = batch.account(0, command.member)
    if command.points < 0 and not account.has_all_lots:
        batch = await posting.load(program_id, [command], now=now, whole=[account.member_id])
        account = batch.account(0, command.member)
    version = await programs.in_force(program_id, now, now=now)
    cause = ledger.Cause(
        reference=str(new_id(now)),
        at=now,
        recorded_at=now,
        actor=command.caller,
        explanation={"by": "hand"},
        text=command.reason,
        salt=posting.salt(),
    )
    expires_at = version.settings.expires_at(now)
    transfer = ledger.adjust(account, command.points, cause, expires_at=expires_at)
    answer = PointsAdjusted(account.member_id, command.points, account.balance, transfer.sequence)
    batch.answer(0, answer.kept())
    batch.record(
        "points.adjusted",
        account.member_id,
        entry=transfer.sequence,
        points=command.points,
        balance=account.balance,
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
