"""What a till does with purchases: it records them, one by one or many together."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import strawberry

from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import Payload, RefusalsAsData, user_error
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef, bounded
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import (
    PurchasePayload,
    currency_of,
)
from loyalty_graph.graphql.receipt_inputs import (
    CURRENCY,
    PAYMENT,
    STORE_CHARACTERS_MAX,
    PurchaseLineInput,
    lines_of,
    other_currency,
)
from loyalty_graph.graphql.rule_points import (
    BY_RULE,
    CAPPED,
    PointsCapped,
    RulePoints,
    points_by_rule,
    points_capped,
)
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.purchases.rules import PAYMENT_LENGTH_MAX, Channel
from loyalty_graph.usecases import claiming, purchases
from loyalty_graph.usecases.posting import BATCH_MAX

Recording: TypeAlias = purchases.RecordPurchase | claiming.RecordReceipt


@strawberry.input(description="A receipt to record for a member.")
class RecordPurchaseInput:
    """The input of recordPurchase."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef | None = strawberry.field(
        default=None,
        description=(
            "Who bought. Without one the receipt is kept, where the programme keeps such, and "
            "whoever brings its code can claim it (claimPurchase)."
        ),
    )
    source: str = strawberry.field(
        description="The system the receipt is from, such as till or shop; at most 40 characters."
    )
    external_id: str = strawberry.field(
        description="Its id there, at most 100 characters. One receipt of a source counts once."
    )
    lines: list[PurchaseLineInput] = strawberry.field(description="1 to 500 lines.")
    purchased_at: datetime | None = strawberry.field(
        default=None, description="When it was made; now, if not given."
    )
    store: str | None = strawberry.field(
        default=None,
        description="The shop it was made in; at most 60 characters. A token may be for one only.",
    )
    channel: Channel = strawberry.field(default=Channel.POS, description="Where it was made.")
    payment: str | None = strawberry.field(default=None, description=PAYMENT)
    pay_with_points: Points = strawberry.field(
        default=Points(0),
        description=(
            "Points that pay a part of it: at most these, and no more than their amount needs. "
            "What they pay earns nothing."
        ),
    )
    currency_code: str | None = strawberry.field(default=None, description=CURRENCY)

    def command(self, context: Context, currency: str) -> Recording:
        """Return the use case's command: for a member, or for somebody who may claim it later.

        Raises:
            InvalidInputError: a reference, amount or text cannot be used.
            WrongStoreError: the token is for another store.
        """
        receipt = claiming.RecordReceipt(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            source=self.source.strip(),
            external_id=self.external_id.strip(),
            purchased_at=self.purchased_at or context.now,
            lines=lines_of(self.lines, self.currency_code or currency),
            store=context.viewer.acting_store(
                bounded(self.store, STORE_CHARACTERS_MAX, field="store")
            ),
            channel=self.channel,
            is_dated=self.purchased_at is not None,
            payment=bounded(self.payment, PAYMENT_LENGTH_MAX, field="payment"),
            currency=other_currency(self.currency_code, currency),
        )
        if self.member is not None:
            return purchases.RecordPurchase(
                **vars(receipt),
                member=self.member.reference(field="member"),
                pay_points=self.pay_with_points,
                issuer=context.viewer.issuer,
            )
        if self.pay_with_points:
            raise InvalidInputError("Points are a member's: name the member.", field="member")
        return receipt


@strawberry.type(description="What recordPurchase did.")
class RecordPurchasePayload(PurchasePayload):
    """The answer of recordPurchase."""

    points: Points | None = strawberry.field(default=None, description="What it earned.")
    points_by_rule: list[RulePoints] = strawberry.field(default_factory=list, description=BY_RULE)
    capped: PointsCapped | None = strawberry.field(default=None, description=CAPPED)
    paid_points: Points | None = strawberry.field(
        default=None, description="The points that paid a part of it."
    )
    paid_with_points: Money | None = strawberry.field(
        default=None, description="What they paid of the total; take the rest in money."
    )
    claim_code: str | None = strawberry.field(
        default=None,
        description="Of a receipt without a member: what it is claimed with. Print it, keep it.",
    )
    claim_expires_at: datetime | None = strawberry.field(
        default=None, description="From this instant on it cannot be claimed any more."
    )


