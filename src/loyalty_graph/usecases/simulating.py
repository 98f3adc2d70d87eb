"""What a purchase would earn, asked before it is made; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.purchases.rules import Line, check_lines
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.tiers import reads as tier_reads
from loyalty_graph.usecases import memberships, payments
from loyalty_graph.usecases.purchase_deciding import explanation
from loyalty_graph.usecases.purchase_terms import terms_of
from loyalty_graph.usecases.tiering import multipliers


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a purchase would earn, and until when; nothing was written."""

    version: programs.Version
    lines: tuple[Line, ...]
    calculation: Calculation
    explanation: dict[str, Any]
    expires_at: datetime


async def simulate(
    program_id: UUID,
    lines: Sequence[Line],
    *,
    purchased_at: datetime,
    now: datetime,
    member: Reference | None = None,
    pay_points: int = 0,
) -> Simulation:
    """Return what these lines would earn under the rules in force at `purchased_at`.

    With a `member` they earn what his tier and his paid membership then earn.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The lines, the time or the points to pay with cannot be a purchase's.
        PaymentTooLargeError: Points pay less of a purchase.
        UnknownProductTypeError: The programme refuses a product type.
    """
    check_offset(purchased_at, field="purchasedAt")
    terms = await terms_of(program_id, purchased_at, now)
    terms.present.check_time(purchased_at, now=now, field="purchasedAt")
    check_lines(lines)
    payments.check_points(pay_points)
    paid = payments.paid_lines(terms.version.settings, lines, pay_points)
    calculation = terms.calculator.calculate(paid)
    if member is not None:
        found = await members.find(program_id, member)
        tier = await tier_reads.tier_at(program_id, found.id, purchased_at, now=now)
        plans = await subscriptions.plans_at(program_id, [found.id], now=now, at=purchased_at)
        mine = (*multipliers(terms.scheme, tier), *memberships.multipliers(plans.get(found.id)))
        calculation = calculation.times(mine)
    why = explanation(terms.calculator, calculation)
    expires_at = terms.version.settings.expires_at(purchased_at)
    return Simulation(terms.version, paid, calculation, why, expires_at)
