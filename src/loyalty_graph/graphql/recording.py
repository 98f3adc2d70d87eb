"""What a till does with purchases: ask what one would earn, and record it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import strawberry

from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import Payload, RefusalsAsData, user_error
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef, bounded
from loyalty_graph.graphql.money import Money, minor_of, money_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import (
    PurchaseExchangeRate,
    PurchasePayload,
    currency_of,
    exchange_rate_of,
)
from loyalty_graph.graphql.reasons import Explanation, explain_purchase
from loyalty_graph.graphql.rule_points import BY_RULE, RulePoints, points_by_rule
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.programs.rules import NEVER
from loyalty_graph.purchases.rules import PAYMENT_LENGTH_MAX, Channel, Line
from loyalty_graph.usecases import purchases, simulating
from loyalty_graph.usecases.exchanging import check_currency
from loyalty_graph.usecases.posting import BATCH_MAX

STORE_CHARACTERS_MAX = 60
SKU_CHARACTERS_MAX = 60
CURRENCY = (
    "Of all its amounts, such as USD; the programme's, if not given. Another one counts by the "
    "exchange rate of the day, and points cannot pay a part of it."
)
PAYMENT = "How it was paid, such as CARD or CASH; rules may ask for it. At most 20 characters."


@strawberry.input(description="One line of a receipt. Amounts are in the receipt's currency.")
class PurchaseLineInput:
    """A line."""

    product_type: str = strawberry.field(description="What decides how it earns, such as COFFEE.")
    quantity: int = strawberry.field(description="How many units: 1 to 1,000,000.")
    unit_amount: Decimal = strawberry.field(
        description='The price of one unit, without tax, such as "4.50".'
    )
    discount: Decimal = strawberry.field(
        default=Decimal(0), description="Taken off the whole line, not off each unit."
    )
    tax: Decimal = strawberry.field(default=Decimal(0), description="On the whole line.")
    sku: str | None = strawberry.field(
        default=None, description="The article, in your own system; at most 60 characters."
    )
    labels: list[str] = strawberry.field(
        default_factory=list,
        description="What else rules may know it by, such as ORGANIC: at most 20 of 40 characters.",
    )

    def line(self, currency: str, *, field: str) -> Line:
        """Return the line in minor units.

        Raises:
            InvalidInputError: an amount or text cannot be used; names the part of `field`.
        """
        return Line(
            product_type=self.product_type,
            quantity=self.quantity,
            unit_minor=minor_of(self.unit_amount, currency, field=f"{field}.unitAmount"),
            discount_minor=minor_of(self.discount, currency, field=f"{field}.discount"),
            tax_minor=minor_of(self.tax, currency, field=f"{field}.tax"),
            sku=bounded(self.sku, SKU_CHARACTERS_MAX, field=f"{field}.sku"),
            labels=tuple(dict.fromkeys(label.strip() for label in self.labels)),
        )


def _lines(given: Sequence[PurchaseLineInput], currency: str) -> tuple[Line, ...]:
    check_currency(currency)
    return tuple(line.line(currency, field=f"lines.{place}") for place, line in enumerate(given))


def _other(given: str | None, own: str) -> str | None:
    """Return the currency of a receipt, or None when it is the programme's own."""
    return None if given == own else given


@strawberry.type(description="A line of a simulated purchase.")
class SimulatedLine:
    """What a line would earn."""

    number: int = strawberry.field(description="Counts the lines from 1.")
    product_type: str = strawberry.field(description="As given.")
    quantity: int = strawberry.field(description="As given.")
    amount: Money = strawberry.field(
        description=(
            "What counts, in the programme's currency: net of the discount and of what points pay, "
            "without tax."
        )
    )
    points: Points = strawberry.field(
        description="What the line would earn, before the points are multiplied."
    )


