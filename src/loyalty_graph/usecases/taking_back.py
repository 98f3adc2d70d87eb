"""When something of a purchase comes back: what it earned is taken, what points paid returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.earning import service as earning
from loyalty_graph.earning.outcomes import Worth, pinned_counters
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import moved, waiting
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.reversing import Origins, claw_back
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import reads
from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.purchases.returning import Returned, refund_writes
from loyalty_graph.purchases.rules import Line
from loyalty_graph.purchases.states import state_after
from loyalty_graph.usecases import payments, posting, purchase_points, survivors
from loyalty_graph.usecases.bonuses import Bonuses
from loyalty_graph.usecases.refund_command import RecordRefund, RefundRecorded, VoidPurchase
from loyalty_graph.usecases.tiering import Tiering
from loyalty_graph.usecases.used_on_purchases import give_money_back


@dataclass(frozen=True, slots=True)
class ComesBack:
    """What comes back of a purchase, `at` which time; `after` it, these lines are left.

    `quantities` are the units (line number from 1 -> units); none where it became cheaper. A void
    undoes the purchase as if it had never been made.
    """

    after: Sequence[Line]
    quantities: Mapping[int, int]
    at: datetime
    actor: str
    reason: str
    external_id: str | None = None
    is_void: bool = False


@dataclass(slots=True)
class Case:
    """A purchase in hand: its member's account is locked, so it stays as it is.

    `lines` are what is left of it. Points are taken from the `payer`: who the member lives on as,
    usually herself.
    """

    batch: posting.Batch
    tiering: Tiering
    account: ledger.Account
    payer: ledger.Account
    purchase: Purchase
    lines: list[Line]

    @property
    def is_merged(self) -> bool:
        """Return whether the member lives on as another one."""
        return self.payer is not self.account

    @property
    def program_id(self) -> UUID:
        """Return whose purchase it is."""
        return self.batch.program_id

    async def take_back(self, back: ComesBack) -> RefundRecorded:
        """Take back what it had earned, give back what points and vouchers paid, and store all.

        Points due are the purchase's points before less those after, both by the version of the
        rules it earned under.
        """
        book, worth = await self._worth(back.after)
        bonuses = await self._given_back(book, worth)
        cause = self._cause(back, worth)
        paid_back = await payments.give_back(
            self.program_id, self.account, self.purchase.id, self.lines, back.after, cause
        )
        if self.is_merged:
            # What paid comes back to who pays now.
            forwarded = survivors.forward(self.program_id, self.batch.accounts, now=self.batch.now)
            self.batch.facts += await forwarded
        due = await self._due(worth)
        done = await self._reverse(due, cause)
        returned = Returned(
            id=UUID(cause.reference),
            member_id=self.account.member_id,
            purchase_id=self.purchase.id,
            external_id=back.external_id,
            refunded_at=back.at,
            recorded_at=self.batch.now,
            amount_minor=_net(self.lines) - _net(back.after),
            spend_minor=_spend(self.lines) - _spend(back.after),
            due_points=due,
            clawed_back_points=done.clawed_back,
            shortfall_points=done.shortfall,
            returned_minor=paid_back.amount_minor,
            returned_points=paid_back.points,
            entry_sequence=self._entry(done),
            is_void=back.is_void,
            quantities=back.quantities,
            amounts=_amounts(self.lines, back.after),
            lines_after=tuple(back.after),
            state=state_after(back.after, is_void=back.is_void),
            pinned=worth.pinned if worth.given_back else self.purchase.pinned,
        )
        await self._count(returned)
        vouchers_minor = await give_money_back(
            self.batch, self.purchase, left_minor=_net(back.after)
        )
        return await self._store(back, returned, bonuses, vouchers_minor)

    async def _due(self, worth: Worth) -> int:
        """Return what is to be taken back; what was cancelled by hand while it waited is gone."""
        purchase = self.purchase
        cancelled = await waiting.cancelled(self.program_id, purchase.member_id, str(purchase.id))
        if not cancelled:
            return worth.due_points
        before = await reads.due_before(self.program_id, purchase.member_id, purchase.id)
        return max(0, purchase.points - worth.points - before - cancelled)

    async def _reverse(self, due: int, cause: ledger.Cause) -> ledger.Reversal:
        """Take points back by the policy of the purchase's day."""
        purchase, account = self.purchase, self.payer
        at, now = purchase.purchased_at, cause.recorded_at
        version = await programs.in_force(self.program_id, at, now=now)
        policy = version.settings.points.clawback
        return claw_back(account, due, cause, origins=await self._origins(), policy=policy)

    async def _origins(self) -> Origins:
        purchase, account = self.purchase, self.account
        if self.is_merged:
            return await moved.origins(
                self.program_id, account.member_id, self.payer.member_id, purchase.id
            )
        own = await ledger_service.origins(self.program_id, account, purchase.id)
        origins = own if purchase.entry_sequence is None else {*own, purchase.entry_sequence}
        return Origins(own, origins)

    def _entry(self, done: ledger.Reversal) -> int | None:
        """Return the member's entry; one of another member's is not the refund's to name."""
        return None if done.transfer is None or self.is_merged else done.transfer.sequence

    async def _worth(self, after: Sequence[Line]) -> tuple[RuleBook, Worth]:
        """Return the rules the purchase earned under, and what it is worth by them."""
        purchase, at = self.purchase, self.purchase.purchased_at
        version = await programs.numbered(
            self.program_id, purchase.rule_version, now=self.batch.now
        )
        book = await earning.rule_book(version)
        basket = purchase_points.basket_of(purchase, after, book, version.settings, at=at)
        calculate = book.calculator.calculate
        worth = book.worth(purchase.pinned or {}, basket, calculate(self.lines), calculate(after))
        assert worth.due_points >= 0, "bringing goods back never earns points"
        return book, worth

    async def _given_back(self, book: RuleBook, worth: Worth) -> Bonuses:
        """Give caps, budgets and offers back what is free again."""
        member_id = self.purchase.member_id
        unused = {one.code for one in worth.given_back if one.is_all}
        counters = pinned_counters(self.purchase.pinned or {})
        bonuses = Bonuses(counters=counters, offers=book.needs.offers & unused)
        await bonuses.read_given(self.program_id, member_id)
        bonuses.take_back(self.batch, member_id, worth.given_back)
        return bonuses

    def _cause(self, back: ComesBack, worth: Worth) -> ledger.Cause:
        """Return why points are taken back."""
        return ledger.Cause(
            reference=str(new_id(self.batch.now)),
            at=back.at,
            recorded_at=self.batch.now,
            actor=back.actor,
            explanation={
                "purchase": str(self.purchase.id),
                "before": worth.points_before,
                "after": worth.points,
                "due": worth.due_points,
                **({"void": True} if back.is_void else {}),
                **worth.reckoning(),
            },
            text=back.reason,
            rule_version=self.purchase.rule_version,
            salt=posting.salt(),
        )

    async def _count(self, returned: Returned) -> None:
        """Take what came back off what counts for the member's tier, and for who pays."""
        if self.is_merged:
            await self.tiering.take_another(self.batch, self.payer.member_id)
            less = await survivors.count_less(
                self.program_id, self.account.member_id, returned.due_points
            )
            self.batch.writes += less
            self.batch.record(
                "points.reversed",
                self.payer.member_id,
                points=returned.clawed_back_points,
                balance=self.payer.balance,
            )
        for member_id in dict.fromkeys((self.account.member_id, self.payer.member_id)):
            self.tiering.count(
                member_id,
                spend_minor=-returned.spend_minor,
                points=-returned.due_points,
                at=self.purchase.purchased_at,
            )
        self.tiering.add_to(self.batch)

    async def _store(
        self, back: ComesBack, returned: Returned, bonuses: Bonuses, vouchers_minor: int
    ) -> RefundRecorded:
        batch, account = self.batch, self.account
        answer = RefundRecorded(
            account.member_id,
            returned.purchase_id,
            returned.id,
            returned.amount_minor,
            returned.due_points,
            returned.clawed_back_points,
            returned.shortfall_points,
            self.payer.balance,
            returned.entry_sequence,
            self.purchase.currency,
            returned.returned_minor,
            returned.returned_points,
            vouchers_minor,
        )
        batch.answer(0, answer.kept())
        batch.record_by(
            back.actor if returned.is_void else "",
            "purchase.voided" if returned.is_void else "purchase.refunded",
            account.member_id,
            why=back.reason,
            purchase=str(returned.purchase_id),
            refund=str(returned.id),
            entry=returned.entry_sequence,
            clawedBack=returned.clawed_back_points,
            shortfall=returned.shortfall_points,
            returnedPoints=returned.returned_points,
            balance=self.payer.balance,
        )
        batch.writes.extend(refund_writes([returned]))
        bonuses.add_to(batch)
        await batch.store()
        await bonuses.settle(batch.program_id)
        return answer


