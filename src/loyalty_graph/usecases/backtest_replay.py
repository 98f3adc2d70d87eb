"""A member's past under a proposed version: decided as it was recorded, in memory alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.basket import Basket
from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.counters import MemberCounters
from loyalty_graph.earning.outcomes import Earned
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.errors import UnknownProductTypeError
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.programs.rules import ClawbackPolicy, ProgramSettings
from loyalty_graph.purchases.history import PastPurchase, PastRefund
from loyalty_graph.purchases.rules import Line, bring_back
from loyalty_graph.segments.facts import NOBODY, MemberFacts
from loyalty_graph.tiers.standing import Change, Scheme, Standing, advance, begin, count, tier_at
from loyalty_graph.usecases.backtest_report import LINES, MULTIPLIERS


@dataclass(frozen=True, slots=True)
class Terms:
    """What the past is decided by: the rules, tiers and plans of the proposed version."""

    settings: ProgramSettings
    book: RuleBook
    scheme: Scheme | None
    plans: Mapping[str, Sequence[Multiplier]]
    store_labels: Mapping[str, frozenset[str]]

    @property
    def zone(self) -> ZoneInfo:
        """Return the programme's time zone."""
        return self.settings.zone


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a member beside purchases; `plans` are (from, until, plan code)."""

    id: UUID
    number: str
    locale: str
    enrolled_at: datetime
    birthday: date | None
    has_email: bool
    has_phone: bool
    plans: Sequence[tuple[datetime, datetime, str]]


@dataclass(slots=True)
class _Lot:
    origin: UUID
    points: int
    expires_at: datetime


@dataclass(slots=True)
class _Bought:
    """A purchase while parts of it come back."""

    purchase: PastPurchase
    lines: Sequence[Line]
    calculation: Calculation
    pinned: Mapping[str, Any]


@dataclass(slots=True)
class Player:
    """A member on the way through the past.

    `points` were earned; `debt` are points that came back and were gone.
    """

    person: Person
    terms: Terms
    counters: MemberCounters
    standing: Standing | None = None
    changes: tuple[Change, ...] = ()
    purchase_count: int = 0
    spend_minor: int = 0
    last_purchase_at: datetime | None = None
    points: int = 0
    debt: int = 0
    lots: list[_Lot] = field(default_factory=list)
    bought: dict[UUID, _Bought] = field(default_factory=dict)

    def buy(self, purchase: PastPurchase) -> Earned | None:
        """Decide a purchase; None when the version does not take it."""
        now, at = purchase.recorded_at, purchase.purchased_at
        self._advance(now)
        book = self.terms.book
        amounts = book.calculator.amounts(purchase.lines)
        try:
            base = book.calculator.calculate(purchase.lines)
        except UnknownProductTypeError:
            return None
        tier, plan = self._tier_at(at), self._plan_at(at)
        basket = self._basket(purchase, amounts, self._facts(at, now, tier, plan))
        earned = book.decide(basket, self.counters, base, self._multipliers(tier, plan))
        self.counters.take(earned.outcomes)
        pinned = earned.pinned() or {}
        self.bought[purchase.id] = _Bought(purchase, purchase.lines, base, pinned)
        self._credit(purchase, earned.points)
        spend = _spend(purchase.lines)
        self._count(spend, earned.points, at=at, now=now)
        self.purchase_count += 1
        self.spend_minor += spend
        self.last_purchase_at = max(at, self.last_purchase_at or at)
        return earned

    def bring_back(self, purchase_id: UUID, refund: PastRefund) -> int | None:
        """Take back what a refund's lines had earned; return the points, None if not bought."""
        bought = self.bought.get(purchase_id)
        if bought is None:
            return None
        now, purchase = refund.recorded_at, bought.purchase
        self._advance(now)
        after = bring_back(bought.lines, refund.quantities)
        book = self.terms.book
        amounts = book.calculator.amounts(after)
        calculation = book.calculator.calculate(after)
        basket = self._basket(replace(purchase, lines=tuple(after)), amounts, NOBODY)
        worth = book.worth(bought.pinned, basket, bought.calculation, calculation)
        self.counters.give_back(worth.given_back)
        spend = _spend(bought.lines) - _spend(after)
        bought.lines, bought.calculation, bought.pinned = after, calculation, worth.pinned or {}
        self._take_back(purchase_id, worth.due_points, now)
        self._count(-spend, -worth.due_points, at=purchase.purchased_at, now=now)
        self.spend_minor -= spend
        return worth.due_points

    def finish(self, now: datetime) -> str | None:
        """Let the time until now pass; return the member's tier."""
        self._advance(now)
        self._expire(now)
        return None if self.standing is None else self.standing.tier

    @property
    def balance_points(self) -> int:
        """Return the points that are left when nobody spends any; below zero it is debt."""
        return sum(lot.points for lot in self.lots) - self.debt

    def _basket(self, purchase: PastPurchase, amounts: Sequence[int], facts: MemberFacts) -> Basket:
        terms = self.terms
        return Basket(
            lines=purchase.lines,
            amounts=amounts,
            at=purchase.purchased_at.astimezone(terms.zone),
            channel=purchase.channel,
            source=purchase.source,
            store=purchase.store,
            store_labels=terms.store_labels.get(purchase.store or "", frozenset()),
            payment=purchase.payment,
            currency=purchase.currency,
            member=facts,
        )

    def _facts(
        self, at: datetime, now: datetime, tier: str | None, plan: str | None
    ) -> MemberFacts:
        if not self.terms.book.needs.facts:
            return NOBODY
        self._expire(now)
        person, scheme = self.person, self.terms.scheme
        return MemberFacts(
            at=at.astimezone(self.terms.zone),
            status=MemberStatus.ACTIVE,
            locale=person.locale,
            enrolled_at=person.enrolled_at,
            birthday=person.birthday,
            has_email=person.has_email,
            has_phone=person.has_phone,
            purchase_count=self.purchase_count,
            spend_minor=self.spend_minor,
            last_purchase_at=self.last_purchase_at,
            balance_points=self.balance_points,
            lifetime_points=self.points,
            tier=tier,
            tier_rank=None if scheme is None or tier is None else scheme.settings.rank(tier),
            plan=plan,
        )

    def _advance(self, now: datetime) -> None:
        if self.terms.scheme is None:
            return
        if self.standing is None:
            self.standing = begin(self.terms.scheme, {}, now=now)
        self.standing, more = advance(self.terms.scheme, self.standing, now)
        self.changes += more

    def _count(self, spend_minor: int, points: int, *, at: datetime, now: datetime) -> None:
        if self.terms.scheme is None or self.standing is None:
            return
        amount = self.terms.scheme.amount(spend_minor=spend_minor, points=points)
        if amount:
            self.standing, more = count(self.terms.scheme, self.standing, amount, at=at, now=now)
            self.changes += more

    def _tier_at(self, at: datetime) -> str | None:
        return None if self.standing is None else tier_at(self.standing, self.changes, at)

    def _plan_at(self, at: datetime) -> str | None:
        return next((code for since, until, code in self.person.plans if since <= at < until), None)

    def _multipliers(self, tier: str | None, plan: str | None) -> list[Multiplier]:
        scheme = self.terms.scheme
        by_tier = () if scheme is None else scheme.settings.multipliers(tier)
        return [*by_tier, *self.terms.plans.get(plan or "", ())]

    def _credit(self, purchase: PastPurchase, points: int) -> None:
        self.points += points
        paid = min(self.debt, points)
        self.debt -= paid
        if points > paid:
            expires_at = self.terms.settings.expires_at(purchase.purchased_at)
            self.lots.append(_Lot(purchase.id, points - paid, expires_at))

    def _take_back(self, purchase_id: UUID, points: int, now: datetime) -> None:
        self._expire(now)
        own_first = sorted(self.lots, key=lambda lot: (lot.origin != purchase_id, lot.expires_at))
        for lot in own_first:
            taken = min(lot.points, points)
            lot.points -= taken
            points -= taken
        if self.terms.settings.points.clawback is ClawbackPolicy.ALLOW_NEGATIVE:
            self.debt += points

    def _expire(self, now: datetime) -> None:
        self.lots = [lot for lot in self.lots if lot.points and lot.expires_at > now]


def _spend(lines: Sequence[Line]) -> int:
    """Return what money paid for what is left of the lines, in minor units."""
    return sum(line.earning_minor for line in lines)


def by_rule(earned: Earned) -> dict[str, int]:
    """Return the points of a purchase by what gave them."""
    lines = sum(earned.calculation.line_points)
    found = {LINES: lines, MULTIPLIERS: earned.calculation.points - lines}
    for one in earned.outcomes:
        found[one.code] = found.get(one.code, 0) + one.points
    return {code: points for code, points in found.items() if points}


def told_by_rule(why: Mapping[str, Any]) -> dict[str, int]:
    """Return the same of a purchase that was recorded, from the explanation of its entry."""
    found = {LINES: sum(step["points"] for step in why.get("steps", ()))}
    if "multiplied" in why:
        found[MULTIPLIERS] = why["multiplied"]["to"] - why["multiplied"]["from"]
    for one in why.get("rules", ()):
        found[one["code"]] = found.get(one["code"], 0) + one["points"]
    return found