@strawberry.type(description="What a little more in the basket would earn.")
class Upsell:
    """So much more, so many points."""

    add_amount: Money = strawberry.field(description="Add goods for this much, or more.")
    extra_points: Points = strawberry.field(
        description="Bonus points for it, beside those that the goods themselves earn."
    )
    unlocks: list[str] = strawberry.field(description="The codes of the rules that give them.")


@strawberry.type(description="What a purchase would earn. Nothing was written.")
class PurchaseSimulation:
    """The outcome of simulatePurchase."""

    points: Points = strawberry.field(description="What it would earn.")
    points_by_rule: list[RulePoints] = strawberry.field(description=BY_RULE)
    total: Money = strawberry.field(description="All lines, net of discounts, without tax.")
    exchange_rate: PurchaseExchangeRate | None = strawberry.field(
        description="How amounts are converted; null when it is in the programme's currency."
    )
    paid_points: Points = strawberry.field(description="The points that would pay a part of it.")
    paid_with_points: Money = strawberry.field(description="What they would pay of the total.")
    lines: list[SimulatedLine] = strawberry.field(description="Line by line, in order.")
    explanation: Explanation = strawberry.field(description="Why, for a person to read.")
    expires_at: datetime | None = strawberry.field(
        description="When these points would expire; null when they never do."
    )
    upsells: list[Upsell] = strawberry.field(
        description="The smallest amounts that would earn more bonus points, at most 3."
    )


@strawberry.input(description="A basket.")
class SimulatePurchaseInput:
    """The input of simulatePurchase."""

    lines: list[PurchaseLineInput] = strawberry.field(description="1 to 500 lines.")
    purchased_at: datetime | None = strawberry.field(
        default=None, description="When it would be made; now, if not given."
    )
    member: MemberRef | None = strawberry.field(
        default=None, description="Who would buy; it then earns what the member's tier earns."
    )
    pay_with_points: Points = strawberry.field(
        default=Points(0),
        description=(
            "Points that pay a part of it: at most these, and no more than their amount needs. "
            "What they pay earns nothing."
        ),
    )
    source: str = strawberry.field(
        default="", description="The system the receipt would be from; rules may ask for it."
    )
    store: str | None = strawberry.field(default=None, description="The shop; rules may ask.")
    channel: Channel = strawberry.field(
        default=Channel.POS, description="Where it would be made; rules may ask."
    )
    payment: str | None = strawberry.field(default=None, description=PAYMENT)
    currency_code: str | None = strawberry.field(default=None, description=CURRENCY)

    def basket(self, context: Context, currency: str) -> simulating.Basket:
        """Return what the use case asks for.

        Raises:
            InvalidInputError: an amount or text cannot be used.
            WrongStoreError: the token is for another store.
        """
        return simulating.Basket(
            _lines(self.lines, self.currency_code or currency),
            self.purchased_at or context.now,
            source=self.source.strip(),
            store=context.viewer.acting_store(
                bounded(self.store, STORE_CHARACTERS_MAX, field="store")
            ),
            channel=self.channel,
            payment=bounded(self.payment, PAYMENT_LENGTH_MAX, field="payment"),
            pay_points=self.pay_with_points,
            currency=_other(self.currency_code, currency),
        )


def _simulated(done: simulating.Simulation) -> PurchaseSimulation:
    settings, lines = done.version.settings, done.lines
    currency = done.exchange.currency if done.exchange else settings.currency
    return PurchaseSimulation(
        points=Points(done.points),
        points_by_rule=[points_by_rule(one) for one in done.rules],
        total=money_of(sum(line.net_minor for line in lines), currency),
        exchange_rate=exchange_rate_of(done.exchange),
        paid_points=Points(sum(line.paid_points for line in lines)),
        paid_with_points=money_of(sum(line.paid_minor for line in lines), currency),
        lines=[
            SimulatedLine(
                number=number,
                product_type=line.product_type,
                quantity=line.quantity,
                amount=money_of(line.earning_minor, settings.currency),
                points=Points(points),
            )
            for number, (line, points) in enumerate(zip(lines, done.line_points, strict=True), 1)
        ],
        explanation=explain_purchase(done.points, done.explanation, settings),
        expires_at=None if done.expires_at == NEVER else done.expires_at,
        upsells=[
            Upsell(
                add_amount=money_of(one.add_minor, settings.currency),
                extra_points=Points(one.extra_points),
                unlocks=list(one.unlocks),
            )
            for one in done.upsells
        ],
    )


