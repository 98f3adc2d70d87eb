"""Bonus rules in a batch: read with it, decided along with it, stored with it."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from loyalty_graph.db import in_transaction_now
from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.earning import tallies
from loyalty_graph.earning.counters import BudgetKey, Count, CounterKey, Counters, MemberCounters
from loyalty_graph.earning.outcomes import Earned, GivenBack, Outcome
from loyalty_graph.ledger.rules import Account
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.held_offers import HeldOffers
from loyalty_graph.usecases.member_facts import FactsOfMembers
from loyalty_graph.usecases.purchase_terms import Terms

Result_co = TypeVar("Result_co", covariant=True)


class Locking(Protocol[Result_co]):
    """Work on a batch that is told whether to lock the budgets it reads."""

    async def __call__(self, *, lock: bool) -> Result_co:
        """Do it, in a transaction."""


async def settling_budgets(work: Locking[Result_co]) -> Result_co:
    """Return what `work` does without locking any budget, so that nobody waits.

    When others took meanwhile what it had counted on, it runs once more and locks them. A caller's
    own transaction cannot be run again, so there it always does.
    """
    if in_transaction_now():
        return await work(lock=True)
    try:
        return await work(lock=False)
    except tallies.BudgetTakenMeanwhileError:
        return await work(lock=True)


class Bonuses:
    """The facts, counters, budgets and offers of a batch; without rules in force it does nothing.

    `lock` keeps others from taking from the budgets until the batch is stored.
    """

    def __init__(
        self,
        *,
        facts: AbstractSet[str] = frozenset(),
        counters: Iterable[tuple[str, str]] = (),
        offers: AbstractSet[str] = frozenset(),
        limits: Mapping[BudgetKey, int] | None = None,
        lock: bool = False,
    ) -> None:
        periods = {period for _, period in counters}
        self._counted_in = tallies.counters(periods) if periods else None
        self._facts = FactsOfMembers(facts)
        self._limits = limits or {}
        self._lock = lock
        self._counters = Counters()
        self._offers = HeldOffers(offers)
        self.reads_balances = "balance_points" in facts

    @classmethod
    def of(cls, terms: Mapping[datetime, Terms], *, lock: bool) -> "Bonuses":
        """Return what the rules read for purchases made at these instants."""
        days: dict[int, set[date]] = {}
        books = {one.version.number: one.book for one in terms.values() if not one.book.is_plain}
        for at, one in terms.items():
            if one.version.number in books:
                days.setdefault(one.version.number, set()).add(one.local(at).date())
        counters: set[tuple[str, str]] = set()
        limits: dict[BudgetKey, int] = {}
        for number, book in books.items():
            counters |= book.counters(days[number])
            for key, limit in book.budgets(days[number]).items():
                # Versions may differ in it. Each purchase keeps to its own when it is decided; the
                # guard, against others only, takes the larger one.
                limits[BudgetKey(*key)] = max(limit, limits.get(BudgetKey(*key), limit))
        facts = frozenset[str]().union(*(book.needs.facts for book in books.values()))
        offers = frozenset[str]().union(*(book.needs.offers for book in books.values()))
        return cls(facts=facts, counters=counters, offers=offers, limits=limits, lock=lock)

    @property
    def lookups(self) -> list[Lookup]:
        """Return what is to be looked up for the batch: its budgets."""
        return [tallies.budgets(self._limits, lock=self._lock)] if self._limits else []

    @property
    def by_member(self) -> list[posting.ByMember]:
        """Return what is to be looked up for each member of the batch."""
        return [*self._facts.lookups, *self._given]

    @property
    def _given(self) -> list[posting.ByMember]:
        counted_in = [] if self._counted_in is None else [self._counted_in]
        return [*self._offers.lookups, *counted_in]

    async def open(self, program_id: UUID) -> None:
        """Make sure, before anything is read, that what is to be locked is there."""
        if self._lock and self._limits:
            await tallies.open_budgets(program_id, self._limits)

    def take(
        self,
        budgets: Iterable[Sequence[Row]],
        of_members: Mapping[posting.ByMember, Mapping[UUID, Sequence[Row]]],
    ) -> None:
        """Take what was looked up."""
        self._facts.take(of_members)
        self._take_given(budgets, of_members)

    async def read_given(self, program_id: UUID, member_id: UUID) -> None:
        """Read by itself what was given so far, and the offers that may be used."""
        lookups = [*(lookup([member_id]) for lookup in self._given), *self.lookups]
        found = await fetch(program_id, *lookups) if lookups else []
        personal = zip(self._given, found, strict=False)
        of_members = {lookup: {member_id: rows} for lookup, [rows] in personal}
        budgets = (row for rows in found[len(self._given) :] for row in rows)
        self._take_given(budgets, of_members)

    def _take_given(
        self,
        budgets: Iterable[Sequence[Row]],
        of_members: Mapping[posting.ByMember, Mapping[UUID, Sequence[Row]]],
    ) -> None:
        self._offers.take(of_members)
        counted = {} if self._counted_in is None else of_members[self._counted_in]
        self._counters = Counters(
            {
                CounterKey(member_id, rule, period): Count(points, times)
                for member_id, rows in counted.items()
                for rule, period, points, times in rows
            },
            {BudgetKey(rule, period): used for rows in budgets for rule, period, used in rows},
        )

    def facts(self, account: Account, *, at: datetime, now: datetime) -> MemberFacts:
        """Return what rules know of a member by now, tier and plan left out."""
        return self._facts.of(account, at=at, now=now)

    def counters(self, member_id: UUID) -> MemberCounters:
        """Return what rules gave a member by now."""
        return self._counters.of(member_id)

    def offers(self, member_id: UUID, at: datetime) -> frozenset[str]:
        """Return the offers that a member may use at an instant."""
        return self._offers.usable(member_id, at)

    def gave(self, batch: posting.Batch, member_id: UUID, outcomes: Sequence[Outcome]) -> None:
        """Count what rules and offers gave for a purchase of the batch."""
        if not outcomes:
            return
        self.counters(member_id).take(outcomes)
        used = [one.code for one in outcomes if one.is_offer and one.points]
        self._offers.use(batch, member_id, used)

    def gave_in_all(self, member_id: UUID, earned: Earned) -> None:
        """Count all points of a purchase of the batch, where caps limit them."""
        self.counters(member_id).take_total(earned.points, earned.total)

    def take_back(
        self, batch: posting.Batch, member_id: UUID, given_back: Sequence[GivenBack]
    ) -> None:
        """Give room back, and uses of offers of which nothing stands any more."""
        self.counters(member_id).give_back(given_back)
        unused = [one.code for one in given_back if one.is_all]
        self._offers.give_back(batch, member_id, unused)

    def bought(self, member_id: UUID, *, spend_minor: int, at: datetime) -> None:
        """Count a purchase of the batch, so that the member's next one is not the first."""
        if self._facts.lookups:
            self._facts.count(member_id, spend_minor=spend_minor, at=at)

    def add_to(self, batch: posting.Batch) -> None:
        """Store what rules and offers gave members together with the batch."""
        self._offers.add_to(batch)
        if self._counters.changed:
            batch.writes.append(tallies.counter_writes(self._counters.changed))

    async def settle(self, program_id: UUID) -> None:
        """Take what rules gave from their budgets: the last thing a transaction does.

        Raises:
            BudgetTakenMeanwhileError: Others took it since it was read.
        """
        await tallies.move_budgets(program_id, self._counters.spent, limits=self._limits)
