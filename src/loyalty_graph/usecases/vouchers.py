"""Using the money on a voucher, and giving it back when goods come back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.purchases.rules import check_external_id, check_named, check_store
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import Redemption, RedemptionState, Step
from loyalty_graph.rewards.voucher_rules import Use, Voucher
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.rewards import record

AMOUNT_MINOR_MAX = 10**15


@dataclass(frozen=True, slots=True)
class UseVoucher:
    """Money to take from a voucher, in minor units; `reference` is the caller's own.

    What it pays for is the `receipt` (source, external id), if that is known.
    """

    caller: str
    idempotency_key: str
    member_id: UUID
    voucher_id: UUID
    amount_minor: int
    store: str | None = None
    reference: str = ""
    receipt: tuple[str, str] | None = None

    @property
    def member(self) -> Reference:
        """Whose voucher it is."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        what = [self.member_id, self.voucher_id, self.amount_minor, self.store, self.reference]
        given = {"useVoucher": what, "receipt": self.receipt}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class RefundVoucher:
    """Money of one use to give back, in minor units; None gives back all that is left of it."""

    caller: str
    idempotency_key: str
    member_id: UUID
    voucher_id: UUID
    use: int
    amount_minor: int | None = None
    store: str | None = None
    reference: str = ""

    @property
    def member(self) -> Reference:
        """Whose voucher it is."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        what = [self.member_id, self.voucher_id, self.use, self.amount_minor]
        given = {"refundVoucher": what, "at": [self.store, self.reference]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class VoucherMoved:
    """The answer: the number of the use or of the return, its amount, and what is left then."""

    member_id: UUID
    voucher_id: UUID
    number: int
    amount_minor: int
    remaining_minor: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "ids": [str(self.member_id), str(self.voucher_id)],
            "number": self.number,
            "amount": self.amount_minor,
            "remaining": self.remaining_minor,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "VoucherMoved":
        """Return the first answer to a retry."""
        member_id, voucher_id = map(UUID, kept["ids"])
        amounts = kept["number"], kept["amount"], kept["remaining"]
        return cls(member_id, voucher_id, *amounts, replayed=True)


@dataclass(slots=True)
class _Case:
    """A voucher in hand: its member's account is locked, so it stays as it is."""

    batch: posting.Batch
    command: UseVoucher | RefundVoucher
    voucher: Voucher
    redemption: Redemption
    uses: list[Use]


@posting.settling_conflicts
@transaction
async def use(program_id: UUID, command: UseVoucher, *, now: datetime) -> VoucherMoved:
    """Take money from a voucher; the first use makes its redemption a used one.

    Raises:
        NotFoundError: The member has no such voucher.
        WrongStoreError: It can be used in another store only.
        VoucherVoidError: Its redemption was undone.
        VoucherExpiredError: Its date has passed.
        VoucherUsedError: Nothing is left on it.
        VoucherAmountError: Less is left on it.
        InvalidInputError: The amount, store or reference cannot be used.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    check_named(command.receipt)
    batch = await posting.load(program_id, [command], now=now)
    if (earlier := batch.earlier(0)) is not None:
        return VoucherMoved.replay(earlier)
    case = await _open(batch, command)
    case.redemption.check_store(command.store)
    after = case.voucher.used(command.amount_minor, now=now)
    if case.redemption.state is RedemptionState.ISSUED:
        used = case.redemption.stepped(Step.USE, now=now, restock=False)
        batch.writes.append(rewards.step_writes([used]))
        record(batch, "redemption.used", used)
    return await _store(case, after, "voucher.used", command.amount_minor, of=None)


@posting.settling_conflicts
@transaction
async def refund(program_id: UUID, command: RefundVoucher, *, now: datetime) -> VoucherMoved:
    """Give money of one use back to its voucher, while that can still be used.

    Raises:
        NotFoundError: The member has no such voucher, or it no such use.
        VoucherVoidError: Its redemption was undone.
        VoucherExpiredError: Its date has passed.
        VoucherAmountError: The use was less, or as much came back already.
        InvalidInputError: The amount, store or reference cannot be used.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load(program_id, [command], now=now)
    if (earlier := batch.earlier(0)) is not None:
        return VoucherMoved.replay(earlier)
    case = await _open(batch, command)
    after, amount = case.voucher.given_back(case.uses, command.use, command.amount_minor, now=now)
    return await _store(case, after, "voucher.refunded", -amount, of=command.use)


def _check(command: UseVoucher | RefundVoucher) -> None:
    """Refuse what cannot be done with a voucher whatever the database holds."""
    if command.amount_minor is not None and not 0 < command.amount_minor <= AMOUNT_MINOR_MAX:
        raise InvalidInputError("The amount is above zero, and no fortune.", field="amount")
    if command.store is not None:
        check_store(command.store)
    if command.reference:
        check_external_id(command.reference)


async def _open(batch: posting.Batch, command: UseVoucher | RefundVoucher) -> _Case:
    batch.account(0, command.member)
    key = (command.member_id, command.voucher_id)
    found = await reads.vouchers(batch.program_id, [key])
    if key not in found:
        raise NotFoundError("voucher", command.voucher_id, field="voucher")
    redemption = await rewards.load(batch.program_id, *key)
    uses = await reads.uses(batch.program_id, [key])
    return _Case(batch, command, found[key], redemption, uses[key])


async def _store(
    case: _Case, after: Voucher, kind: str, amount_minor: int, *, of: int | None
) -> VoucherMoved:
    """Write a use, or a return with an amount below zero, and what is left then."""
    batch, command = case.batch, case.command
    number = len(case.uses) + 1
    receipt = command.receipt if isinstance(command, UseVoucher) else None
    moved = Use(
        number,
        amount_minor,
        of,
        batch.now,
        command.store,
        command.reference,
        *(receipt or (None, None)),
    )
    batch.writes.append(rewards.voucher_changes([after]))
    batch.writes.append(rewards.use_writes(after, moved))
    answer = VoucherMoved(
        after.member_id, after.id, number, abs(amount_minor), after.remaining_minor
    )
    batch.answer(0, answer.kept())
    batch.record_by(
        command.caller,
        kind,
        after.member_id,
        before={"remaining": case.voucher.remaining_minor},
        voucher=str(after.id),
        use=number,
        amount=abs(amount_minor),
        remaining=after.remaining_minor,
    )
    batch.shown.add(after.member_id)
    await batch.store()
    return answer
