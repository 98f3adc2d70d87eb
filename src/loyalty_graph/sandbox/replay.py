"""The demo's replay: a year of baskets through the product's own use cases, day by day.

Purchases are the study's. What the study does not hold is simulated by fixed rules and labelled so:
one basket in a hundred is partly brought back a week later, and one in a hundred is recorded three
days late, by a till that was cut off; what members do with points, rewards, paid memberships,
benefits and cards stands in `Giving`, `Lending`, `Redeeming`, `Subscribing`, `Benefiting` and
`Joining`. Hashes decide, of the seed and of the basket's row or the household and the day. What a
worker does at its hours happens at the end of each day.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TypeAlias, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.db import transaction
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.members.rules import Reference
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.sandbox.baskets import Basket, Baskets, instant_of
from loyalty_graph.sandbox.benefiting import Benefiting
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.giving import Giving
from loyalty_graph.sandbox.joining import Joining, Pair
from loyalty_graph.sandbox.lending import Lending
from loyalty_graph.sandbox.redeeming import CALLER, InHand, Redeeming, Visit, latest
from loyalty_graph.sandbox.subscribing import SUBSCRIBES_ONE_IN, Subscribing
from loyalty_graph.subscriptions.service import SubscriptionKey
from loyalty_graph.usecases import (
    activations,
    expiry,
    hold_deadlines,
    members,
    purchases,
    redemption_deadlines,
    refunds,
    tier_reviews,
)
from loyalty_graph.usecases.points_holds import HoldMoved
from loyalty_graph.usecases.posting import BATCH_MAX
from loyalty_graph.usecases.redemptions import PointsMoved

SOURCE = "complete-journey"
RETURNED_ONE_IN = 100
RETURNED_AFTER = timedelta(days=7)
LATE_ONE_IN = 100
LATE_AFTER = timedelta(days=3)

Item = TypeVar("Item")
Progress = Callable[[int], None]
Bought: TypeAlias = tuple[Basket, purchases.PurchaseRecorded]


@dataclass(frozen=True, slots=True)
class Evening:
    """What later days need to know of a day: who joined, what comes back, what they have in hand.

    `pockets` are those of all households; the rest is what the day added. The gifts in `regretted`
    are taken back on the next evening, and what was `ordered` is paid then. The baskets that are
    `late` are recorded three days later.
    """

    joined: dict[int, UUID]
    pairs: dict[int, Pair]
    late: list[Basket]
    returns: list[Bought]
    pockets: dict[int, list[InHand]]
    subscribed: dict[int, SubscriptionKey]
    regretted: list[PointsMoved]
    ordered: list[HoldMoved]


@dataclass(slots=True)
class Replay:
    """A replay in progress: what later days need to know of earlier ones.

    `codes` makes the codes of rewards, with the key of whoever will serve the result. A household
    begins a paid membership on one in `subscribes_one_in` of its days of shopping. `uses_benefits`
    says whether members use those they have, which takes a while.
    """

    program_id: UUID
    baskets: Baskets
    zone: ZoneInfo
    chance: Chance
    codes: Codes
    subscribes_one_in: int = SUBSCRIBES_ONE_IN
    uses_benefits: bool = False
    members: dict[int, UUID] = field(default_factory=dict)
    pairs: dict[int, Pair] = field(default_factory=dict)
    late: dict[date, list[Basket]] = field(default_factory=dict)
    returns: dict[date, list[Bought]] = field(default_factory=dict)
    pockets: dict[int, list[InHand]] = field(default_factory=dict)
    subscribed: dict[int, SubscriptionKey] = field(default_factory=dict)
    regretted: list[PointsMoved] = field(default_factory=list)
    ordered: list[HoldMoved] = field(default_factory=list)
    next_day: date | None = None
    done: int = 0
    late_receipts: int = 0

    async def run(self, today: date, *, progress: Progress | None = None) -> None:
        """Replay every day before `today`; `progress` is told how many baskets are done.

        Today itself has not happened: what would fall on it or later is left out. A second run goes
        on where the first one ended.
        """
        for day in self._days(today):
            found = self.baskets.on(day) if day <= self.baskets.last_date else []
            evening = await self._day(day, found)
            self.members |= evening.joined
            self.pairs |= evening.pairs
            self.late_receipts += len(self.late.pop(day, ()))
            self.late[day + LATE_AFTER] = evening.late
            self.returns.pop(day, None)
            for bought in evening.returns:
                comes_back_on = bought[0].local_date + RETURNED_AFTER
                self.returns.setdefault(comes_back_on, []).append(bought)
            self.pockets = evening.pockets
            self.subscribed |= evening.subscribed
            self.regretted, self.ordered = evening.regretted, evening.ordered
            self.next_day = day + timedelta(days=1)
            self.done += len(found)
            if progress is not None:
                progress(self.done)

    def _days(self, today: date) -> Iterator[date]:
        day = self.next_day or self.baskets.first_date
        while day < today:
            yield day
            day += timedelta(days=1)

    @transaction
    async def _day(self, day: date, found: Sequence[Basket]) -> Evening:
        """Replay one programme day: it ends at `now`, when its commands are recorded.

        It is one transaction, so that a page of the database that purchases, returns and expiries
        of the day change is written once. Nothing is remembered here, since it may run again.
        """
        now = instant_of(day + timedelta(days=1), 0, self.zone)
        joining = Joining(self.program_id, self.chance, self.baskets.first_date)
        joined, pairs = await self._enrol(joining, day, found)
        known, taken = self.members | joined, {**self.pairs, **pairs}

        def shown(basket: Basket) -> Reference:
            return joining.card(basket, known[basket.household], taken.get(basket.household))

        late = [one for one in found if self._is_late(one)]
        in_time = [one for one in found if not self._is_late(one)]
        bought = await self._buy(in_time, shown, now=now)
        belated = await self._buy(self.late.get(day, ()), shown, now=now)
        await self._bring_back(day, now=now)
        await self._let_time_pass(now=now)
        visits = latest(Visit(one.member_id, basket, one.balance_points) for basket, one in bought)
        giving = Giving(self.program_id, self.chance)
        regretted = await giving.evening(day, visits, self.regretted, now=now)
        redeeming = Redeeming(self.program_id, self.zone, self.codes, self.chance)
        pockets = await redeeming.evening(day, visits, self.pockets, now=now)
        lending = Lending(self.program_id, self.chance)
        ordered = await lending.evening(day, visits, self.ordered, now=now)
        subscribing = Subscribing(self.program_id, self.chance, self.subscribes_one_in)
        subscribed = await subscribing.evening(day, visits, self.subscribed, now=now)
        if self.uses_benefits:
            await Benefiting(self.program_id, self.chance).evening(day, visits, now=now)
        await joining.evening(day, self.pairs.values(), now=now)
        returns = [
            (basket, one)
            for basket, one in (*bought, *belated)
            if self.chance.falls(RETURNED_ONE_IN, "returned", basket.row)
        ]
        return Evening(
            joined, pairs, late, returns, pockets, subscribed, regretted=regretted, ordered=ordered
        )

    def _is_late(self, basket: Basket) -> bool:
        """Return whether the till was cut off; all is well again by the last day."""
        is_in_time = basket.local_date + LATE_AFTER <= self.baskets.last_date
        return is_in_time and self.chance.falls(LATE_ONE_IN, "late", basket.row)

    async def _let_time_pass(self, *, now: datetime) -> None:
        """Do what a worker does at its hours."""
        while await redemption_deadlines.release_due(self.program_id, now=now):
            pass
        while await redemption_deadlines.expire_due(self.program_id, now=now):
            pass
        await hold_deadlines.release_all(self.program_id, now=now)
        await activations.run(self.program_id, now=now)
        await expiry.run(self.program_id, now=now)
        await tier_reviews.run(self.program_id, now=now)

    async def _enrol(
        self, joining: Joining, day: date, found: Iterable[Basket]
    ) -> tuple[dict[int, UUID], dict[int, Pair]]:
        """Enrol the households that shop for the first time, with what they bring.

        Return their members, and the pairs of those who have two cards.
        """
        now = instant_of(day, 0, self.zone)
        new = sorted({basket.household for basket in found} - self.members.keys())
        wanted = [(one, card) for one in new for card in joining.enrolments(day, one)]
        joined: dict[int, UUID] = {}
        pairs: dict[int, Pair] = {}
        for portion in _portions(wanted):
            cards = [card for _, card in portion]
            enrolled = await members.enrol(self.program_id, cards, now=now)
            for (household, _), member in zip(portion, enrolled, strict=True):
                first_id = joined.setdefault(household, member.id)
                if first_id != member.id:
                    pairs[household] = Pair(household, first_id, member.id, day)
        await joining.bring(day, joined, now=now)
        return joined, pairs

    async def _buy(
        self, found: Sequence[Basket], shown: Callable[[Basket], Reference], *, now: datetime
    ) -> list[Bought]:
        """Record purchases of who shows this card; return the baskets with what was recorded."""
        bought: list[Bought] = []
        for portion in _portions(found):
            commands = [self._purchase(basket, shown(basket)) for basket in portion]
            answers = await purchases.record(self.program_id, commands, now=now)
            bought += zip(portion, map(_unrefused, answers), strict=True)
        return bought

    def _purchase(self, basket: Basket, member: Reference) -> purchases.RecordPurchase:
        return purchases.RecordPurchase(
            caller=CALLER,
            idempotency_key=f"basket-{basket.row}",
            member=member,
            source=SOURCE,
            external_id=f"basket-{basket.row}",
            purchased_at=instant_of(basket.local_date, basket.minute_of_day, self.zone),
            lines=tuple(map(as_line, basket.lines)),
            store=f"store-{basket.store}",
        )

    async def _bring_back(self, day: date, *, now: datetime) -> None:
        for basket, bought in self.returns.get(day, []):
            number = self.chance.number("line", basket.row) % len(basket.lines)
            quantity = basket.lines[number].quantity
            await refunds.record(
                self.program_id,
                refunds.RecordRefund(
                    caller=CALLER,
                    idempotency_key=f"return-{basket.row}",
                    member_id=bought.member_id,
                    purchase_id=bought.purchase_id,
                    refunded_at=instant_of(day, basket.minute_of_day, self.zone),
                    quantities={number + 1: 1 + self.chance.number("units", basket.row) % quantity},
                    reason="simulated: brought back a week later",
                ),
                now=now,
            )


def as_line(line: tuple[str, int, int, int, int]) -> Line:
    """Return a line of the study as a receipt's line: its net amount is the cents exactly.

    The study says what was paid for all units; the price of one is rounded up to a cent and the
    difference stands in the discount.
    """
    product_type, cents, quantity, discount_cents, _ = line
    unit = -(-(cents + discount_cents) // quantity)
    return Line(product_type, quantity, unit, unit * quantity - cents)


def _portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while portion := list(islice(rest, BATCH_MAX)):
        yield portion


def _unrefused(
    answer: purchases.PurchaseRecorded | LoyaltyError,
) -> purchases.PurchaseRecorded:
    if isinstance(answer, LoyaltyError):
        raise answer
    return answer
