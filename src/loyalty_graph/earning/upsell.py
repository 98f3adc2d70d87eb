"""What a little more in the basket would earn: the smallest amounts that unlock a bonus."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.conditions.tree import Comparison, Operator, nodes
from loyalty_graph.earning.basket import Basket
from loyalty_graph.earning.bonuses import Bonus
from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.counters import MemberCounters
from loyalty_graph.earning.outcomes import Earned
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.earning.rules import Granularity, Rounding

UPSELLS_MAX = 3
BASKETS_MORE_MAX = 1
"""Nobody is told to buy more than the basket once again."""
TARGETS_MAX = 50
"""So many amounts are tried, the smallest ones."""

_LEAST = {Operator.AT_LEAST, Operator.IS, Operator.MORE_THAN, Operator.BETWEEN}


@dataclass(frozen=True, slots=True)
class Upsell:
    """With `add_minor` more, `extra_points` are earned beside those of what is added itself.

    `unlocks` are the codes of the rules that give more then.
    """

    add_minor: int
    extra_points: int
    unlocks: tuple[str, ...]


def upsell(
    book: RuleBook,
    basket: Basket,
    counters: MemberCounters,
    base: Calculation,
    multipliers: Sequence[Multiplier] = (),
) -> list[Upsell]:
    """Return the smallest amounts that would unlock more, each more than the one before.

    Asked are the totals that conditions name, the steps, and the next whole step of rates; of rules
    for all lines, since nobody knows what would be added. It is at most the basket's own amount
    again. Caps, budgets and groups count, so nothing is promised that would not be given.
    """
    counted = book.counting(basket)
    total = counted.total_minor
    now = book.decide(basket, counters, base, multipliers)
    found: list[Upsell] = []
    targets = {one for bonus in book.bonuses for one in _targets(bonus, total, counters)}
    within = [one for one in sorted(targets) if total < one <= total * (1 + BASKETS_MORE_MAX)]
    for target in within[:TARGETS_MAX]:
        # Only the total is larger: the lines that would be added are not known.
        larger = copy(counted)
        larger.total_minor = target
        then = book.decide(larger, counters, base, multipliers)
        extra = then.points - now.points
        if extra > (found[-1].extra_points if found else 0):
            found.append(Upsell(target - total, extra, _unlocked(now, then)))
    return found[:UPSELLS_MAX]


def _targets(bonus: Bonus, total: int, counters: MemberCounters) -> Iterator[int]:
    """Go through the totals from which on a rule may give more."""
    for one in nodes(bonus.whole) if bonus.whole is not None else ():
        if isinstance(one, Comparison) and one.term.name == "purchase.total_minor":
            yield from _least(one)
    if bonus.matching is None:
        yield from (step.from_minor for step in bonus.settings.steps)
        yield from _next_step(bonus, total, counters)


def _least(asked: Comparison) -> Iterator[int]:
    """Return the least amount for which a comparison holds, if more can make it hold."""
    least = asked.value[0] if isinstance(asked.value, tuple) else asked.value
    if isinstance(least, int) and asked.operator in _LEAST:
        yield least + (asked.operator is Operator.MORE_THAN)


def _next_step(bonus: Bonus, total: int, counters: MemberCounters) -> Iterator[int]:
    rate = bonus.settings.rate
    if rate is None or rate.granularity is not Granularity.STEP:
        return
    per = rate.per_amount_minor
    begun = total + (counters.carried(bonus.code) if rate.carry else 0)
    # A step counts from its end, its half or its beginning on.
    counts_from = {Rounding.FLOOR: 0, Rounding.NEAREST: -(-per // 2), Rounding.CEIL: 1}
    yield total + per - (begun - counts_from[rate.rounding]) % per


def _unlocked(now: Earned, then: Earned) -> tuple[str, ...]:
    before = {one.code: one.points for one in now.outcomes}
    return tuple(one.code for one in then.outcomes if one.points > before.get(one.code, 0))
