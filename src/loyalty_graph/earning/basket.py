"""A purchase as conditions and rules see it: its lines, their amounts, when, where and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loyalty_graph.purchases.rules import Channel, Line
from loyalty_graph.segments.facts import NOBODY, MemberFacts


@dataclass(slots=True)
class Basket:
    """What a purchase is decided by.

    `amounts` stand beside the lines: what was paid with money for what is left of each, in minor
    units of the programme's currency. `at` is the moment of the purchase in the programme's zone.
    `offers` are the codes of offers that the member activated and has uses left of.
    """

    lines: Sequence[Line]
    amounts: Sequence[int]
    at: datetime
    channel: str = Channel.POS
    source: str = ""
    store: str | None = None
    store_labels: frozenset[str] = frozenset()
    payment: str | None = None
    currency: str = ""
    member: MemberFacts = NOBODY
    offers: frozenset[str] = field(default_factory=frozenset)

    @property
    def total_minor(self) -> int:
        """Return what was paid with money for all that is left, in minor units."""
        return sum(self.amounts)
