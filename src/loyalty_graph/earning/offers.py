"""Offers: who may have one, who activated one, and how often it may still be used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from loyalty_graph.conditions.python import compile_python
from loyalty_graph.conditions.reading import read
from loyalty_graph.db.sets import Insert, Lookup, Row, Update, fetch
from loyalty_graph.earning.bonuses import Bonus
from loyalty_graph.earning.models import OfferActivation
from loyalty_graph.earning.rule_settings import Offer
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.vocabulary import MEMBERS


class OfferState(StrEnum):
    """Where an offer stands for a member."""

    AVAILABLE = "AVAILABLE"
    ACTIVATED = "ACTIVATED"
    USED_UP = "USED_UP"


@dataclass(frozen=True, slots=True)
class Activation:
    """An offer that a member activated."""

    offer: str
    activated_at: datetime
    used: int
    uses_left: int

    @property
    def state(self) -> OfferState:
        """Return where the offer stands for its member."""
        return OfferState.ACTIVATED if self.uses_left else OfferState.USED_UP

    def use(self, times: int) -> "Activation":
        """Return it after it was used so often; below zero gives uses back."""
        return replace(self, used=self.used + times, uses_left=self.uses_left - times)


class OnOffer:
    """An offer of a version, compiled: whether it is open, and for whom."""

    def __init__(self, bonus: Bonus) -> None:
        assert isinstance(bonus.settings, Offer), "rules need no activation"
        self.settings = bonus.settings
        self._is_target = bonus.is_target
        audience = bonus.settings.audience
        self._is_heard = None
        if audience is not None:
            self._is_heard = compile_python(read(audience, MEMBERS), MEMBERS)

    def is_open(self, now: datetime) -> bool:
        """Return whether it may be activated now; when in a day it gives points is for later."""
        opens, closes = self.settings.opens_at, self.settings.closes_at
        return (opens is None or opens <= now) and (closes is None or now < closes)

    def is_for(self, member: MemberFacts) -> bool:
        """Return whether the member may see and activate it."""
        if self._is_heard is not None and not self._is_heard(member):
            return False
        return self._is_target(member, None)


_COLUMNS = ("offer", "activated_at", "used", "uses_left")


def activations_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of what members activated, one key for each; see `activation_of`."""
    keys = [(one,) for one in member_ids]
    return Lookup(OfferActivation, ("member_id",), keys, _COLUMNS)


def activation_of(row: Row) -> Activation:
    """Return what the look-up found."""
    return Activation(*row)


async def activations(
    program_id: UUID, member_ids: Sequence[UUID]
) -> dict[UUID, dict[str, Activation]]:
    """Return what each of these members activated, by the offers' codes."""
    [found] = await fetch(program_id, activations_of(member_ids))
    return {
        member_id: {row[0]: activation_of(row) for row in rows}
        for member_id, rows in zip(member_ids, found, strict=True)
    }


def activate(member_id: UUID, activation: Activation) -> Insert:
    """Return the write that keeps that a member activated an offer."""
    return Insert(OfferActivation, ("member_id", *_COLUMNS), [_row(member_id, activation)])


def use_writes(changed: Mapping[tuple[UUID, str], Activation]) -> Update:
    """Return the write that keeps how often members used offers; their accounts are locked."""
    rows: Iterable[Row] = (
        (member_id, offer, one.used, one.uses_left)
        for (member_id, offer), one in sorted(changed.items())
    )
    return Update(OfferActivation, ("member_id", "offer"), ("used", "uses_left"), list(rows))


def _row(member_id: UUID, one: Activation) -> Row:
    return (member_id, one.offer, one.activated_at, one.used, one.uses_left)


async def activated_counts(program_id: UUID, codes: Sequence[str]) -> dict[str, int]:
    """Return how many members activated each of these offers and can still use it."""
    usable = OfferActivation.filter(program_id=program_id, uses_left__gt=0)
    return {code: await usable.filter(offer=code).count() for code in codes}
