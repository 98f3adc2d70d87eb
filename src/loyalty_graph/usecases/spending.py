"""How much members have spent in all: so little that the sums stay whole numbers of 64 bits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from loyalty_graph.money import Money
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.purchases.errors import SpendLimitError
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.exchanging import Priced
from loyalty_graph.usecases.purchase_command import RecordPurchase

SPEND_MINOR_MAX = 10**17
LARGE_MINOR = 10**12
"""Of smaller purchases one member would have to make nine million to leave 64 bits."""


@dataclass(slots=True)
class Spending:
    """What the members of a batch have spent; it is read where a purchase may be large."""

    is_read: bool
    _spent: Counter[UUID] = field(default_factory=Counter)

    @classmethod
    def of(cls, commands: Sequence[RecordPurchase], prices: Sequence[Priced]) -> "Spending":
        """Return what these purchases need: those in other currencies may turn out large."""
        is_large = any(_net(one.lines) > LARGE_MINOR for one in commands)
        return cls(is_large or any(one.foreign is not None for one in prices))

    @property
    def by_member(self) -> list[posting.ByMember]:
        """Return what is to be looked up for each member of the batch."""
        return [purchases.summaries_of] if self.is_read else []

    def take(self, batch: posting.Batch) -> None:
        """Take what was looked up."""
        if self.is_read:
            found = batch.of_members[purchases.summaries_of]
            self._spent.update({one: rows[0][1] for one, rows in found.items() if rows})

    def check(self, member_id: UUID, lines: Sequence[Line], *, currency: str) -> None:
        """Refuse a large purchase that its member's sum has no room for.

        Both are in the programme's `currency`.

        Raises:
            SpendLimitError: There would be too much.
        """
        spend, before = _spend(lines), self._spent[member_id]
        if spend > LARGE_MINOR and before + spend > SPEND_MINOR_MAX:
            most, spent, more = (Money(one, currency) for one in (SPEND_MINOR_MAX, before, spend))
            raise SpendLimitError(most=most, spent=spent, more=more)

    def count(self, member_id: UUID, spend_minor: int) -> None:
        """Count a purchase of the batch."""
        self._spent[member_id] += spend_minor


def _net(lines: Sequence[Line]) -> int:
    return sum(line.net_minor for line in lines)


def _spend(lines: Sequence[Line]) -> int:
    return sum(line.earning_minor for line in lines)
