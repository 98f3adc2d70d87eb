"""What becomes of a redemption: confirmed, used, cancelled, or the reward brought back."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import check_named, check_store
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.rewards.errors import NotRefundableError
from loyalty_graph.rewards.rules import Redemption, RewardKind, RewardSettings, Step
from loyalty_graph.rewards.voucher_rules import VoucherState
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.redeemed_points import cause_of, give_back
from loyalty_graph.usecases.redemptions import PointsMoved
from loyalty_graph.usecases.rewards import issued, record, voucher_for

UNDONE = {Step.CANCEL: "redemption.cancelled", Step.REFUND: "redemption.refunded"}


@dataclass(frozen=True, slots=True)
class TakeStep:
    """A step of a redemption: CONFIRM, USE (in a `store`, with a `receipt`), CANCEL or REFUND.

    A reward that is brought back goes back on the shelf when it can be given out again (`restock`).
    """

    caller: str
    idempotency_key: str
    step: Step
    member_id: UUID
    redemption_id: UUID
    store: str | None = None
    reason: str = ""
    restock: bool = True
    receipt: tuple[str, str] | None = None

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {
            self.step.name: [self.member_id, self.redemption_id],
            "with": [self.store, self.reason, self.restock, self.receipt],
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(slots=True)
class _Case:
    """A redemption in hand: its member's account is locked, so it stays as it is."""

    batch: posting.Batch
    command: TakeStep
    account: ledger.Account
    redemption: Redemption
    catalogue: rewards.Catalogue
    codes: Codes

    @property
    def reward(self) -> RewardSettings:
        """Return the reward, as it was when it was redeemed."""
        return self.catalogue[self.redemption.reward]

    def cause(self, redemption: Redemption) -> ledger.Cause:
        """Return why its points move."""
        return cause_of(
            redemption,
            self.catalogue,
            actor=self.command.caller,
            now=self.batch.now,
            text=self.command.reason,
        )


@posting.settling_conflicts
@transaction
async def take(program_id: UUID, command: TakeStep, *, codes: Codes, now: datetime) -> PointsMoved:
    """Take a step of a redemption.

    Confirming spends the points that were set aside and issues the code. Cancelling and refunding
    give the points back to the lots they came from, and void the voucher the redemption made.

    Raises:
        NotFoundError: No such redemption.
        RedemptionStateError: Its state does not allow the step; the subclass says which state.
        WrongStoreError: It is used in another store than it is for.
        NotRefundableError: The programme does not take this reward back.
        VoucherUsedError: Some money of the voucher it made is gone.
        MemberNotActiveError: It is confirmed for a member who may not spend.
        InvalidInputError: It is a voucher and used as if it were not, or a text cannot be used.
        IdempotencyMismatchError: The key was used with other input.
    """
    posting.check_text(command.reason, field="reason")
    if command.store is not None:
        check_store(command.store)
    check_named(command.receipt)
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return PointsMoved.replay(earlier)
    account = batch.account(0, command.member)
    redemption = await rewards.load(program_id, account.member_id, command.redemption_id)
    redemption.check(command.step, now=now)
    catalogue = await rewards.catalogue(program_id, redemption.version)
    case = _Case(batch, command, account, redemption, catalogue, codes)
    steps = {Step.CONFIRM: _confirm, Step.USE: _use, Step.CANCEL: _undo, Step.REFUND: _refund}
    transfer = await steps[command.step](case)
    answer = PointsMoved(
        account.member_id,
        redemption.id,
        redemption.points,
        account.balance,
        transfer.sequence if transfer else None,
    )
    batch.answer(0, answer.kept())
    await batch.store()
    if command.step in UNDONE and command.restock:
        await rewards.move_stock(program_id, {redemption.reward: -1})
    return answer


async def _confirm(case: _Case) -> ledger.Transfer:
    batch, redemption = case.batch, case.redemption
    version = await programs.in_force(batch.program_id, batch.now, now=batch.now)
    transfer = ledger.capture(case.account, redemption.points, case.cause(redemption))
    after = issued(redemption, case.reward, version, now=batch.now)
    voucher = voucher_for(after, case.catalogue)
    batch.writes.append(rewards.issue_writes(batch.program_id, [after], codes=case.codes))
    batch.writes.append(rewards.voucher_writes([voucher] if voucher else []))
    record(batch, "redemption.issued", after, entry=transfer.sequence)
    return transfer


async def _use(case: _Case) -> None:
    case.redemption.check_store(case.command.store)
    if case.reward.kind is RewardKind.STORED_VALUE:
        raise InvalidInputError(
            "This is a voucher: use some of its money instead.", field="redemption"
        )
    after = case.redemption.stepped(Step.USE, now=case.batch.now, restock=False)
    source, receipt_id = case.command.receipt or (None, None)
    after = replace(
        after, used_store=case.command.store, receipt_source=source, receipt_id=receipt_id
    )
    case.batch.writes.append(rewards.step_writes([after]))
    record(case.batch, "redemption.used", after, by=case.command.caller)


async def _refund(case: _Case) -> ledger.Transfer:
    if not case.reward.refundable:
        raise NotRefundableError(case.reward.code)
    return await _undo(case)


async def _undo(case: _Case) -> ledger.Transfer:
    """Give the points back, and make the voucher worthless if the redemption made one."""
    batch, command, redemption = case.batch, case.command, case.redemption
    key = (redemption.member_id, redemption.id)
    vouchers = list((await reads.vouchers(batch.program_id, [key])).values())
    for voucher in vouchers:
        voucher.check_valid(now=batch.now)
        voucher.check_untouched()
    [transfer] = await give_back(batch.program_id, batch.accounts, [redemption], case.cause)
    after = redemption.stepped(command.step, now=batch.now, restock=command.restock)
    void = [voucher.ended(VoucherState.VOID) for voucher in vouchers]
    batch.writes.append(rewards.step_writes([after]))
    batch.writes.append(rewards.voucher_changes(void))
    kind, by = UNDONE[command.step], command.caller
    record(batch, kind, after, entry=transfer.sequence, by=by, why=command.reason)
    return transfer
