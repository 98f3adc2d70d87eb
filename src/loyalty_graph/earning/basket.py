"""A purchase, or an activity, as conditions and rules see it: what, when, where and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loyalty_graph.purchases.rules import ActivityKind, Channel, Line
from loyalty_graph.segments.facts import MemberFacts


@dataclass(slots=True)
class Basket:
    """What a purchase is decided by.

    `amounts` stand beside the lines: what was paid with money for what is left of each, in minor
    units of the programme's currency. `at` is the moment of the purchase in the programme's zone.
    `offers` are the codes of offers that the member activated and has uses left of. `total_minor`
    is the sum of the amounts, and `rows` are the lines with them.
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
    member: MemberFacts = field(default_factory=MemberFacts)
    offers: frozenset[str] = frozenset()
    total_minor: int = field(init=False)
    rows: Sequence[tuple[Line, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.total_minor = sum(self.amounts)
        self.rows = list(zip(self.lines, self.amounts, strict=True))


@dataclass(slots=True)
class Occasion:
    """What an activity is decided by; `at` is in the programme's zone.

    `hindered` are the codes of rules under which it cannot count whatever they say, such as
    those in a cooldown.
    """

    kind: ActivityKind
    at: datetime
    name: str | None = None
    network: str | None = None
    proof: str | None = None
    store: str | None = None
    store_labels: frozenset[str] = frozenset()
    member: MemberFacts = field(default_factory=MemberFacts)
    hindered: frozenset[str] = frozenset()