def _recorded(
    outcome: purchases.PurchaseRecorded | LoyaltyError, currency: str
) -> RecordPurchasePayload:
    if isinstance(outcome, LoyaltyError):
        return RecordPurchasePayload(user_errors=[user_error(outcome)])
    return RecordPurchasePayload(
        key=(outcome.member_id, outcome.purchase_id),
        entry_sequence=outcome.entry_sequence,
        points=Points(outcome.points),
        points_by_rule=[points_by_rule(one) for one in outcome.rules],
        capped=points_capped(outcome.capped),
        paid_points=Points(outcome.paid_points),
        paid_with_points=money_of(outcome.paid_minor, currency),
        balance=Points(outcome.balance_points),
        replayed=outcome.replayed,
    )


async def _keep(context: Context, command: claiming.RecordReceipt) -> RecordPurchasePayload:
    """Keep a receipt without a member; a refusal is the answer."""
    codes = context.receipt_codes
    try:
        done = await claiming.record_receipt(
            context.program_id, command, codes=codes, now=context.now
        )
    except LoyaltyError as refusal:
        return RecordPurchasePayload(user_errors=[user_error(refusal)])
    return RecordPurchasePayload(
        claim_code=codes.text(context.program_id, done.receipt_id),
        claim_expires_at=done.expires_at,
        replayed=done.replayed,
    )


@strawberry.input(description="Receipts to record together, such as those of an offline till.")
class RecordPurchasesInput:
    """The input of recordPurchases."""

    purchases: list[RecordPurchaseInput] = strawberry.field(
        description=(
            "1 to 500, each with its own idempotency key. To one without, the header "
            "Idempotency-Key gives its own text, a slash, and the place, counted from 0."
        )
    )


@strawberry.type(description="What recordPurchases did.")
class RecordPurchasesPayload(Payload):
    """The answer of recordPurchases."""

    results: list[RecordPurchasePayload] = strawberry.field(
        default_factory=list,
        description="One for each, in order: done, or refused without disturbing the others.",
    )


async def _record_all(
    context: Context, given: Sequence[RecordPurchaseInput]
) -> list[RecordPurchasePayload]:
    """Record what can be recorded; what is malformed is refused in its place.

    Raises:
        InvalidInputError: none, or too many.
    """
    if not 0 < len(given) <= BATCH_MAX:
        raise InvalidInputError(f"Give 1 to {BATCH_MAX} purchases at once.", field="purchases")
    currency = await currency_of(context)
    wanted = [
        _command_or_refusal(one, context.at_place(place), currency)
        for place, one in enumerate(given)
    ]
    sound = [one for one in wanted if isinstance(one, purchases.RecordPurchase)]
    outcomes = iter(await purchases.record(context.program_id, sound, now=context.now))
    results: list[RecordPurchasePayload] = []
    for one in wanted:
        if isinstance(one, claiming.RecordReceipt):
            results.append(await _keep(context, one))
        elif isinstance(one, LoyaltyError):
            results.append(_recorded(one, currency))
        else:
            results.append(_recorded(next(outcomes), one.currency or currency))
    return results


def _command_or_refusal(
    given: RecordPurchaseInput, context: Context, currency: str
) -> Recording | LoyaltyError:
    try:
        return given.command(context, currency)
    except LoyaltyError as refusal:
        return refusal


async def _record(
    context: Context, command: purchases.RecordPurchase, currency: str
) -> RecordPurchasePayload:
    call = purchases.RecordCall(context.program_id, command, context.now)
    return _recorded(await context.record_purchase(call), command.currency or currency)


@strawberry.type
class RecordingMutation:
    """Mutations of purchases."""

    @strawberry.mutation(
        description="Records a receipt and credits its points, or keeps it to be claimed.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RecordPurchasePayload)],
    )
    async def record_purchase(
        self, info: Info, given: Input[RecordPurchaseInput]
    ) -> RecordPurchasePayload | None:
        context = info.context
        currency = await currency_of(context)
        command = given.command(context, currency)
        if isinstance(command, claiming.RecordReceipt):
            return await _keep(context, command)
        return await _record(context, command, currency)

    @strawberry.mutation(
        description="Records up to 500 receipts at once, such as those of an offline till.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RecordPurchasesPayload)],
    )
    async def record_purchases(
        self, info: Info, given: Input[RecordPurchasesInput]
    ) -> RecordPurchasesPayload | None:
        return RecordPurchasesPayload(results=await _record_all(info.context, given.purchases))
