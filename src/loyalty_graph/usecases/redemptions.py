"""Spending points, and giving them back when a redemption is cancelled."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.usecases import posting

POINTS_MAX = 10**15


@dataclass(frozen=True, slots=True)
class RedeemPoints:
    """Points a member gives for something; `text` says for what."""

    caller: str
    idempotency_key: str
    member: Reference
    points: int
    at: datetime
    text: str = ""

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {
            "redeemPoints": [self.member.kind, self.member.value, self.points, self.at, self.text]
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class ReturnPoints:
    """The points of a redemption that is cancelled."""

    caller: str
    idempotency_key: str
    member: Reference
    redemption_id: UUID
    at: datetime
    text: str = ""

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        member = [self.member.kind, self.member.value]
        given = {"returnPoints": [*member, self.redemption_id, self.at, self.text]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class PointsMoved:
    """The answer: the redemption, its entry, and the balance after it."""

    member_id: UUID
    redemption_id: UUID
    points: int
    balance_points: int
    entry_sequence: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "ids": [str(self.member_id), str(self.redemption_id)],
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "PointsMoved":
        """Return the first answer to a retry."""
        member_id, redemption_id = map(UUID, kept["ids"])
        return cls(
            member_id, redemption_id, kept["points"], kept["balance"], kept["entry"], replayed=True
        )


@posting.settling_conflicts
@transaction
async def redeem_points(program_id: UUID, command: RedeemPoints, *, now: datetime) -> PointsMoved:
    """Take points from a member, from those that expire first.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The number of points or the time cannot be used.
        InsufficientPointsError: Fewer points can be spent.
        IdempotencyMismatchError: The key was used with other input.
    """
    if not 0 < command.points <= POINTS_MAX:
        raise InvalidInputError(
            f"The points are {command.points}; use 1 to {POINTS_MAX}.", field="points"
        )
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return PointsMoved.replay(earlier)
    await _check_time(program_id, command.at, now=now)
    account = batch.account(0, command.member)
    if not account.has_all_lots and ledger.available(account.lots, command.at) < command.points:
        batch = await posting.load(program_id, [command], now=now, whole=[account.member_id])
        account = batch.account(0, command.member)
    redemption_id = new_id(now)
    cause = _cause(command, redemption_id, {"redemption": str(redemption_id)}, now=now)
    transfer = ledger.redeem(account, command.points, cause)
    return await _store(batch, command, "points.redeemed", redemption_id, transfer)


@posting.settling_conflicts
@transaction
async def return_points(program_id: UUID, command: ReturnPoints, *, now: datetime) -> PointsMoved:
    """Give back the points of a redemption, to the lots they came from.

    Points whose date has passed meanwhile expire again at once. A redemption is returned once.

    Raises:
        NotFoundError: No such member or redemption.
        InvalidInputError: It was returned before, or the time cannot be used.
        IdempotencyMismatchError: The key was used with other input.
    """
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return PointsMoved.replay(earlier)
    await _check_time(program_id, command.at, now=now)
    account = batch.account(0, command.member)
    reference = str(command.redemption_id)
    taken = await ledger_service.taken_by(program_id, account, ledger.Kind.REDEEM, reference)
    if await ledger_service.is_posted(
        program_id, account.member_id, ledger.Kind.UNREDEEM, reference
    ):
        raise InvalidInputError(
            f"The points of redemption {reference} were returned before.", field="redemption"
        )
    cause = _cause(command, command.redemption_id, {"redemption": reference}, now=now)
    transfer = ledger.unredeem(account, taken, cause)[0]
    return await _store(batch, command, "points.returned", command.redemption_id, transfer)


async def _check_time(program_id: UUID, at: datetime, *, now: datetime) -> None:
    check_offset(at, field="at")
    version = await programs.in_force(program_id, at, now=now)
    version.settings.check_time(at, now=now, field="at")


def _cause(
    command: RedeemPoints | ReturnPoints,
    redemption_id: UUID,
    explanation: dict[str, Any],
    *,
    now: datetime,
) -> ledger.Cause:
    return ledger.Cause(
        reference=str(redemption_id),
        at=command.at,
        recorded_at=now,
        actor=command.caller,
        explanation=explanation,
        text=command.text,
        salt=posting.salt(),
    )


async def _store(
    batch: posting.Batch,
    command: RedeemPoints | ReturnPoints,
    kind: str,
    redemption_id: UUID,
    transfer: ledger.Transfer,
) -> PointsMoved:
    account = batch.account(0, command.member)
    answer = PointsMoved(
        account.member_id, redemption_id, transfer.points, account.balance, transfer.sequence
    )
    batch.answer(0, answer.kept())
    batch.record(
        kind,
        account.member_id,
        redemption=str(redemption_id),
        entry=transfer.sequence,
        points=transfer.points,
        balance=account.balance,
    )
    await batch.store()
    return answer
