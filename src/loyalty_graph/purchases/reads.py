"""Purchases with their lines and refunds, many at once, one statement each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db.member_lists import MemberRows
from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases.models import (
    Activity,
    MemberSummary,
    Purchase,
    PurchaseLine,
    Refund,
)
from loyalty_graph.purchases.rules import Line
from loyalty_graph.purchases.states import PurchaseState

Key = tuple[UUID, UUID]
"""(member id, purchase id)"""


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase; amounts in minor units of `currency`, `spend_minor` in the programme's.

    `exchange` says how the one became the other, where they differ.
    """

    member_id: UUID
    id: UUID
    source: str
    external_id: str
    store: str | None
    channel: str
    purchased_at: datetime
    recorded_at: datetime
    currency: str
    total_minor: int
    tax_minor: int
    paid_minor: int
    paid_points: int
    points: int
    entry_sequence: int | None
    rule_version: int
    payment: str | None
    spend_minor: int
    state: PurchaseState
    exchange: Exchange | None

    @property
    def spend_currency(self) -> str:
        """Return the programme's currency."""
        return self.currency if self.exchange is None else self.exchange.into


@dataclass(frozen=True, slots=True)
class BoughtLine:
    """A line of a purchase."""

    number: int
    product_type: str
    sku: str | None
    quantity: int
    unit_minor: int
    discount_minor: int
    tax_minor: int
    points: int
    refunded_quantity: int
    paid_minor: int
    paid_points: int
    labels: Sequence[str] | None
    reduced_minor: int

    @property
    def refunded_minor(self) -> int:
        """Return what came back of it so far, net of discounts."""
        units = self.quantity, self.unit_minor, self.discount_minor, self.tax_minor, self.sku
        now = Line(
            self.product_type, *units, self.refunded_quantity, reduced_minor=self.reduced_minor
        )
        return replace(now, refunded=0, reduced_minor=0).net_minor - now.net_minor


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """A refund of a purchase."""

    id: UUID
    external_id: str | None
    refunded_at: datetime
    amount_minor: int
    due_points: int
    clawed_back_points: int
    shortfall_points: int
    returned_minor: int
    returned_points: int
    entry_sequence: int | None
    is_void: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a member bought so far, refunds taken off."""

    purchase_count: int
    spend_minor: int
    last_purchase_at: datetime


_BOUGHT = tuple(Bought.__dataclass_fields__)[2:]
_LINE = tuple(BoughtLine.__dataclass_fields__)
_BACK = tuple(BroughtBack.__dataclass_fields__)
_SUMMARY = tuple(Summary.__dataclass_fields__)


async def purchases(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Bought]:
    """Return the purchases with these keys; unknown ones are absent."""
    [found] = await fetch(program_id, Lookup(Purchase, ("member_id", "id"), keys, _BOUGHT))
    return {key: _bought(key, rows[0]) for key, rows in zip(keys, found, strict=True) if rows}


def _bought(key: Key, row: Row) -> Bought:
    *plain, state, kept = row
    exchange = None if kept is None else Exchange.from_json(kept)
    return Bought(*(*key, *plain, PurchaseState(state), exchange))


async def pinned(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Mapping[str, Any]]:
    """Return what is to be known again of these purchases; where that is nothing it is empty."""
    [found] = await fetch(program_id, Lookup(Purchase, ("member_id", "id"), keys, ("pinned",)))
    return {
        key: (rows[0][0] if rows else None) or {} for key, rows in zip(keys, found, strict=True)
    }


async def lines(program_id: UUID, keys: Sequence[Key]) -> dict[Key, list[BoughtLine]]:
    """Return the lines of these purchases, in order."""
    [found] = await fetch(
        program_id,
        Lookup(PurchaseLine, ("member_id", "purchase_id"), keys, _LINE, order_by="number"),
    )
    return {key: [BoughtLine(*row) for row in rows] for key, rows in zip(keys, found, strict=True)}


async def refunds(program_id: UUID, keys: Sequence[Key]) -> dict[Key, list[BroughtBack]]:
    """Return the refunds of these purchases, in the order they were recorded."""
    [found] = await fetch(
        program_id,
        Lookup(Refund, ("member_id", "purchase_id"), keys, _BACK, order_by="recorded_at, id"),
    )
    return {key: [BroughtBack(*row) for row in rows] for key, rows in zip(keys, found, strict=True)}


def summaries_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of what members bought so far, one key for each; see `Summary`."""
    return Lookup(MemberSummary, ("member_id",), [(one,) for one in member_ids], _SUMMARY)


