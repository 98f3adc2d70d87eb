"""What the demo's members do with points beside rewards: some give them to the food bank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import CALLER, CANCELLED_ONE_IN, Visit
from loyalty_graph.usecases import redemptions
from loyalty_graph.usecases.posting import BATCH_MAX
from loyalty_graph.usecases.redemptions import PointsMoved

GIVES_ONE_IN = 20
GIFT_POINTS = 500


@dataclass(frozen=True, slots=True)
class Giving:
    """What members do with plain points, by fixed rules.

    One household in twenty, chosen by a hash, gives 500 points to the food bank on the evening of
    each day of shopping on which it has as many. One such gift in fifty is taken back on the next
    evening.
    """

    program_id: UUID
    chance: Chance

    async def evening(
        self,
        day: date,
        visits: Mapping[int, Visit],
        regretted: Sequence[PointsMoved],
        *,
        now: datetime,
    ) -> list[PointsMoved]:
        """Take back what was regretted, and give; return what will be regretted tomorrow."""
        for one in regretted:
            await self._take_back(one, now=now)
        giving = [
            household
            for household, visit in sorted(visits.items())
            if self.chance.falls(GIVES_ONE_IN, "gives", household)
            and visit.balance_points >= GIFT_POINTS
        ]
        given: list[PointsMoved] = []
        for start in range(0, len(giving), BATCH_MAX):
            portion = giving[start : start + BATCH_MAX]
            gifts = [
                self._gift(day, household, visits[household], now=now) for household in portion
            ]
            answers = await redemptions.redeem_points(self.program_id, gifts, now=now)
            given += [
                answer
                for household, answer in zip(portion, answers, strict=True)
                # Points of the visit may have expired or gone back since: then nothing is given.
                if isinstance(answer, PointsMoved)
                and self.chance.falls(CANCELLED_ONE_IN, "regrets", household, day)
            ]
        return given

    def _gift(
        self, day: date, household: int, visit: Visit, *, now: datetime
    ) -> redemptions.RedeemPoints:
        return redemptions.RedeemPoints(
            caller=CALLER,
            idempotency_key=f"gift-{day}-{household}",
            member=Reference(ReferenceKind.ID, str(visit.member_id)),
            points=GIFT_POINTS,
            at=now,
            text="simulated: given to the food bank",
        )

    async def _take_back(self, one: PointsMoved, *, now: datetime) -> None:
        command = redemptions.ReturnPoints(
            caller=CALLER,
            idempotency_key=f"gift-back-{one.member_id}-{one.entry_sequence}",
            member=Reference(ReferenceKind.ID, str(one.member_id)),
            redemption_id=one.redemption_id,
            at=now,
            text="simulated: the gift was taken back",
        )
        await redemptions.return_points(self.program_id, command, now=now)
