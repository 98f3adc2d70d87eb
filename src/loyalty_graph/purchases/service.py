"""The look-ups and writes of purchases and refunds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from loyalty_graph.db.sets import Insert, Lookup, Row, Upsert, Write, fetch
from loyalty_graph.errors import NotFoundError
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases.errors import ReceiptUnclaimedError
from loyalty_graph.purchases.models import (
    MemberSummary,
    Purchase,
    PurchaseLine,
    PurchaseReference,
    Refund,
)
from loyalty_graph.purchases.receipts import NOBODY
from loyalty_graph.purchases.rules import Line
from loyalty_graph.purchases.states import PurchaseState

_LINE = (
    "product_type",
    "quantity",
    "unit_minor",
    "discount_minor",
    "tax_minor",
    "sku",
    "refunded_quantity",
    "paid_minor",
    "paid_points",
    "labels",
    "reduced_minor",
)


@dataclass(frozen=True)
class Recorded:
    """A purchase that was decided; `line_points` stand beside `lines`.

    `pinned` is what a refund must know again, as JSON values.
    """

    id: UUID
    member_id: UUID
    source: str
    external_id: str
    store: str | None
    channel: str
    purchased_at: datetime
    recorded_at: datetime
    currency: str
    lines: tuple[Line, ...]
    line_points: tuple[int, ...]
    points: int
    entry_sequence: int | None
    rule_version: int
    payment: str | None = None
    pinned: dict[str, Any] | None = None

    @cached_property
    def total_minor(self) -> int:
        """Return the net amount of all lines, in minor units."""
        return sum(line.net_minor for line in self.lines)

    @cached_property
    def paid_minor(self) -> int:
        """Return what points paid of it, in minor units."""
        return sum(line.paid_minor for line in self.lines)

    @cached_property
    def spend_minor(self) -> int:
        """Return what was paid with money, in minor units of the programme's currency."""
        return sum(line.earning_minor for line in self.lines)

    @property
    def exchange(self) -> Exchange | None:
        """Return how its amounts are converted to the programme's currency, if they are."""
        return self.lines[0].exchange

    @cached_property
    def paid_points(self) -> int:
        """Return the points that paid for it."""
        return sum(line.paid_points for line in self.lines)


def receipts(keys: Sequence[tuple[str, str]]) -> Lookup:
    """Return the look-up of purchases by (source, external id): their (member id, purchase id)."""
    return Lookup(PurchaseReference, ("source", "external_id"), keys, ("member_id", "purchase_id"))


async def find(program_id: UUID, source: str, external_id: str) -> tuple[UUID, UUID]:
    """Return the (member id, purchase id) of a receipt.

    Raises:
        NotFoundError: It was never recorded.
        ReceiptUnclaimedError: Nobody has claimed it.
    """
    [[rows]] = await fetch(program_id, receipts([(source, external_id)]))
    if not rows:
        raise NotFoundError("purchase", f"{external_id} of {source}", field="purchase")
    member_id, purchase_id = rows[0]
    if member_id == NOBODY:
        raise ReceiptUnclaimedError(external_id, source, purchase_id)
    return member_id, purchase_id


async def load(program_id: UUID, member_id: UUID, purchase_id: UUID) -> tuple[Purchase, list[Line]]:
    """Return a purchase with what is left of its lines.

    Raises:
        NotFoundError: The member has no such purchase.
    """
    purchase = await Purchase.get_or_none(
        program_id=program_id, member_id=member_id, id=purchase_id
    )
    if purchase is None:
        raise NotFoundError("purchase", purchase_id, field="purchase")
    key = (member_id, purchase_id)
    [[rows]] = await fetch(
        program_id,
        Lookup(PurchaseLine, ("member_id", "purchase_id"), [key], _LINE, order_by="number"),
    )
    exchange = None if purchase.exchange is None else Exchange.from_json(purchase.exchange)
    return purchase, [_line(row, exchange) for row in rows]


def _line(row: Row, exchange: Exchange | None) -> Line:
    line = Line(*row)
    return replace(line, labels=tuple(line.labels or ()), exchange=exchange)


async def is_brought_back(program_id: UUID, purchase: Purchase, external_id: str) -> bool:
    """Return whether a refund of the purchase has this external id."""
    key = (purchase.member_id, purchase.id, external_id)
    by = ("member_id", "purchase_id", "external_id")
    [[rows]] = await fetch(program_id, Lookup(Refund, by, [key], ("id",)))
    return bool(rows)


_PURCHASE = (
    "id",
    "member_id",
    "source",
    "external_id",
    "store",
    "channel",
    "purchased_at",
    "recorded_at",
    "currency",
    "total_minor",
    "tax_minor",
    "paid_minor",
    "paid_points",
    "points",
    "entry_sequence",
    "rule_version",
    "payment",
    "pinned",
    "spend_minor",
    "exchange",
    "state",
)


def writes(recorded: Sequence[Recorded]) -> list[Write]:
    """Return what stores these purchases and brings their members' summaries up to date."""
    return [
        Insert(Purchase, _PURCHASE, [_purchase_row(one) for one in recorded]),
        Insert(
            PurchaseReference,
            ("source", "external_id", "member_id", "purchase_id"),
            [(one.source, one.external_id, one.member_id, one.id) for one in recorded],
        ),
        Insert(
            PurchaseLine,
            ("member_id", "purchase_id", "number", *_LINE, "points"),
            [
                (one.member_id, one.id, number, *_line_row(line), points)
                for one in recorded
                for number, (line, points) in enumerate(
                    zip(one.lines, one.line_points, strict=True), 1
                )
            ],
        ),
        _summaries(recorded),
    ]


def _purchase_row(one: Recorded) -> tuple[object, ...]:
    return (
        one.id,
        one.member_id,
        one.source,
        one.external_id,
        one.store,
        one.channel,
        one.purchased_at,
        one.recorded_at,
        one.currency,
        one.total_minor,
        sum(line.tax_minor for line in one.lines),
        one.paid_minor,
        one.paid_points,
        one.points,
        one.entry_sequence,
        one.rule_version,
        one.payment,
        one.pinned,
        one.spend_minor,
        None if one.exchange is None else one.exchange.to_json(),
        PurchaseState.RECORDED,
    )


def _line_row(line: Line) -> tuple[object, ...]:
    return (
        line.product_type,
        line.quantity,
        line.unit_minor,
        line.discount_minor,
        line.tax_minor,
        line.sku,
        line.refunded,
        line.paid_minor,
        line.paid_points,
        list(line.labels) or None,
        line.reduced_minor,
    )


ADD = (
    ("purchase_count", "member_summary.purchase_count + excluded.purchase_count"),
    ("spend_minor", "member_summary.spend_minor + excluded.spend_minor"),
)
_LATER_PURCHASE = (
    "CASE WHEN excluded.last_purchase_at > member_summary.last_purchase_at"
    " THEN excluded.last_purchase_at ELSE member_summary.last_purchase_at END"
)


def _summaries(recorded: Sequence[Recorded]) -> Upsert:
    merged: dict[UUID, tuple[int, int, datetime]] = {}
    for one in recorded:
        count, spend, last = merged.get(one.member_id, (0, 0, one.purchased_at))
        merged[one.member_id] = (
            count + 1,
            spend + one.spend_minor,
            max(last, one.purchased_at),
        )
    return Upsert(
        MemberSummary,
        ("member_id",),
        ("member_id", "purchase_count", "spend_minor", "last_purchase_at"),
        [(member_id, *summary) for member_id, summary in sorted(merged.items())],
        merge=(*ADD, ("last_purchase_at", _LATER_PURCHASE)),
    )