async def load(
    program_id: UUID, command: RecordRefund | VoidPurchase, *, now: datetime
) -> tuple[posting.Batch, Tiering]:
    """Return the batch with the member's account, locked and whole, and with the tiers."""
    tiering = await Tiering.of(program_id, now=now)
    batch = await posting.load(
        program_id,
        [command],
        now=now,
        whole=[command.member_id],
        by_member=tiering.lookups,
    )
    await tiering.take(batch)
    return batch, tiering


async def open_case(
    batch: posting.Batch, tiering: Tiering, command: RecordRefund | VoidPurchase
) -> Case:
    """Return the purchase of a command that is new, with what is left of it.

    Raises:
        NotFoundError: No such member or purchase.
    """
    account = batch.account(0, command.member)
    purchase, lines = await purchases.load(batch.program_id, command.member_id, command.purchase_id)
    payer = await survivors.living(batch.program_id, batch.accounts, account, now=batch.now)
    return Case(batch, tiering, account, payer, purchase, lines)


def all_that_is_left(lines: Sequence[Line]) -> dict[int, int]:
    """Return the units of each line that were not brought back, where there are any."""
    left = {number: line.left for number, line in enumerate(lines, 1)}
    return {number: quantity for number, quantity in left.items() if quantity}


def _amounts(before: Sequence[Line], after: Sequence[Line]) -> dict[int, int]:
    """Return what comes back of each line (line number from 1 -> minor units), where it does."""
    less = (one.net_minor - other.net_minor for one, other in zip(before, after, strict=True))
    return {number: amount for number, amount in enumerate(less, 1) if amount}


def _net(lines: Sequence[Line]) -> int:
    return sum(line.net_minor for line in lines)


def _spend(lines: Sequence[Line]) -> int:
    return sum(line.earning_minor for line in lines)
