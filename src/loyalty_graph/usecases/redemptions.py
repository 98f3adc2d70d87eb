"""Spending points, and giving them back when a redemption is cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import returning
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.usecases import posting

POINTS_MAX = 10**15


@dataclass(frozen=True)
class RedeemPoints:
    """Points a member gives for something; `text` says for what."""

    caller: str
    idempotency_key: str
    member: Reference
    points: int
    at: datetime
    text: str = ""

    @cached_property
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
    """The answer: the redemption, its entry (None when no points moved), the balance after it."""

    member_id: UUID
    redemption_id: UUID
    points: int
    balance_points: int
    entry_sequence: int | None
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
async def redeem_points(
    program_id: UUID, commands: Sequence[RedeemPoints], *, now: datetime
) -> list[PointsMoved | LoyaltyError]:
    """Take points from members, from those that expire first; one answer or refusal for each.

    A refusal writes nothing and does not disturb its neighbours.
    """
    return await posting.answer_each(
        commands, _check, lambda sound: _redeem_sound(program_id, sound, now)
    )


def _check(command: RedeemPoints) -> None:
    """Refuse what cannot be a redemption whatever the database holds."""
    if not 0 < command.points <= POINTS_MAX:
        raise InvalidInputError(
            f"The points are {command.points}; use 1 to {POINTS_MAX}.", field="points"
        )
    check_offset(command.at, field="at")
    posting.check_text(command.text, field="text")
    _ = command.claim


async def _redeem_sound(
    program_id: UUID, commands: Sequence[RedeemPoints], now: datetime
) -> list[PointsMoved | LoyaltyError]:
    present = await programs.in_force(program_id, now, now=now)
    asked = [command.points for command in commands]
    latest = max(command.at for command in commands)
    batch = await posting.load_to_spend(program_id, commands, asked, at=latest, now=now)
    answers = posting.decide_each(
        commands, lambda place, command: _redeem_one(batch, place, command, present)
    )
    await batch.store()
    return answers


def _redeem_one(
    batch: posting.Batch, place: int, command: RedeemPoints, version: programs.Version
) -> PointsMoved:
    if (earlier := batch.earlier(place)) is not None:
        return PointsMoved.replay(earlier)
    version.settings.check_time(command.at, now=batch.now, field="at")
    account = batch.account(place, command.member)
    redemption_id = new_id(batch.now)
    cause = _cause(command, redemption_id, now=batch.now)
    transfer = ledger.redeem(account, command.points, cause)
    return _answer(batch, place, account, "points.redeemed", redemption_id, transfer)


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
    check_offset(command.at, field="at")
    posting.check_text(command.text, field="text")
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return PointsMoved.replay(earlier)
    version = await programs.in_force(program_id, now, now=now)
    version.settings.check_time(command.at, now=now, field="at")
    account = batch.account(0, command.member)
    reference = str(command.redemption_id)
    taken = await ledger_service.taken_by(program_id, account, reference)
    if await ledger_service.is_posted(program_id, account.member_id, Kind.UNREDEEM, reference):
        raise InvalidInputError(
            f"The points of redemption {reference} were returned before.", field="redemption"
        )
    if command.at < taken.at:
        raise InvalidInputError(
            f"The return is dated before its redemption, {taken.at.isoformat()}.", field="at"
        )
    history = await ledger_service.forgiveness(program_id, [account.member_id])
    forgiven = returning.forgiven_after(history[account.member_id], taken.sequence)
    cause = _cause(command, command.redemption_id, now=now)
    transfer = returning.unredeem(account, taken.uses, cause, forgiven=forgiven)[0]
    answer = _answer(batch, 0, account, "points.returned", command.redemption_id, transfer)
    await batch.store()
    return answer


def _cause(
    command: RedeemPoints | ReturnPoints, redemption_id: UUID, *, now: datetime
) -> ledger.Cause:
    return ledger.Cause(
        reference=str(redemption_id),
        at=command.at,
        recorded_at=now,
        actor=command.caller,
        explanation={"redemption": str(redemption_id)},
        text=command.text,
        salt=posting.salt(),
    )


def _answer(
    batch: posting.Batch,
    place: int,
    account: ledger.Account,
    kind: str,
    redemption_id: UUID,
    transfer: ledger.Transfer,
) -> PointsMoved:
    answer = PointsMoved(
        account.member_id, redemption_id, transfer.points, account.balance, transfer.sequence
    )
    batch.answer(place, answer.kept())
    batch.record(
        kind,
        account.member_id,
        redemption=str(redemption_id),
        entry=transfer.sequence,
        points=transfer.points,
        balance=account.balance,
    )
    return answer
