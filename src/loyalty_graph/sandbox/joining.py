"""What the demo's households bring and join: balances of a paper card, and second cards."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.ledger.errors import MergeBlockedError, NotMergedError
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.programs import service as programs
from loyalty_graph.rewards import service as catalogues
from loyalty_graph.sandbox.baskets import Basket
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import CALLER
from loyalty_graph.usecases import balances, merging
from loyalty_graph.usecases.balance_checks import BalanceCheck
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.members import Enrolment

BRINGS_ONE_IN = 20
BROUGHT_POINTS_MIN = 2
BROUGHT_ENDS_AFTER = timedelta(days=60)
PAPER_CARD = "paper-card"
TWO_CARDS_ONE_IN = 20
TWO_CARDS_WITHIN = timedelta(days=120)
JOINED_AFTER = timedelta(days=45)
PARTED_AFTER = JOINED_AFTER + timedelta(days=7)
PARTED_ONE_IN = 4


class Pair(NamedTuple):
    """A household's two cards, and the day on which it took them."""

    household: int
    first_id: UUID
    second_id: UUID
    taken_on: date


@dataclass(frozen=True, slots=True)
class Joining:
    """What households bring and join, by fixed rules.

    One household in twenty brings what its paper card was worth, on the day it joins: as many
    points as the cheapest reward costs, where there are rewards. Half of them end in sixty days,
    the others as if they were earned now. One in twenty of those that join in the first 120 days
    takes two cards, and shows either. After 45 days the two become one, unless the second has
    something open that cannot change hands; either is shown as before. One pair in four is parted
    again a week later.
    """

    program_id: UUID
    chance: Chance
    first_day: date

    def enrolments(self, day: date, household: int) -> list[Enrolment]:
        """Return the cards that a household takes on the day it joins: one, or two."""
        takes_two = day - self.first_day <= TWO_CARDS_WITHIN and self.chance.falls(
            TWO_CARDS_ONE_IN, "two cards", household
        )
        names = [_first(household), *([_second(household)] if takes_two else [])]
        return [
            Enrolment(
                Profile(external_id=name, first_name="Household", last_name=str(household + 1)),
                source="demo",
            )
            for name in names
        ]

    async def bring(self, day: date, joined: Iterable[int], *, now: datetime) -> None:
        """Bring in the balances of those who joined on a day."""
        rows = [
            household
            for household in sorted(joined)
            if self.chance.falls(BRINGS_ONE_IN, "paper card", household)
        ]
        if not rows or (points := await self._worth(now=now)) < BROUGHT_POINTS_MIN:
            return
        lots = [
            {"points": points // 2, "expires_at": (day + BROUGHT_ENDS_AFTER).isoformat()},
            {"points": points - points // 2},
        ]
        text = "\n".join(
            json.dumps(
                {
                    "key": _first(household),
                    "external_id": _first(household),
                    "lots": lots,
                    "text": "simulated: from the paper card",
                }
            )
            for household in rows
        )
        file = balances.file_of(text, source=PAPER_CARD, form=BalanceFormat.JSONL)
        done = await balances.import_file(self.program_id, file, caller=CALLER, now=now)
        assert not isinstance(done, BalanceCheck), "the rows were made for this programme"

    async def _worth(self, *, now: datetime) -> int:
        version = await programs.in_force(self.program_id, now, now=now)
        catalogue = await catalogues.catalogue(self.program_id, version.number)
        return min((one.cost_points for one in catalogue.values()), default=0)

    def card(self, basket: Basket, member_id: UUID, pair: Pair | None) -> Reference:
        """Return what a household shows at the till; of two cards a hash names it."""
        if pair is not None and self.chance.falls(2, "second card", basket.row):
            return Reference(ReferenceKind.EXTERNAL_ID, _second(basket.household))
        return Reference(ReferenceKind.ID, str(member_id))

    async def evening(self, day: date, pairs: Iterable[Pair], *, now: datetime) -> None:
        """Join the pairs whose time has come, and part those that were joined by mistake."""
        for pair in pairs:
            if day - pair.taken_on == JOINED_AFTER:
                await self._join(pair, now=now)
            if day - pair.taken_on == PARTED_AFTER and self.chance.falls(
                PARTED_ONE_IN, "parted", pair.household
            ):
                await self._part(pair, now=now)

    async def _join(self, pair: Pair, *, now: datetime) -> None:
        command = merging.MergeMembers(
            caller=CALLER,
            idempotency_key=f"join-{pair.household}",
            merged=_reference(pair.second_id),
            into=_reference(pair.first_id),
            reason="simulated: two cards of one household",
        )
        try:
            await merging.merge(self.program_id, command, now=now)
        except MergeBlockedError:
            # A code, a voucher, points set aside or a subscription: they keep both cards.
            return

    async def _part(self, pair: Pair, *, now: datetime) -> None:
        command = merging.UnmergeMembers(
            caller=CALLER,
            idempotency_key=f"part-{pair.household}",
            merged_id=pair.second_id,
            reason="simulated: joined by mistake",
        )
        try:
            await merging.unmerge(self.program_id, command, now=now)
        except NotMergedError:
            # They could not be joined.
            return


def _first(household: int) -> str:
    return f"household-{household + 1}"


def _second(household: int) -> str:
    return f"{_first(household)}-second"


def _reference(member_id: UUID) -> Reference:
    return Reference(ReferenceKind.ID, str(member_id))
