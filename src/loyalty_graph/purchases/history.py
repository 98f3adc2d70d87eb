"""What members bought and brought back, receipt by receipt, as it was before anything came back."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases.models import Purchase, PurchaseLine, Refund, RefundLine
from loyalty_graph.purchases.reductions import reduce
from loyalty_graph.purchases.rules import Line, bring_back


@dataclass(frozen=True, slots=True)
class PastRefund:
    """What came back, line by line (number from 1), and the points the programme wanted.

    `quantities` are units; `shares` what lines became cheaper by, in minor units.
    """

    id: UUID
    recorded_at: datetime
    due_points: int
    is_void: bool
    quantities: dict[int, int]
    shares: dict[int, int]

    def after(self, lines: Sequence[Line]) -> list[Line]:
        """Return the lines after this came back."""
        return reduce(lines, self.shares) if self.shares else bring_back(lines, self.quantities)


@dataclass(frozen=True, slots=True)
class PastPurchase:
    """A receipt as it was recorded, with all its units, and the points it then earned."""

    id: UUID
    member_id: UUID
    source: str
    store: str | None
    channel: str
    payment: str | None
    purchased_at: datetime
    recorded_at: datetime
    currency: str
    points: int
    lines: tuple[Line, ...]
    refunds: tuple[PastRefund, ...]


_PURCHASE = (
    "id",
    "member_id",
    "source",
    "store",
    "channel",
    "payment",
    "purchased_at",
    "recorded_at",
    "currency",
    "points",
    "exchange",
)
_LINE = (
    "purchase_id",
    "product_type",
    "quantity",
    "unit_minor",
    "discount_minor",
    "tax_minor",
    "sku",
    "paid_minor",
    "paid_points",
    "labels",
)
_REFUND = ("purchase_id", "id", "recorded_at", "due_points", "is_void")
_BACK = ("refund_id", "number", "quantity", "amount_minor")


async def purchases(program_id: UUID, member_ids: Sequence[UUID]) -> list[PastPurchase]:
    """Return everything these members bought, member by member, in the order of recording."""
    keys = [(one,) for one in member_ids]
    bought, lines, refunds, back = await fetch(
        program_id,
        Lookup(Purchase, ("member_id",), keys, _PURCHASE, order_by="recorded_at, id"),
        Lookup(PurchaseLine, ("member_id",), keys, _LINE, order_by="purchase_id, number"),
        Lookup(Refund, ("member_id",), keys, _REFUND, order_by="recorded_at, id"),
        Lookup(RefundLine, ("member_id",), keys, _BACK),
    )
    found: list[PastPurchase] = []
    for mine, my_lines, my_refunds, my_back in zip(bought, lines, refunds, back, strict=True):
        of_purchase = _lines(my_lines)
        returned = _refunds(my_refunds, my_back)
        for *row, exchange in mine:
            key: UUID = row[0]
            whole = (*row, _exchanged(of_purchase[key], exchange), tuple(returned[key]))
            found.append(PastPurchase(*whole))
    return found


def _exchanged(lines: Sequence[Line], rate: dict[str, str] | None) -> tuple[Line, ...]:
    """Return lines with the rate that was kept with their purchase."""
    if rate is None:
        return tuple(lines)
    exchange = Exchange.from_json(rate)
    return tuple(replace(line, exchange=exchange) for line in lines)


def _lines(rows: Sequence[Row]) -> defaultdict[UUID, list[Line]]:
    lines: defaultdict[UUID, list[Line]] = defaultdict(list)
    for key, kind, quantity, unit, discount, tax, sku, paid, points, labels in rows:
        line = Line(kind, quantity, unit, discount, tax, sku, 0, paid, points, tuple(labels or ()))
        lines[key].append(line)
    return lines


def _refunds(rows: Sequence[Row], back: Sequence[Row]) -> defaultdict[UUID, list[PastRefund]]:
    quantities: defaultdict[UUID, dict[int, int]] = defaultdict(dict)
    shares: defaultdict[UUID, dict[int, int]] = defaultdict(dict)
    for refund_id, number, quantity, amount in back:
        if quantity:
            quantities[refund_id][number] = quantity
        else:
            shares[refund_id][number] = amount
    refunds: defaultdict[UUID, list[PastRefund]] = defaultdict(list)
    for key, refund_id, recorded_at, due, is_void in rows:
        came = quantities[refund_id], shares[refund_id]
        refunds[key].append(PastRefund(refund_id, recorded_at, due, is_void, *came))
    return refunds
