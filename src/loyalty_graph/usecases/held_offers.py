"""Activated offers in a batch of purchases: read with it, used while it is decided."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Row
from loyalty_graph.earning import offers
from loyalty_graph.earning.offers import Activation
from loyalty_graph.usecases import posting


class HeldOffers:
    """What a batch's members activated; where no offer is in force it does nothing."""

    def __init__(self, codes: AbstractSet[str]) -> None:
        """Hold nothing yet; `codes` are those of the offers that purchases may use."""
        self._codes = codes
        self._held: dict[UUID, dict[str, Activation]] = {}
        self._changed: dict[tuple[UUID, str], Activation] = {}

    @property
    def lookups(self) -> list[posting.ByMember]:
        """Return what is to be looked up for each member of the batch."""
        return [offers.activations_of] if self._codes else []

    def take(self, of_members: Mapping[posting.ByMember, Mapping[UUID, Sequence[Row]]]) -> None:
        """Take what was looked up."""
        if not self._codes:
            return
        for member_id, rows in of_members[offers.activations_of].items():
            self._held[member_id] = {row[0]: offers.activation_of(row) for row in rows}

    def usable(self, member_id: UUID, at: datetime) -> frozenset[str]:
        """Return the offers that a purchase made at an instant may use."""
        return frozenset(
            code
            for code, one in self._held.get(member_id, {}).items()
            if one.uses_left and one.activated_at <= at
        )

    def use(self, batch: posting.Batch, member_id: UUID, gave: Collection[str]) -> None:
        """Count a use of each offer among the rules that `gave` points for a purchase."""
        for code in sorted(self._codes & set(gave)):
            one = self._move(member_id, code, times=1)
            batch.record("offer.used", member_id, offer=code, usesLeft=one.uses_left)

    def give_back(self, batch: posting.Batch, member_id: UUID, taken: Collection[str]) -> None:
        """Give a use back of each offer among the rules of whose points nothing stands any more."""
        for code in sorted(self._codes & set(taken)):
            one = self._move(member_id, code, times=-1)
            batch.record("offer.returned", member_id, offer=code, usesLeft=one.uses_left)

    def _move(self, member_id: UUID, code: str, *, times: int) -> Activation:
        one = self._held[member_id][code].use(times)
        self._held[member_id][code] = self._changed[member_id, code] = one
        return one

    def add_to(self, batch: posting.Batch) -> None:
        """Store the uses together with the batch."""
        if self._changed:
            batch.writes.append(offers.use_writes(self._changed))
