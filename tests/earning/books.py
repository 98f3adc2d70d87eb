"""Rule books, baskets and members for the tests of rules."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.basket import Basket
from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.counters import Counters, MemberCounters
from loyalty_graph.earning.outcomes import Earned, Worth
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.purchases.rules import Line
from loyalty_graph.segments.facts import MemberFacts

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 11, 22, 12, tzinfo=NEW_YORK)
"""A Sunday."""
ADA = UUID(int=1)
BOB = UUID(int=2)
POINT_A_DOLLAR = {"points": 1, "per_amount_minor": 100}


def rule(code: str = "BONUS", **given: Any) -> dict[str, Any]:
    """Return a rule as a programme file says it; 50 points if nothing is said."""
    gives = {"rate", "multiplier", "points", "steps"} & given.keys()
    return {"code": code, "name": code.title(), **({} if gives else {"points": 50}), **given}


def settings(*rules: Mapping[str, Any], **given: Any) -> EarningSettings:
    """Return how a programme earns: a point a dollar, and these rules."""
    return EarningSettings.model_validate(
        {"default_rate": POINT_A_DOLLAR, "rules": list(rules), **given}
    )


def book(*rules: Mapping[str, Any], segments: Any = None, **given: Any) -> RuleBook:
    """Return the rule book of such a programme in New York."""
    return RuleBook(settings(*rules, **given), NEW_YORK, segments=segments)


@dataclass
class Shop:
    """A shop with a rule book, where Ada buys unless it is somebody else."""

    book: RuleBook
    counters: Counters = field(default_factory=Counters)
    who: UUID = ADA

    @property
    def mine(self) -> MemberCounters:
        """The counters as they stand for who buys."""
        return self.counters.of(self.who)

    def basket(self, lines: Sequence[Line], at: datetime = NOON, **given: Any) -> Basket:
        """Return a basket of lines."""
        return Basket(lines, self.book.calculator.amounts(lines), at, **given)

    def base(self, lines: Sequence[Line]) -> Calculation:
        """Return what the lines earn at their rates."""
        return self.book.calculator.calculate(lines)

    def buy(
        self,
        *lines: Line,
        at: datetime = NOON,
        by: Sequence[Multiplier] = (),
        member: MemberFacts | None = None,
        **given: Any,
    ) -> Earned:
        """Return what a purchase earns, after it was counted."""
        basket = self.basket(lines, at, member=member or MemberFacts(), **given)
        earned = self.book.decide(basket, self.mine, self.base(lines), by)
        self.mine.take(earned.outcomes)
        self.mine.take_total(earned.points, earned.total)
        return earned

    def bring_back(
        self,
        pinned: Mapping[str, Any] | None,
        before: Sequence[Line],
        after: Sequence[Line],
        at: datetime = NOON,
        **given: Any,
    ) -> Worth:
        """Return what a purchase is worth after a refund, after that was counted."""
        basket, kept = self.basket(after, at, **given), json.loads(json.dumps(pinned or {}))
        worth = self.book.worth(kept, basket, self.base(before), self.base(after))
        self.mine.give_back(worth.given_back)
        return worth


def by_rule(earned: Earned) -> dict[str, int]:
    """Return the points of each rule."""
    return {one.code: one.points for one in earned.outcomes}
