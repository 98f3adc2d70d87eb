"""Giving points to another member: two entries in two accounts, each in a transaction of its own.

Between them the points are in the book CLEARING. Whoever asked settles the transfer at once; what a
crash left under way, a job does. Points that cannot arrive go back to the lots they came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import moving, pending, reads, returning, rules, transfers
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.errors import (
    RecipientNotActiveError,
    TransferLimitError,
    TransfersOffError,
    TransferToSelfError,
)
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.moving import Part
from loyalty_graph.ledger.room import has_room
from loyalty_graph.ledger.transfers import PointsTransfer, TransferKey, TransferState
from loyalty_graph.members import reads as members
from loyalty_graph.members.rules import MemberStatus, Reference
from loyalty_graph.members.service import resolve
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.programs.transfers import POINTS_MAX, TransferSettings
from loyalty_graph.usecases import activations, posting

SYSTEM = "system"
AT_ONCE = 200
HAS_LEFT = {MemberStatus.CLOSED, MemberStatus.ERASED}


@dataclass(frozen=True, slots=True)
class TransferPoints:
    """Points that a member gives another one, and perhaps why."""

    caller: str
    idempotency_key: str
    member: Reference
    recipient: Reference
    points: int
    reason: str = ""

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {
            "transferPoints": [self.member.kind, self.member.value],
            "to": [self.recipient.kind, self.recipient.value],
            "points": [self.points, self.reason],
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class PointsSent:
    """The answer: the sender's entry and balance, and which transfer it is."""

    member_id: UUID
    transfer_id: UUID
    balance_points: int
    entry_sequence: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "ids": [str(self.member_id), str(self.transfer_id)],
            "balance": self.balance_points,
            "entry": self.entry_sequence,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "PointsSent":
        """Return the first answer to a retry."""
        member_id, transfer_id = map(UUID, kept["ids"])
        return cls(member_id, transfer_id, kept["balance"], kept["entry"], replayed=True)


async def transfer(program_id: UUID, command: TransferPoints, *, now: datetime) -> PointsSent:
    """Take points from a member and give them to another, in two transactions.

    The first one makes it certain; a retry finishes what a crash after it has left.

    Raises:
        NotFoundError: No such member, or no such recipient.
        InvalidInputError: No points, too many, or a reason that is too long.
        TransfersOffError: The programme has no transfers.
        TransferToSelfError: Both are the same member.
        TransferLimitError: Fewer or more points than the programme allows.
        MemberNotActiveError: The member may not spend now.
        RecipientNotActiveError: The recipient may not receive points now.
        InsufficientPointsError: The points and the fee are more than can be spent.
        IdempotencyMismatchError: The key was used with other input.
    """
    sent = await _send(program_id, command, now=now)
    await deliver(program_id, (sent.member_id, sent.transfer_id), now=now)
    return sent


async def deliver_all(program_id: UUID, *, now: datetime) -> int:
    """Settle every transfer that is under way; return how many. Run twice it does no more."""
    settled = 0
    while keys := await transfers.open_ones(program_id, now=now, limit=AT_ONCE):
        for key in keys:
            await deliver(program_id, key, now=now)
        settled += len(keys)
    return settled


async def deliver(program_id: UUID, key: TransferKey, *, now: datetime) -> None:
    """Bring a transfer's points to the recipient, or back to the sender if they cannot arrive.

    What is settled stays as it is.
    """
    found = (await transfers.transfers(program_id, [key]))[key]
    if found.state is TransferState.SENT and not await _bring(program_id, found, now=now):
        await _return(program_id, key, now=now)


