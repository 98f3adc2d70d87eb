"""What a purchase is recorded by: the receipt a till gives, and the answer it gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from loyalty_graph import traces
from loyalty_graph.earning.outcomes import Cut, Total
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identity.rules import Issuer
from loyalty_graph.members.rules import Reference
from loyalty_graph.purchases.rules import Channel, Line


@dataclass(frozen=True)
class RecordPurchase:
    """A receipt to be recorded for a member; `source` and `external_id` name it.

    Amounts are in `currency`, the programme's if it is None.
    At most `pay_points` of the member's points pay a part of it, worth as much as these are.
    When its caller gave no time, `is_dated` is False and `purchased_at` is the request's moment,
    which another try cannot repeat. `claimed` is the receipt that the member claims with it.
    `issuer` is whose daily cap it keeps to, if there is one. `trace` is that of the caller.
    """

    caller: str
    idempotency_key: str
    member: Reference
    source: str
    external_id: str
    purchased_at: datetime
    lines: tuple[Line, ...]
    store: str | None = None
    channel: Channel = Channel.POS
    is_dated: bool = True
    pay_points: int = 0
    payment: str | None = None
    currency: str | None = None
    claimed: UUID | None = None
    issuer: Issuer | None = None
    trace: str | None = field(default_factory=traces.present, compare=False)

    @cached_property
    def claim(self) -> Claim:
        """The wish to count once."""
        dated = self.purchased_at if self.is_dated else None
        given = {
            "recordPurchase": [self.member.kind, self.member.value],
            "receipt": [self.source, self.external_id, dated, self.store],
            "channel": self.channel,
            "lines": [_given(line) for line in self.lines],
            "payWithPoints": self.pay_points,
            "payment": self.payment,
            "currency": self.currency,
        }
        if self.claimed is not None:
            given["claimed"] = self.claimed
        return claim(self.caller, self.idempotency_key, given)


def _given(line: Line) -> list[Any]:
    return [
        line.product_type,
        line.quantity,
        line.unit_minor,
        line.discount_minor,
        line.tax_minor,
        line.sku,
        line.labels,
    ]


@dataclass(frozen=True, slots=True)
class RulePoints:
    """What a rule or offer gave for a purchase: `points` of those it `wanted`, less the `cuts`.

    They wait until `activates_at` if that is given.
    """

    code: str
    name: str
    points: int
    wanted: int
    cuts: tuple[Cut, ...] = ()
    activates_at: datetime | None = None

    def to_json(self) -> list[Any]:
        """Return it as JSON values."""
        until = None if self.activates_at is None else self.activates_at.isoformat()
        cuts = [list(cut) for cut in self.cuts]
        return [self.code, self.name, self.points, self.wanted, cuts, until]

    @classmethod
    def from_json(cls, kept: Sequence[Any]) -> "RulePoints":
        """Return what was kept."""
        code, name, points, wanted, cuts, until = kept
        activates_at = None if until is None else datetime.fromisoformat(until)
        return cls(code, name, points, wanted, tuple(Cut(*cut) for cut in cuts), activates_at)


class Capped(NamedTuple):
    """What caps on all points of purchases took of those that one `wanted`."""

    wanted: int
    cuts: tuple[Cut, ...]

    @classmethod
    def of(cls, total: Total | None) -> "Capped | None":
        """Return what they took, None when that is nothing."""
        return cls(total.wanted, total.cuts) if total is not None and total.cuts else None

    def to_json(self) -> list[Any]:
        """Return it as JSON values."""
        return [self.wanted, [list(cut) for cut in self.cuts]]

    @classmethod
    def from_json(cls, kept: Sequence[Any]) -> "Capped":
        """Return what was kept."""
        wanted, cuts = kept
        return cls(wanted, tuple(Cut(*cut) for cut in cuts))


@dataclass(frozen=True, slots=True)
class PurchaseRecorded:
    """The answer: points that were earned, and the entry and balance they led to.

    `entry_sequence` is None when it earned nothing. `paid_points` paid `paid_minor` of it. `rules`
    say what of the points bonus rules gave; some may wait before they are part of the balance.
    """

    member_id: UUID
    purchase_id: UUID
    points: int
    balance_points: int
    entry_sequence: int | None
    paid_points: int = 0
    paid_minor: int = 0
    rules: tuple[RulePoints, ...] = ()
    capped: Capped | None = None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        rules = {"rules": [one.to_json() for one in self.rules]} if self.rules else {}
        return {
            "member": str(self.member_id),
            "purchase": str(self.purchase_id),
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
            "paid": [self.paid_points, self.paid_minor],
            **rules,
            **({"capped": self.capped.to_json()} if self.capped else {}),
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "PurchaseRecorded":
        """Return the first answer to a retry."""
        paid_points, paid_minor = kept["paid"]
        return cls(
            UUID(kept["member"]),
            UUID(kept["purchase"]),
            kept["points"],
            kept["balance"],
            kept["entry"],
            paid_points,
            paid_minor,
            tuple(map(RulePoints.from_json, kept.get("rules", ()))),
            Capped.from_json(kept["capped"]) if "capped" in kept else None,
            replayed=True,
        )
