"""Purchases: what was bought and brought back, what it is worth, and recording it."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.errors import NotFoundError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.inputs import PurchaseRef
from loyalty_graph.graphql.ledger import LedgerEntry
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
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
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases import reads
from loyalty_graph.purchases.rules import Channel
from loyalty_graph.purchases.states import PurchaseState
from loyalty_graph.usecases.purchase_points import capped, given_by_rule

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member

describe_enum(
    PurchaseState,
    "Where a purchase stands.",
    {
        PurchaseState.RECORDED: "Nothing of it came back.",
        PurchaseState.PARTIALLY_REFUNDED: "Some of it came back, by units or by amount.",
        PurchaseState.REFUNDED: "All of it came back.",
        PurchaseState.VOIDED: "It was undone as a whole and counts for nothing.",
    },
    name="PurchaseStatus",
)
describe_enum(
    Channel,
    "Where a purchase was made.",
    {
        Channel.POS: "At a till.",
        Channel.WEB: "In a shop on the web.",
        Channel.MOBILE: "In an app.",
        Channel.PARTNER: "At a partner's.",
    },
)


@strawberry.type(description="One line of a receipt.")
class PurchaseLine:
    """A line and what became of it."""

    number: int = strawberry.field(description="Counts the lines from 1; refunds name it.")
    product_type: str = strawberry.field(description="What decides how it earns, such as COFFEE.")
    sku: str | None = strawberry.field(description="The article, in your own system.")
    labels: list[str] = strawberry.field(description="What else rules may know it by.")
    quantity: int = strawberry.field(description="How many units were bought.")
    refunded_quantity: int = strawberry.field(description="How many of them were brought back.")
    refunded_amount: Money = strawberry.field(
        description="What came back of it so far, by units or by amount, net of its discount."
    )
    unit_amount: Money = strawberry.field(description="The price of one unit, without tax.")
    discount: Money = strawberry.field(description="Taken off the whole line.")
    tax: Money = strawberry.field(description="On the whole line.")
    paid_points: Points = strawberry.field(description="The points that paid a part of it.")
    paid_with_points: Money = strawberry.field(description="What they paid.")
    points: Points = strawberry.field(
        description="What the line earned when bought, before points were multiplied."
    )


@strawberry.type(description="Goods of a purchase that were brought back.")
class Refund:
    """A refund and the points it took back."""

    member_id: strawberry.Private[UUID]
    entry_sequence: strawberry.Private[int | None]
    is_void: bool = strawberry.field(description="It undid the purchase as a whole.")
    external_id: str | None = strawberry.field(description="Its id in the system it came from.")
    refunded_at: datetime = strawberry.field(description="When they were brought back.")
    amount: Money = strawberry.field(description="What they had cost, net of discounts, no tax.")
    points_returned: Points = strawberry.field(
        description="The points that had paid a part of it, given back."
    )
    paid_with_points: Money = strawberry.field(
        description="What these had paid; the rest of the amount had been paid with money."
    )
    points_due: Points = strawberry.field(description="What they had earned.")
    points_taken_back: Points = strawberry.field(description="What was taken from the wallet.")
    shortfall: Points = strawberry.field(description="What was spent already and forgiven.")

    @strawberry.field(description="The entry that took the points back; null if none were due.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await _entry(info, self.member_id, self.entry_sequence)


@strawberry.type(description="The rate at which a purchase in another currency counts.")
class PurchaseExchangeRate:
    """It is kept with the purchase: refunds are converted at the same."""

    rate: Decimal = strawberry.field(
        description="Units of the programme's currency for one unit of the purchase's, exactly."
    )
    day: date = strawberry.field(
        description="The day the rate is of, at the latest the purchase's."
    )


@strawberry.type(description="A receipt that was recorded for a member.")
class Purchase(Node):
    """A purchase."""

    key: strawberry.Private[reads.Key]
    currency: strawberry.Private[str]
    entry_sequence: strawberry.Private[int | None]
    status: PurchaseState = strawberry.field(description="Where it stands.")
    source: str = strawberry.field(description="The system that wrote it, such as till or shop.")
    external_id: str = strawberry.field(description="The id that system gave it.")
    store: str | None = strawberry.field(description="The shop it was made in.")
    channel: Channel = strawberry.field(description="Where it was made.")
    payment: str | None = strawberry.field(description="How it was paid, if it was told.")
    purchased_at: datetime = strawberry.field(description="When it was made.")
    recorded_at: datetime = strawberry.field(description="When it was recorded here.")
    total: Money = strawberry.field(description="All lines, net of discounts, without tax.")
    tax: Money = strawberry.field(description="The tax on all lines.")
    paid_points: Points = strawberry.field(description="The points that paid a part of it.")
    paid_with_points: Money = strawberry.field(description="What they paid of the total.")
    spend: Money = strawberry.field(
        description="What was paid with money, in the programme's currency: what it counts for."
    )
    exchange_rate: PurchaseExchangeRate | None = strawberry.field(
        description="How amounts were converted; null when it is in the programme's currency."
    )
    points: Points = strawberry.field(description="What it earned when it was made.")

    @strawberry.field(description=BY_RULE)
    async def points_by_rule(self, info: Info) -> list[RulePoints]:
        return await batched(info, _rules, self)

    @strawberry.field(description=CAPPED)
    async def capped(self, info: Info) -> PointsCapped | None:
        return await batched(info, _capped, self)

    @strawberry.field(description="The lines, in order.")
    async def lines(self, info: Info) -> list[PurchaseLine]:
        return await batched(info, _lines, self)

    @strawberry.field(description="What was brought back so far, in order.")
    async def refunds(self, info: Info) -> list[Refund]:
        return await batched(info, _refunds, self)

    @strawberry.field(description="The entry of the points it earned; null when it earned none.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await _entry(info, self.key[0], self.entry_sequence)

    @strawberry.field(
        description="Who bought.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.key[0])
        return found


async def _entry(info: Info, member_id: UUID, sequence: int | None) -> LedgerEntry | None:
    if sequence is None:
        return None
    found: LedgerEntry | None = await load(info, "LedgerEntry", member_id, sequence)
    return found


@loads("Purchase", UUID, UUID, owner=0)
async def purchases_by_key(
    keys: Sequence[reads.Key], *, program_id: UUID, now: datetime
) -> list[Purchase | None]:
    """Return the purchases with these (member id, purchase id) keys."""
    del now
    found = await reads.purchases(program_id, keys)
    return [_purchase(found[key]) if key in found else None for key in keys]


def _purchase(bought: reads.Bought) -> Purchase:
    return Purchase(
        id=encode_id("Purchase", bought.member_id, bought.id),
        key=(bought.member_id, bought.id),
        currency=bought.currency,
        entry_sequence=bought.entry_sequence,
        status=bought.state,
        source=bought.source,
        external_id=bought.external_id,
        store=bought.store,
        channel=Channel(bought.channel),
        payment=bought.payment,
        purchased_at=bought.purchased_at,
        recorded_at=bought.recorded_at,
        total=money_of(bought.total_minor, bought.currency),
        tax=money_of(bought.tax_minor, bought.currency),
        paid_points=Points(bought.paid_points),
        paid_with_points=money_of(bought.paid_minor, bought.currency),
        spend=money_of(bought.spend_minor, bought.spend_currency),
        exchange_rate=exchange_rate_of(bought.exchange),
        points=Points(bought.points),
    )


async def _rules(
    purchases: Sequence[Purchase], *, program_id: UUID, now: datetime
) -> list[list[RulePoints]]:
    del now
    found = await reads.pinned(program_id, [purchase.key for purchase in purchases])
    return [
        [points_by_rule(one) for one in given_by_rule(found[purchase.key])]
        for purchase in purchases
    ]


async def _capped(
    purchases: Sequence[Purchase], *, program_id: UUID, now: datetime
) -> list[PointsCapped | None]:
    del now
    found = await reads.pinned(program_id, [purchase.key for purchase in purchases])
    return [points_capped(capped(found[purchase.key])) for purchase in purchases]


def exchange_rate_of(exchange: Exchange | None) -> PurchaseExchangeRate | None:
    """Return how amounts are converted, as the API shows it."""
    if exchange is None:
        return None
    return PurchaseExchangeRate(rate=Decimal(exchange.rate), day=exchange.day)


async def _lines(
    purchases: Sequence[Purchase], *, program_id: UUID, now: datetime
) -> list[list[PurchaseLine]]:
    del now
    found = await reads.lines(program_id, [purchase.key for purchase in purchases])
    return [
        [_line(line, purchase.currency) for line in found[purchase.key]] for purchase in purchases
    ]


def _line(line: reads.BoughtLine, currency: str) -> PurchaseLine:
    return PurchaseLine(
        number=line.number,
        product_type=line.product_type,
        sku=line.sku,
        labels=list(line.labels or ()),
        quantity=line.quantity,
        refunded_quantity=line.refunded_quantity,
        refunded_amount=money_of(line.refunded_minor, currency),
        unit_amount=money_of(line.unit_minor, currency),
        discount=money_of(line.discount_minor, currency),
        tax=money_of(line.tax_minor, currency),
        paid_points=Points(line.paid_points),
        paid_with_points=money_of(line.paid_minor, currency),
        points=Points(line.points),
    )


async def _refunds(
    purchases: Sequence[Purchase], *, program_id: UUID, now: datetime
) -> list[list[Refund]]:
    del now
    found = await reads.refunds(program_id, [purchase.key for purchase in purchases])
    return [[_refund(one, purchase) for one in found[purchase.key]] for purchase in purchases]


def _refund(back: reads.BroughtBack, purchase: Purchase) -> Refund:
    return Refund(
        member_id=purchase.key[0],
        entry_sequence=back.entry_sequence,
        is_void=back.is_void,
        external_id=back.external_id,
        refunded_at=back.refunded_at,
        amount=money_of(back.amount_minor, purchase.currency),
        points_returned=Points(back.returned_points),
        paid_with_points=money_of(back.returned_minor, purchase.currency),
        points_due=Points(back.due_points),
        points_taken_back=Points(back.clawed_back_points),
        shortfall=Points(back.shortfall_points),
    )


@strawberry.type
class PurchaseQuery:
    """Queries about purchases."""

    @strawberry.field(
        description="A purchase, by its id or its receipt; null when there is none.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def purchase(
        self,
        info: Info,
        ref: Annotated[PurchaseRef, strawberry.argument(description="What you know of it.")],
    ) -> Purchase | None:
        try:
            key = await ref.key(info.context, field="ref")
        except NotFoundError:
            return None
        found: Purchase | None = await load(info, "Purchase", *key)
        return found


@strawberry.type
class PurchasePayload(EntryPayload):
    """What the payloads of mutations about a purchase have in common."""

    @strawberry.field(description="The purchase, as of now.")
    async def purchase(self, info: Info) -> Purchase | None:
        if self.key is None:
            return None
        found: Purchase | None = await load(info, "Purchase", *self.key)
        return found


async def currency_of(context: Context) -> str:
    """Return the currency of the viewer's programme."""
    version = await programs.in_force(context.program_id, context.now, now=context.now)
    return version.settings.currency
