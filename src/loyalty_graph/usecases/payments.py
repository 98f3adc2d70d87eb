"""Paying a part of a purchase with points, and giving these points back when goods come back.

Points pay like a discount that is spread over the lines by their amounts: what they paid for earns
nothing, or points would earn points. What comes back, comes back in the same proportion: of each
unit the money and the points that were paid for it. Points first, or money first, were set aside:
the first keeps the member's money longer than the goods, the second turns points into money.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.ledger import returning
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases.rules import Line, pay_with_points
from loyalty_graph.rewards.errors import PaymentTooLargeError
from loyalty_graph.usecases import posting

FIELD = "payWithPoints"
POINTS_MAX = 10**12


class PaidBack(NamedTuple):
    """What came back had been paid for, so much of it, with these points."""

    amount_minor: int
    points: int


def check_points(points: int) -> None:
    """Refuse a number of points that cannot pay.

    Raises:
        InvalidInputError: It is below zero or beyond everything.
    """
    if not 0 <= points <= POINTS_MAX:
        raise InvalidInputError(f"Pay with 0 to {POINTS_MAX} points.", field=FIELD)


def paid_lines(settings: ProgramSettings, lines: Sequence[Line], points: int) -> tuple[Line, ...]:
    """Return the lines with what points pay of each: the fewest that are worth as much as these.

    Raises:
        InvalidInputError: Points do not pay here, not in this currency, or these are worth nothing.
        PaymentTooLargeError: They pay less of a purchase than that.
    """
    if not points:
        return tuple(lines)
    if (exchange := lines[0].exchange) is not None:
        raise InvalidInputError(
            f"Points pay for purchases in {settings.currency}, not in {exchange.currency}.",
            field=FIELD,
        )
    payment = settings.points.payment
    if payment is None:
        raise InvalidInputError("Points do not pay for purchases here.", field=FIELD)
    amount = payment.floor_minor(points)
    if not amount:
        raise InvalidInputError("So few points are worth nothing.", field=FIELD)
    total = sum(line.net_minor for line in lines)
    amount_max = total * payment.basket_percent_max // 100
    if amount > amount_max:
        raise PaymentTooLargeError(points_max=payment.points_max(amount_max))
    return pay_with_points(lines, payment.ceil_points(amount), amount)


def pay(  # noqa: PLR0913 - an entry's own particulars
    account: ledger.Account,
    purchase_id: UUID,
    lines: Sequence[Line],
    *,
    at: datetime,
    now: datetime,
    actor: str,
    rule_version: int,
) -> None:
    """Take the points that pay for these lines, if any.

    Raises:
        InsufficientPointsError: Fewer can be spent.
    """
    points = sum(line.paid_points for line in lines)
    if not points:
        return
    paid_minor = sum(line.paid_minor for line in lines)
    cause = ledger.Cause(
        reference=_reference(purchase_id),
        at=at,
        recorded_at=now,
        actor=actor,
        explanation={"purchase": str(purchase_id), "paid": paid_minor},
        rule_version=rule_version,
        salt=posting.salt(),
    )
    ledger.redeem(account, points, cause)


async def give_back(
    program_id: UUID,
    account: ledger.Account,
    purchase_id: UUID,
    before: Sequence[Line],
    after: Sequence[Line],
    cause: ledger.Cause,
) -> PaidBack:
    """Give back the points that paid for what came back.

    They return to the lots that live longest among those they came from. Parts of any size and
    order give back exactly what was paid once everything came back.
    """
    points = _points(before) - _points(after)
    amount = _paid(before) - _paid(after)
    if points:
        taken = await ledger_service.taken_by(program_id, account, _reference(purchase_id))
        returned = sum(line.paid_points for line in before) - _points(before)
        part = returning.part_of(taken.uses, points, returned=returned)
        history = await ledger_service.forgiveness(program_id, [account.member_id])
        forgiven = returning.forgiven_after(history[account.member_id], taken.sequence)
        explanation = {"purchase": str(purchase_id), "paid": amount}
        because = replace(cause, explanation=explanation, salt=posting.salt())
        returning.unredeem(account, part, because, forgiven=forgiven)
    return PaidBack(amount, points)


def _reference(purchase_id: UUID) -> str:
    return f"purchase:{purchase_id}"


def _points(lines: Sequence[Line]) -> int:
    return sum(line.paid_left_points for line in lines)


def _paid(lines: Sequence[Line]) -> int:
    return sum(line.net_minor - line.money_minor for line in lines)
