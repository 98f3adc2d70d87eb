"""Reinstating points that expired: one entry, or all that a member lost in the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import due, reads, reinstating, returning
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.errors import (
    EntryNotExpiredError,
    EntryReinstatedError,
    NothingExpiredError,
)
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.reinstating import Expired
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import posting

DAYS_MAX = 365
AT_ONCE_MAX = 500


@dataclass(frozen=True, slots=True)
class ReinstateExpired:
    """Points to give back, and why: of the entry with a `sequence`, or of the last days.

    They live so many `valid_days` from now, or as long as points earned now if none are given.
    """

    caller: str
    idempotency_key: str
    member: Reference
    reason: str
    sequence: int | None = None
    within_days: int | None = None
    valid_days: int | None = None

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {
            "reinstateExpired": [self.member.kind, self.member.value, self.sequence],
            "days": [self.within_days, self.valid_days],
            "reason": self.reason,
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class ExpiredReinstated:
    """The answer: what came back, how much of it had been forgiven, and the newest entry."""

    member_id: UUID
    points: int
    reclaimed_points: int
    balance_points: int
    expires_at: datetime
    entry_sequence: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "points": [self.points, self.reclaimed_points, self.balance_points],
            "expires": self.expires_at.isoformat(),
            "entry": self.entry_sequence,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "ExpiredReinstated":
        """Return the first answer to a retry."""
        points, reclaimed, balance = kept["points"]
        return cls(
            UUID(kept["member"]),
            points,
            reclaimed,
            balance,
            datetime.fromisoformat(kept["expires"]),
            kept["entry"],
            replayed=True,
        )


@posting.settling_conflicts
@transaction
async def reinstate(
    program_id: UUID, command: ReinstateExpired, *, now: datetime
) -> ExpiredReinstated:
    """Give points back whose date had passed, each in a lot of its own with a new date.

    What ended before now expires first, whether or not the job has run. Debt is paid first, and
    what was forgiven since the points expired is taken of them.

    Raises:
        NotFoundError: No such member, or no such entry.
        InvalidInputError: Days that cannot be used, or no reason.
        EntryNotExpiredError: No points expired by the entry.
        EntryReinstatedError: Its points were reinstated before.
        NothingExpiredError: Nothing to reinstate in those days.
        MemberNotActiveError: The member may not have points now.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load(program_id, [command], now=now, whole=True)
    if (earlier := batch.earlier(0)) is not None:
        return ExpiredReinstated.replay(earlier)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    found = await _found(program_id, account, command, now=now)
    until = await _until(program_id, command, now=now)
    posted = await _reinstate(program_id, account, found, command, until=until, now=now)
    return await _store(batch, account, command, posted, until)


def _check(command: ReinstateExpired) -> None:
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("A reinstatement needs a reason.", field="reason")
    if (command.sequence is None) is (command.within_days is None):
        raise InvalidInputError("Give the entry, or the member and the days.", field="withinDays")
    for field, days in (("withinDays", command.within_days), ("validDays", command.valid_days)):
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise InvalidInputError(f"The days are {days}; use 1 to {DAYS_MAX}.", field=field)


async def _found(
    program_id: UUID, account: ledger.Account, command: ReinstateExpired, *, now: datetime
) -> list[Expired]:
    just_now = ledger.expire(account, now=now)
    if command.sequence is not None:
        return await _of_entry(program_id, account.member_id, command.sequence)
    assert command.within_days is not None, "an entry or days are given"
    since = now - timedelta(days=command.within_days)
    member_id = account.member_id
    found = await due.expired(program_id, member_id, since=since, limit=AT_ONCE_MAX + 1)
    found += [Expired(one.sequence, one.points) for one in just_now if one.cause.at > since]
    if not found:
        raise NothingExpiredError(command.within_days)
    if len(found) > AT_ONCE_MAX:
        raise InvalidInputError(
            f"That is more than {AT_ONCE_MAX} entries; give fewer days.", field="withinDays"
        )
    return found


async def _of_entry(program_id: UUID, member_id: UUID, sequence: int) -> list[Expired]:
    found = await due.expired(program_id, member_id, sequence=sequence, limit=1)
    if found:
        return found
    entry = (await reads.entries(program_id, [(member_id, sequence)])).get((member_id, sequence))
    if entry is None:
        raise NotFoundError("entry", sequence, place="this member's ledger", field="entryId")
    again = reinstating.reference(sequence)
    if await ledger_service.is_posted(program_id, member_id, Kind.REINSTATE, again):
        raise EntryReinstatedError(sequence)
    raise EntryNotExpiredError(sequence)


async def _until(program_id: UUID, command: ReinstateExpired, *, now: datetime) -> datetime:
    """Return when the points end."""
    if command.valid_days is None:
        version = await programs.in_force(program_id, now, now=now)
        return version.settings.expires_at(now)
    terms = await reads.terms_in_force(program_id, now=now)
    return terms.end_after(command.valid_days, now=now)


async def _reinstate(
    program_id: UUID,
    account: ledger.Account,
    found: list[Expired],
    command: ReinstateExpired,
    *,
    until: datetime,
    now: datetime,
) -> list[ledger.Transfer]:
    history = (await ledger_service.forgiveness(program_id, [account.member_id]))[account.member_id]
    posted: list[ledger.Transfer] = []
    for one in found:
        cause = ledger.Cause(
            reference=reinstating.reference(one.sequence),
            at=now,
            recorded_at=now,
            actor=command.caller,
            explanation={"by": "hand"},
            text=command.reason,
            salt=posting.salt(),
        )
        forgiven = returning.forgiven_after(history, one.sequence)
        came = reinstating.reinstate(account, one, cause, until=until, forgiven=forgiven)
        history += [(back.sequence, -back.points) for back in came if back.credit is Book.FORGIVEN]
        posted += came
    return posted


async def _store(
    batch: posting.Batch,
    account: ledger.Account,
    command: ReinstateExpired,
    posted: list[ledger.Transfer],
    until: datetime,
) -> ExpiredReinstated:
    came = [one for one in posted if one.credit is Book.MEMBER]
    points = sum(one.points for one in came)
    reclaimed = sum(one.points for one in posted) - points
    answer = ExpiredReinstated(
        account.member_id, points, reclaimed, account.balance, until, came[-1].sequence
    )
    batch.answer(0, answer.kept())
    batch.record_by(
        command.caller,
        "points.reinstated",
        account.member_id,
        why=command.reason,
        entries=[one.sequence for one in came],
        points=points,
        expiresAt=until.isoformat(),
        balance=account.balance,
    )
    await batch.store()
    return answer