@strawberry.type
class RecordingQuery:
    """What can be asked before anything is recorded."""

    @strawberry.field(
        description="What a basket would earn, with the same numbers as recordPurchase.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE, member="own")],
    )
    async def simulate_purchase(
        self, info: Info, given: Input[SimulatePurchaseInput]
    ) -> PurchaseSimulation | None:
        context = info.context
        basket = given.basket(context, await currency_of(context))
        member = given.member.reference(field="member") if given.member else None
        done = await simulating.simulate(context.program_id, basket, now=context.now, member=member)
        return _simulated(done)


@strawberry.input(description="A receipt to record for a member.")
class RecordPurchaseInput:
    """The input of recordPurchase."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who bought.")
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

    def command(self, context: Context, currency: str) -> purchases.RecordPurchase:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference, amount or text cannot be used.
            WrongStoreError: the token is for another store.
        """
        return purchases.RecordPurchase(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            source=self.source.strip(),
            external_id=self.external_id.strip(),
            purchased_at=self.purchased_at or context.now,
            lines=_lines(self.lines, self.currency_code or currency),
            store=context.viewer.acting_store(
                bounded(self.store, STORE_CHARACTERS_MAX, field="store")
            ),
            channel=self.channel,
            is_dated=self.purchased_at is not None,
            pay_points=self.pay_with_points,
            payment=bounded(self.payment, PAYMENT_LENGTH_MAX, field="payment"),
            currency=_other(self.currency_code, currency),
        )


@strawberry.type(description="What recordPurchase did.")
class RecordPurchasePayload(PurchasePayload):
    """The answer of recordPurchase."""

    points: Points | None = strawberry.field(default=None, description="What it earned.")
    points_by_rule: list[RulePoints] = strawberry.field(default_factory=list, description=BY_RULE)
    paid_points: Points | None = strawberry.field(
        default=None, description="The points that paid a part of it."
    )
    paid_with_points: Money | None = strawberry.field(
        default=None, description="What they paid of the total; take the rest in money."
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
        paid_points=Points(outcome.paid_points),
        paid_with_points=money_of(outcome.paid_minor, currency),
        balance=Points(outcome.balance_points),
        replayed=outcome.replayed,
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
    return [
        _recorded(one, currency)
        if isinstance(one, LoyaltyError)
        else _recorded(next(outcomes), one.currency or currency)
        for one in wanted
    ]


def _command_or_refusal(
    given: RecordPurchaseInput, context: Context, currency: str
) -> purchases.RecordPurchase | LoyaltyError:
    try:
        return given.command(context, currency)
    except LoyaltyError as refusal:
        return refusal


@strawberry.type
class RecordingMutation:
    """Mutations of purchases."""

    @strawberry.mutation(
        description="Records a receipt and credits its points.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RecordPurchasePayload)],
    )
    async def record_purchase(
        self, info: Info, given: Input[RecordPurchaseInput]
    ) -> RecordPurchasePayload | None:
        context = info.context
        currency = await currency_of(context)
        command = given.command(context, currency)
        call = purchases.RecordCall(context.program_id, command, context.now)
        return _recorded(await context.record_purchase(call), command.currency or currency)

    @strawberry.mutation(
        description="Records up to 500 receipts at once, such as those of an offline till.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RecordPurchasesPayload)],
    )
    async def record_purchases(
        self, info: Info, given: Input[RecordPurchasesInput]
    ) -> RecordPurchasesPayload | None:
        return RecordPurchasesPayload(results=await _record_all(info.context, given.purchases))
