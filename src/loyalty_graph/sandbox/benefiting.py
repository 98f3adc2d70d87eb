"""What the demo's members do with benefits: sent free, read, filled again, and what that saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from loyalty_graph.benefits.rules import BenefitKind
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import CALLER, Visit
from loyalty_graph.usecases import entitlements

USES_ONE_IN = 10
SAVED_MINOR: Mapping[BenefitKind, int] = {
    BenefitKind.FREE_SHIPPING: 495,
    BenefitKind.EXPRESS_DELIVERY: 895,
    BenefitKind.CONTENT: 399,
    BenefitKind.FREE_REFILL: 250,
}
"""What a use saves; a price for members saves a tenth of the basket, anything else nothing."""
PRICE_SAVES_ONE_IN = 10


@dataclass(frozen=True, slots=True)
class Benefiting:
    """What members do with their benefits, by fixed rules.

    On the evening of one in ten of its days of shopping a household uses one of the benefits that
    it has and that are not used up; a hash names it.
    """

    program_id: UUID
    chance: Chance

    async def evening(self, day: date, visits: Mapping[int, Visit], *, now: datetime) -> None:
        """Use what falls on the evening of a day."""
        using = {
            household: visit
            for household, visit in sorted(visits.items())
            if self.chance.falls(USES_ONE_IN, "benefits", household, day)
        }
        ids = [visit.member_id for visit in using.values()]
        mine = await entitlements.entitlements(self.program_id, ids, now=now)
        for household, visit in using.items():
            left = [one.benefit for one in mine[visit.member_id] if one.left != 0]
            if not left:
                continue
            benefit = left[self.chance.number("benefit", household, day) % len(left)]
            command = entitlements.UseEntitlement(
                caller=CALLER,
                idempotency_key=f"benefit-{day}-{household}",
                member=Reference(ReferenceKind.ID, str(visit.member_id)),
                benefit=benefit.code,
                saved_minor=_saved_minor(benefit.kind, visit),
            )
            await entitlements.use_entitlement(self.program_id, command, now=now)


def _saved_minor(kind: BenefitKind, visit: Visit) -> int:
    if kind is BenefitKind.MEMBER_PRICE:
        return sum(line.cents for line in visit.basket.lines) // PRICE_SAVES_ONE_IN
    return SAVED_MINOR.get(kind, 0)
