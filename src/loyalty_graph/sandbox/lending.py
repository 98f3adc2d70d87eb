"""What the demo's members do with points they do not spend: set aside for a while, given on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from loyalty_graph.errors import InsufficientPointsError
from loyalty_graph.ledger.errors import TransferLimitError
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import CALLER, Visit
from loyalty_graph.usecases import points_holds, transfers
from loyalty_graph.usecases.points_holds import HoldMoved, HoldStep

SETS_ASIDE_ONE_IN = 30
SET_ASIDE_POINTS = 200
SET_ASIDE_MINUTES = 3 * 24 * 60
SPENDS_ONE_IN = 2
SPENT_POINTS = 120
PASSES_ON_ONE_IN = 60
PASSED_ON_POINTS = 100


@dataclass(frozen=True, slots=True)
class Lending:
    """What members do with points that they keep from being spent or let others spend.

    On the evening of one in thirty of its days of shopping a household that has 200 points sets
    them aside for three days, for an order by telephone. Half of these orders are paid with 120 of
    them on the next evening, and the rest comes back; the others are forgotten, and the holds run
    out. Where members may give each other points, a household gives 100 of them to another one that
    shopped on the day, on one in sixty such evenings.
    """

    program_id: UUID
    chance: Chance

    async def evening(
        self,
        day: date,
        visits: Mapping[int, Visit],
        ordered: Sequence[HoldMoved],
        *,
        now: datetime,
    ) -> list[HoldMoved]:
        """Pay what was ordered, give points on and set some aside; return tomorrow's orders."""
        for one in ordered:
            await self._pay(one, now=now)
        await self._pass_on(day, visits, now=now)
        orders: list[HoldMoved] = []
        for household, visit in sorted(visits.items()):
            if (
                visit.balance_points >= SET_ASIDE_POINTS
                and self.chance.falls(SETS_ASIDE_ONE_IN, "sets aside", household, day)
                and (held := await self._set_aside(day, household, visit, now=now)) is not None
                and self.chance.falls(SPENDS_ONE_IN, "spends", household, day)
            ):
                orders.append(held)
        return orders

    async def _pay(self, one: HoldMoved, *, now: datetime) -> None:
        command = points_holds.EndHold(
            caller=CALLER,
            idempotency_key=f"order-{one.hold_id}",
            step=HoldStep.CAPTURE,
            member_id=one.member_id,
            hold_id=one.hold_id,
            points=SPENT_POINTS,
            reason="simulated: the order was fetched",
        )
        await points_holds.end(self.program_id, command, now=now)

    async def _set_aside(
        self, day: date, household: int, visit: Visit, *, now: datetime
    ) -> HoldMoved | None:
        """Set points aside; return None when they were spent since the visit."""
        command = points_holds.HoldPoints(
            caller=CALLER,
            idempotency_key=f"hold-{day}-{household}",
            member=_reference(visit),
            points=SET_ASIDE_POINTS,
            minutes=SET_ASIDE_MINUTES,
            reason="simulated: ordered by telephone",
        )
        try:
            return await points_holds.hold(self.program_id, command, now=now)
        except InsufficientPointsError:
            return None

    async def _pass_on(self, day: date, visits: Mapping[int, Visit], *, now: datetime) -> None:
        """Let households give points to others, where the programme allows it."""
        version = await programs.in_force(self.program_id, now, now=now)
        terms = version.settings.points.transfers
        if terms is None:
            return
        asked = PASSED_ON_POINTS + terms.fee(PASSED_ON_POINTS)
        households = sorted(visits)
        for household in households:
            visit = visits[household]
            if (
                len(households) > 1
                and visit.balance_points >= asked
                and self.chance.falls(PASSES_ON_ONE_IN, "passes on", household, day)
            ):
                others = [one for one in households if one != household]
                other = others[self.chance.number("friend", household, day) % len(others)]
                await self._give(day, household, visit, visits[other], now=now)

    async def _give(
        self, day: date, household: int, visit: Visit, other: Visit, *, now: datetime
    ) -> None:
        """Give points on, unless they were spent since the visit or it is more than allowed."""
        command = transfers.TransferPoints(
            caller=CALLER,
            idempotency_key=f"pass-on-{day}-{household}",
            member=_reference(visit),
            recipient=_reference(other),
            points=PASSED_ON_POINTS,
            reason="simulated: for a neighbour",
        )
        try:
            await transfers.transfer(self.program_id, command, now=now)
        except (InsufficientPointsError, TransferLimitError):
            return


def _reference(visit: Visit) -> Reference:
    return Reference(ReferenceKind.ID, str(visit.member_id))
