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
from loyalty_graph.errors import InvalidInputError, UnknownProductTypeError
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.programs.rules import ClawbackPolicy, ProgramSettings
from loyalty_graph.purchases.history import PastPurchase, PastRefund
from loyalty_graph.purchases.rules import Line
from loyalty_graph.segments.facts import NOBODY, MemberFacts
from loyalty_graph.tiers.standing import Change, Scheme, Standing, advance, begin, count, tier_at
from loyalty_graph.usecases.backtest_report import CAPS, LINES, MULTIPLIERS
from loyalty_graph.usecases.purchase_points import activates_at, parts


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


@dataclass(slots=True, eq=False)
class _Lot:
    """Points of a purchase; they wait until `activates_at` if that is given."""

    origin: UUID
    points: int
    expires_at: datetime
    activates_at: datetime | None = None


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
        tier, plan = self._tier_at(at), self._plan_at(at)
        basket = self._basket(purchase, amounts, self._facts(at, now, tier, plan))
        try:
            base = book.calculator.calculate(purchase.lines)
            earned = book.decide(basket, self.counters, base, self._multipliers(tier, plan))
        except (UnknownProductTypeError, InvalidInputError):
            return None
        self.counters.take(earned.outcomes)
        self.counters.take_total(earned.points, earned.total)
        pinned = earned.pinned() or {}
        self.bought[purchase.id] = _Bought(purchase, purchase.lines, base, pinned)
        self._credit(purchase, earned)
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
        after = refund.after(bought.lines)
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
        if refund.is_void:
            self._forget(bought)
        return worth.due_points

    def _forget(self, bought: _Bought) -> None:
        """Count a purchase that was voided as none."""
        del self.bought[bought.purchase.id]
        self.purchase_count -= 1
        times = (one.purchase.purchased_at for one in self.bought.values())
        self.last_purchase_at = max(times, default=None)

    def finish(self, now: datetime) -> str | None:
        """Let the time until now pass; return the member's tier."""
        self._advance(now)
        self._age(now)
        return None if self.standing is None else self.standing.tier

    @property
    def outstanding_points(self) -> int:
        """Return the points that are left when nobody spends any; below zero it is debt."""
        return sum(lot.points for lot in self.lots) - self.debt

    @property
    def balance_points(self) -> int:
        """Return the same without those that wait."""
        return sum(lot.points for lot in self.lots if lot.activates_at is None) - self.debt

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
        self._age(now)
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

    def _credit(self, purchase: PastPurchase, earned: Earned) -> None:
        self.points += earned.points
        at, settings, book = purchase.purchased_at, self.terms.settings, self.terms.book
        expires_at, day = settings.expires_at(at), at.astimezone(self.terms.zone).date()
        for wait, part in parts(earned, day, pending=book.pending):
            lot = _Lot(purchase.id, part.points, expires_at)
            if wait is None:
                self._open(lot)
                continue
            lot.activates_at = min(expires_at, activates_at(settings, at, wait))
            self.lots.append(lot)
            self._activate(purchase.recorded_at)

    def _open(self, lot: _Lot) -> None:
        """Let points be spent, as far as they do not pay debt."""
        paid = min(self.debt, lot.points)
        self.debt -= paid
        lot.points -= paid
        lot.activates_at = None
        if lot.points:
            self.lots.append(lot)

    def _take_back(self, purchase_id: UUID, points: int, now: datetime) -> None:
        """Take back what waits of the purchase, longest first, then what can be spent."""
        self._age(now)
        policy = self.terms.settings.points.clawback
        if policy is ClawbackPolicy.KEEP:
            return
        waiting = [lot for lot in self.lots if lot.activates_at]
        own = [lot for lot in waiting if lot.origin == purchase_id]
        own.sort(key=_waits_until, reverse=True)
        if policy is ClawbackPolicy.PENDING_FIRST:
            others = [lot for lot in waiting if lot.origin != purchase_id]
            own += sorted(others, key=_waits_until, reverse=True)
        active = [lot for lot in self.lots if lot.activates_at is None]
        active.sort(key=lambda lot: (lot.origin != purchase_id, lot.expires_at))
        for lot in (*own, *active):
            taken = min(lot.points, points)
            lot.points -= taken
            points -= taken
        if policy is ClawbackPolicy.ALLOW_NEGATIVE:
            self.debt += points

    def _age(self, now: datetime) -> None:
        """Let points become active whose time has come, and those end whose day is over."""
        self._activate(now)
        self.lots = [lot for lot in self.lots if lot.points and lot.expires_at > now]

    def _activate(self, now: datetime) -> None:
        due = [lot for lot in self.lots if lot.activates_at and lot.activates_at <= now]
        for lot in sorted(due, key=_waits_until):
            self.lots.remove(lot)
            self._open(lot)


def _waits_until(lot: _Lot) -> tuple[datetime, datetime]:
    assert lot.activates_at is not None, "asked only of what waits"
    return lot.activates_at, lot.expires_at


def _spend(lines: Sequence[Line]) -> int:
    """Return what money paid for what is left of the lines, in minor units."""
    return sum(line.earning_minor for line in lines)


def by_rule(earned: Earned) -> dict[str, int]:
    """Return the points of a purchase by what gave them."""
    lines = sum(earned.calculation.line_points)
    multiplied = earned.calculation.points
    found = {LINES: lines, MULTIPLIERS: multiplied - lines, CAPS: earned.lines_points - multiplied}
    for one in earned.outcomes:
        found[one.code] = found.get(one.code, 0) + one.points
    return {code: points for code, points in found.items() if points}


def told_by_rule(why: Mapping[str, Any]) -> dict[str, int]:
    """Return the same of a purchase that was recorded, from the explanation of its entry."""
    found = {LINES: sum(step["points"] for step in why.get("steps", ()))}
    if "multiplied" in why:
        found[MULTIPLIERS] = why["multiplied"]["to"] - why["multiplied"]["from"]
    if "capped" in why:
        before, after = why["capped"]["lines"]
        found[CAPS] = after - before
    for one in why.get("rules", ()):
        found[one["code"]] = found.get(one["code"], 0) + one["points"]
    return found
