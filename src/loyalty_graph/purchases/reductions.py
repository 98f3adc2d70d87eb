"""Refunds by amount: what is left of a purchase costs less than it did, and counts for less."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.money import Money
from loyalty_graph.purchases.errors import RefundAmountTooLargeError
from loyalty_graph.purchases.rules import Line


def spread(lines: Sequence[Line], amount: Money) -> dict[int, int]:
    """Return each line's share (line number from 1 -> minor units) of an amount that is refunded.

    Lines share it in proportion to what is left of their amounts, by the largest remainder: whole
    minor units, which add up exactly. Of equal remainders the earlier line's comes first.

    Raises:
        InvalidInputError: The amount is not above zero.
        RefundAmountTooLargeError: Less is left.
    """
    amount_minor = amount.minor
    if amount_minor <= 0:
        raise InvalidInputError("A refund by amount is above zero.", field="amount")
    left = [line.net_minor for line in lines]
    total = sum(left)
    if amount_minor > total:
        raise RefundAmountTooLargeError(asked=amount, left=Money(total, amount.currency))
    shares = [amount_minor * net // total for net in left]
    remainders = [amount_minor * net % total for net in left]
    largest = sorted(range(len(lines)), key=lambda place: -remainders[place])
    for place in largest[: amount_minor - sum(shares)]:
        shares[place] += 1
    return {number: share for number, share in enumerate(shares, 1) if share}


def reduce(lines: Sequence[Line], shares: Mapping[int, int]) -> list[Line]:
    """Return the lines after what is left of them became cheaper by these shares.

    A share is at most what is left of its line.
    """
    after = list(lines)
    for number, share in shares.items():
        after[number - 1] = _cheaper(lines[number - 1], share)
    return after


def _cheaper(line: Line, share_minor: int) -> Line:
    """Return the line as if all its units had cost less: the least that lowers it by the share."""
    less = line.left * line.unit_minor - line.net_minor + share_minor
    off_the_whole = -(-less * line.quantity // line.left)
    return replace(line, reduced_minor=off_the_whole - line.discount_minor)