async def summaries(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, Summary]:
    """Return what these members bought so far; who bought nothing is absent."""
    [found] = await fetch(program_id, summaries_of(member_ids))
    return {
        member_id: Summary(*rows[0])
        for member_id, rows in zip(member_ids, found, strict=True)
        if rows
    }


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of purchases a programme holds."""

    purchases: int
    lines: int
    refunds: int


async def counts(program_id: UUID) -> Counts:
    """Return how many purchases, lines and refunds there are."""
    return Counts(
        await Purchase.filter(program_id=program_id).count(),
        await PurchaseLine.filter(program_id=program_id).count(),
        await Refund.filter(program_id=program_id).count(),
    )


@dataclass(frozen=True, slots=True)
class Done:
    """An activity; `verdicts` say rule by rule what it earned, or why nothing, as JSON values."""

    member_id: UUID
    id: UUID
    kind: str
    name: str | None
    network: str | None
    proof: str | None
    store: str | None
    occurred_at: datetime
    recorded_at: datetime
    points: int
    entry_sequence: int | None
    verdicts: list[dict[str, Any]]


_ACTIVITY = tuple(Done.__dataclass_fields__)[1:]
ACTIVITIES = MemberRows(Activity, _ACTIVITY)


async def activities(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Done]:
    """Return the activities with these (member id, activity id) keys; unknown ones are absent."""
    [found] = await fetch(program_id, Lookup(Activity, ("member_id", "id"), keys, _ACTIVITY))
    return {key: Done(key[0], *rows[0]) for key, rows in zip(keys, found, strict=True) if rows}


async def newest_activities(
    program_id: UUID, member_ids: Sequence[UUID], *, limit: int, before: UUID | None = None
) -> dict[UUID, list[Done]]:
    """Return each member's newest activities, at most `limit`, those before an id if given."""
    found = await ACTIVITIES.newest(program_id, member_ids, limit=limit, before=before)
    return {member_id: [Done(member_id, *row) for row in rows] for member_id, rows in found.items()}


@dataclass(frozen=True, slots=True)
class Counted:
    """What is left of a purchase after its refunds, on the day it was made.

    Spend is what was paid with money, in the programme's currency. What an activity earned counts
    like a purchase for nothing.
    """

    purchased_at: datetime
    spend_minor: int
    points: int


_COUNTED = ("id", "purchased_at", "spend_minor", "points")
_UNCOUNTED = ("purchase_id", "spend_minor", "due_points")
_DONE = ("occurred_at", "points")


async def counted(
    program_id: UUID, member_ids: Sequence[UUID], *, recorded_by: datetime | None = None
) -> dict[UUID, list[Counted]]:
    """Return what is left of each of these members' purchases, and what their activities earned.

    With `recorded_by` as it was known at that instant.
    """
    keys: list[Row] = [(one,) for one in member_ids]
    if recorded_by is not None:
        keys = [(one, recorded_by + datetime.resolution) for one in member_ids]
    below = None if recorded_by is None else "recorded_at"
    bought, back, did = await fetch(
        program_id,
        Lookup(Purchase, ("member_id",), keys, _COUNTED, below=below),
        Lookup(Refund, ("member_id",), keys, _UNCOUNTED, below=below),
        Lookup(Activity, ("member_id",), keys, _DONE, where="points > 0", below=below),
    )
    found: dict[UUID, list[Counted]] = {}
    for member_id, purchased, refunded, done in zip(member_ids, bought, back, did, strict=True):
        amounts, points = Counter[UUID](), Counter[UUID]()
        for purchase_id, spend, due in refunded:
            amounts[purchase_id] += spend
            points[purchase_id] += due
        found[member_id] = [
            Counted(at, spend - amounts[key], earned - points[key])
            for key, at, spend, earned in purchased
        ] + [Counted(at, 0, earned) for at, earned in done]
    return found


async def due_before(program_id: UUID, member_id: UUID, purchase_id: UUID) -> int:
    """Return how many points the refunds of a purchase were to take back so far."""
    by, key = ("member_id", "purchase_id"), (member_id, purchase_id)
    [[rows]] = await fetch(program_id, Lookup(Refund, by, [key], ("due_points",)))
    return sum(due for (due,) in rows)
