"""Taking purchases back, whole or in parts."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import strawberry

from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import (
    KEY,
    REASON,
    REASON_CHARACTERS_MAX,
    Input,
    PurchaseRef,
    bounded,
)
from loyalty_graph.graphql.money import Money, minor_of, money_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import PurchasePayload, currency_of
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.purchases import reads
from loyalty_graph.purchases.rules import EXTERNAL_ID_LENGTH_MAX
from loyalty_graph.usecases import refunds
from loyalty_graph.usecases.receipt_voids import ReceiptVoided
from loyalty_graph.usecases.undoing import Undo, undo

Told = TypeVar("Told", bound="TakenBackPayload")


@strawberry.input(description="Units of a line that were brought back.")
class RefundLineInput:
    """A line of a refund."""

    number: int = strawberry.field(description="The purchase's line, counted from 1.")
    quantity: int = strawberry.field(description="How many units.")


@strawberry.input(
    description="Goods of a purchase that were brought back, or a part of what they had cost."
)
class RefundPurchaseInput:
    """The input of refundPurchase."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    purchase: PurchaseRef = strawberry.field(description="The purchase they are from.")
    lines: list[RefundLineInput] | None = strawberry.field(
        default=None,
        description="What came back; everything that is left, if neither this nor amount is given.",
    )
    amount: Decimal | None = strawberry.field(
        default=None,
        description=(
            "Instead of lines: what is given back of the price of all that is left, without tax, "
            "in the purchase's currency; its lines share it in proportion."
        ),
    )
    refunded_at: datetime | None = strawberry.field(
        default=None, description="When it came back; now, if not given."
    )
    external_id: str | None = strawberry.field(
        default=None, description="The refund's id in your own system; at most 100 characters."
    )
    reason: str | None = strawberry.field(default=None, description=REASON)

    async def command(self, context: Context) -> refunds.RecordRefund:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference or text cannot be used, or a line stands twice.
            NotFoundError: no such receipt.
        """
        member_id, purchase_id = await self.purchase.key(context, field="purchase")
        reason = bounded(self.reason, REASON_CHARACTERS_MAX, field="reason")
        return refunds.RecordRefund(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member_id=member_id,
            purchase_id=purchase_id,
            refunded_at=self.refunded_at or context.now,
            quantities=self._quantities(),
            amount_minor=await self._amount_minor(context, (member_id, purchase_id)),
            external_id=bounded(self.external_id, EXTERNAL_ID_LENGTH_MAX, field="externalId"),
            reason=reason or "",
            is_dated=self.refunded_at is not None,
        )

    async def _amount_minor(self, context: Context, key: reads.Key) -> int | None:
        if self.amount is None:
            return None
        found = await reads.purchases(context.program_id, [key])
        if key not in found:
            raise NotFoundError("purchase", key[1], field="purchase")
        return minor_of(self.amount, found[key].currency, field="amount")

    def _quantities(self) -> dict[int, int] | None:
        if self.lines is None:
            return None
        for number, times in Counter(line.number for line in self.lines).items():
            if times > 1:
                raise InvalidInputError(f"Line {number} stands here twice.", field="lines")
        return {line.number: line.quantity for line in self.lines}


@strawberry.input(description="A purchase that should never have been recorded.")
class VoidPurchaseInput:
    """The input of voidPurchase."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    purchase: PurchaseRef = strawberry.field(description="Which one.")
    reason: str | None = strawberry.field(default=None, description=REASON)

    def command(self, context: Context) -> Undo:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference or text cannot be used.
        """
        return Undo(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            named=self.purchase.named(field="purchase"),
            reason=bounded(self.reason, REASON_CHARACTERS_MAX, field="reason") or "",
        )


@strawberry.type
class TakenBackPayload(PurchasePayload):
    """What the payloads of refundPurchase and voidPurchase have in common."""

    amount: Money | None = strawberry.field(
        default=None, description="What the goods had cost, net of discounts, without tax."
    )
    points_returned: Points | None = strawberry.field(
        default=None, description="The points that had paid a part of it, given back."
    )
    paid_with_points: Money | None = strawberry.field(
        default=None, description="What these had paid; give the rest of the amount back in money."
    )
    vouchers_returned: Money | None = strawberry.field(
        default=None,
        description=(
            "What vouchers used with this receipt had paid of it, on them again: give less money "
            "back by this. In the programme's currency."
        ),
    )
    points_due: Points | None = strawberry.field(
        default=None, description="What the goods had earned."
    )
    points_taken_back: Points | None = strawberry.field(
        default=None, description="What was taken from the wallet, as debt where it may be."
    )
    shortfall: Points | None = strawberry.field(
        default=None, description="What was spent already and forgiven."
    )


@strawberry.type(description="What refundPurchase did.")
class RefundPurchasePayload(TakenBackPayload):
    """The answer of refundPurchase."""


@strawberry.type(description="What voidPurchase did.")
class VoidPurchasePayload(TakenBackPayload):
    """The answer of voidPurchase."""


def _told(payload: type[Told], done: refunds.RefundRecorded, currency: str) -> Told:
    return payload(
        key=(done.member_id, done.purchase_id),
        entry_sequence=done.entry_sequence,
        amount=money_of(done.amount_minor, done.currency),
        points_returned=Points(done.returned_points),
        paid_with_points=money_of(done.returned_minor, done.currency),
        vouchers_returned=money_of(done.vouchers_minor, currency),
        points_due=Points(done.due_points),
        points_taken_back=Points(done.clawed_back_points),
        shortfall=Points(done.shortfall_points),
        balance=Points(done.balance_points),
        replayed=done.replayed,
    )


def _undone(done: refunds.RefundRecorded | ReceiptVoided, currency: str) -> VoidPurchasePayload:
    if not isinstance(done, ReceiptVoided):
        return _told(VoidPurchasePayload, done, currency)
    nothing = Points(0)
    return VoidPurchasePayload(
        amount=money_of(done.amount.minor, done.amount.currency),
        paid_with_points=money_of(0, done.amount.currency),
        vouchers_returned=money_of(0, currency),
        points_returned=nothing,
        points_due=nothing,
        points_taken_back=nothing,
        shortfall=nothing,
        replayed=done.replayed,
    )


@strawberry.type
class RefundMutation:
    """Mutations of refunds."""

    @strawberry.mutation(
        description=(
            "Takes back the points of goods that were brought back, or became cheaper, exactly."
        ),
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RefundPurchasePayload)],
    )
    async def refund_purchase(
        self, info: Info, given: Input[RefundPurchaseInput]
    ) -> RefundPurchasePayload | None:
        context = info.context
        command = await given.command(context)
        done = await refunds.record(context.program_id, command, now=context.now)
        return _told(RefundPurchasePayload, done, await currency_of(context))

    @strawberry.mutation(
        description=(
            "Undoes a purchase as a whole, as if it had never been made. One of which some came "
            "back is refunded instead. Its receipt cannot be recorded again; one that nobody has "
            "claimed cannot be claimed any more."
        ),
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(VoidPurchasePayload)],
    )
    async def void_purchase(
        self, info: Info, given: Input[VoidPurchaseInput]
    ) -> VoidPurchasePayload | None:
        context = info.context
        done = await undo(context.program_id, given.command(context), now=context.now)
        return _undone(done, await currency_of(context))
