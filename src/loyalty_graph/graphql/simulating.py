"""What a till asks before a purchase: what it would earn, and what a little more would."""

from datetime import datetime
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.inputs import Input, MemberRef, bounded
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import (
    PurchaseExchangeRate,
    currency_of,
    exchange_rate_of,
)
from loyalty_graph.graphql.reasons import Explanation, Locale, asked_locale, explain_purchase
from loyalty_graph.graphql.receipt_inputs import (
    CURRENCY,
    PAYMENT,
    STORE_CHARACTERS_MAX,
    PurchaseLineInput,
    lines_of,
    other_currency,
)
from loyalty_graph.graphql.rule_points import BY_RULE, RulePoints, points_by_rule
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs.rules import NEVER
from loyalty_graph.purchases.rules import PAYMENT_LENGTH_MAX, Channel
from loyalty_graph.usecases import simulating
from loyalty_graph.wallet.locales import FALLBACK, known_locale


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
    expires_at: datetime | None = strawberry.field(
        description="When these points would expire; null when they never do."
    )
    upsells: list[Upsell] = strawberry.field(
        description="The smallest amounts that would earn more bonus points, at most 3."
    )
    done: strawberry.Private[simulating.Simulation]
    buyer: strawberry.Private[Reference | None]

    @strawberry.field(description="Why, for a person to read.")
    async def explanation(self, info: Info, locale: Locale = None) -> Explanation:
        spoken = asked_locale(locale) or await _spoken(info.context.program_id, self.buyer)
        done, settings = self.done, self.done.version.settings
        return explain_purchase(done.points, done.explanation, settings, locale=spoken)


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
            lines_of(self.lines, self.currency_code or currency),
            self.purchased_at or context.now,
            source=self.source.strip(),
            store=context.viewer.acting_store(
                bounded(self.store, STORE_CHARACTERS_MAX, field="store")
            ),
            channel=self.channel,
            payment=bounded(self.payment, PAYMENT_LENGTH_MAX, field="payment"),
            pay_points=self.pay_with_points,
            currency=other_currency(self.currency_code, currency),
        )


async def _spoken(program_id: UUID, buyer: Reference | None) -> str:
    if buyer is None:
        return FALLBACK
    return known_locale((await members.find(program_id, buyer)).locale)


def _simulated(done: simulating.Simulation, buyer: Reference | None) -> PurchaseSimulation:
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
        done=done,
        buyer=buyer,
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
class SimulatingQuery:
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
        return _simulated(done, member)