@posting.settling_conflicts
@transaction
async def _send(program_id: UUID, command: TransferPoints, *, now: datetime) -> PointsSent:
    _check(command)
    settings = (await programs.in_force(program_id, now, now=now)).settings
    terms = settings.points.transfers
    fee = 0 if terms is None else terms.fee(command.points)
    asked = [command.points + fee]
    batch = await posting.load_to_spend(program_id, [command], asked, at=now, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return PointsSent.replay(earlier)
    account = batch.account(0, command.member)
    if terms is None:
        raise TransfersOffError
    recipient_id = await _recipient(program_id, account, command.recipient)
    await _check_limits(program_id, account, command.points, terms, settings, now=now)
    cause = _cause(new_id(now), command.caller, command.reason, now=now)
    parts = moving.send(account, command.points, cause, fee=fee)
    if not terms.keeps_dates:
        parts = [Part(command.points, settings.expires_at(now))]
    sent = PointsTransfer(
        account.member_id,
        UUID(cause.reference),
        recipient_id,
        TransferState.SENT,
        command.points,
        fee,
        parts,
        now,
    )
    return await _store(batch, account, sent, command)


def _check(command: TransferPoints) -> None:
    if not 0 < command.points <= POINTS_MAX:
        raise InvalidInputError(
            f"The points are {command.points}; use 1 to {POINTS_MAX}.", field="points"
        )
    posting.check_text(command.reason, field="reason")


async def _recipient(program_id: UUID, sender: rules.Account, wanted: Reference) -> UUID:
    [member_id] = await resolve(program_id, [wanted])
    if member_id == sender.member_id:
        raise TransferToSelfError
    found = {} if member_id is None else await members.members(program_id, [member_id])
    if member_id is None or member_id not in found:
        raise NotFoundError("member", wanted.value, field="to")
    if found[member_id].status != MemberStatus.ACTIVE:
        raise RecipientNotActiveError
    return member_id


async def _check_limits(
    program_id: UUID,
    sender: rules.Account,
    points: int,
    terms: TransferSettings,
    settings: ProgramSettings,
    *,
    now: datetime,
) -> None:
    """Refuse what is too little or too much; the sender's account is locked."""
    if points < terms.min_points:
        raise TransferLimitError(f"A transfer gives at least {terms.min_points}", asked=points)
    if terms.max_points is not None and points > terms.max_points:
        raise TransferLimitError(f"A transfer gives at most {terms.max_points}", asked=points)
    today = now.astimezone(settings.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    spans = (
        ("day", terms.max_points_per_day, today),
        ("year", terms.max_points_per_year, today.replace(month=1, day=1)),
    )
    for name, most, since in spans:
        if most is None:
            continue
        given = await transfers.given_since(program_id, sender.member_id, since.astimezone(UTC))
        if given + points > most:
            told = f"A member gives at most {most} in a {name}, of which {given} are given"
            raise TransferLimitError(told, asked=points)


def _cause(
    transfer_id: UUID, actor: str, text: str, *, now: datetime, **explanation: Any
) -> rules.Cause:
    return rules.Cause(
        reference=str(transfer_id),
        at=now,
        recorded_at=now,
        actor=actor,
        explanation={"transfer": str(transfer_id), **explanation},
        text=text,
        salt=posting.salt(),
    )


async def _store(
    batch: posting.Batch, account: rules.Account, sent: PointsTransfer, command: TransferPoints
) -> PointsSent:
    entry = next(one for one in account.posted if one.kind is Kind.TRANSFER_OUT)
    answer = PointsSent(account.member_id, sent.id, account.balance, entry.sequence)
    batch.answer(0, answer.kept())
    batch.record_by(
        command.caller,
        "points.sent",
        account.member_id,
        why=command.reason,
        transfer=str(sent.id),
        entry=entry.sequence,
        points=sent.points,
        fee=sent.fee_points,
        balance=account.balance,
    )
    batch.writes.append(transfers.opened(sent))
    await batch.store()
    return answer


@transaction
async def _bring(program_id: UUID, found: PointsTransfer, *, now: datetime) -> bool:
    """Bring points to their recipient; return False when they cannot arrive."""
    recipient = found.recipient_id
    terms = await reads.terms_in_force(program_id, now=now)
    accounts = await ledger.load_accounts(program_id, [recipient], whole=[recipient], terms=terms)
    account = accounts[recipient]
    sent = await transfers.locked(program_id, (found.member_id, found.id))
    if sent.state is not TransferState.SENT:
        return True
    if account.status != rules.ACTIVE or not has_room(account, sent.points):
        return False
    actor, text = await transfers.said(program_id, (sent.member_id, sent.id))
    pending.activate_due(account, now=now)
    cause = _cause(sent.id, actor, text, now=now)
    posted = moving.bring_in(account, Kind.TRANSFER_IN, Book.CLEARING, sent.parts, cause)
    await _settle(
        program_id, account, sent.settled(TransferState.RECEIVED, now=now), posted, now=now
    )
    return True


@transaction
async def _return(program_id: UUID, key: TransferKey, *, now: datetime) -> None:
    """Give a transfer's points and its fee back to the sender.

    What comes back to a membership that has ended meanwhile is forfeited with it.
    """
    sender, transfer_id = key
    terms = await reads.terms_in_force(program_id, now=now)
    accounts = await ledger.load_accounts(program_id, [sender], whole=[sender], terms=terms)
    account, sent = accounts[sender], await transfers.locked(program_id, key)
    if sent.state is not TransferState.SENT:
        return
    cause = _cause(transfer_id, SYSTEM, "", now=now, returned=True)
    books = {cause.reference: Book.CLEARING, moving.fee_reference(cause.reference): Book.FEES}
    asked = [(sender, Kind.TRANSFER_OUT, reference) for reference in books]
    taken = await ledger.all_taken_by(program_id, accounts, asked)
    history = (await ledger.forgiveness(program_id, [sender]))[sender]
    pending.activate_due(account, now=now)
    posted: list[rules.Transfer] = []
    for (_, _, reference), took in taken.items():
        forgiven = returning.forgiven_after(history, took.sequence)
        because = replace(cause, reference=reference)
        back = returning.send_back(account, books[reference], took.uses, because, forgiven=forgiven)
        history += [(one.sequence, -one.points) for one in back if one.credit is Book.FORGIVEN]
        posted += back
    if account.status in HAS_LEFT:
        rules.forfeit(account, cause)
    await _settle(
        program_id, account, sent.settled(TransferState.RETURNED, now=now), posted, now=now
    )


async def _settle(
    program_id: UUID,
    account: rules.Account,
    sent: PointsTransfer,
    posted: Sequence[rules.Transfer],
    *,
    now: datetime,
) -> None:
    payload = {
        "transfer": str(sent.id),
        "entry": posted[0].sequence,
        "points": sent.points,
        "balance": account.balance,
    }
    fact = outbox.Fact(new_id(now), f"points.{sent.state.lower()}", account.member_id, now, payload)
    await store(
        program_id,
        [
            transfers.ended(sent),
            *ledger.writes([account]),
            outbox.facts([*activations.facts([account], now=now), fact]),
            outbox.mark_cards([account.member_id], now=now),
        ],
    )
