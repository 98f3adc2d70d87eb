"""The demo's replay: a year of baskets through the product's own use cases, day by day.

Purchases are the study's. What the study does not hold is simulated by fixed rules and labelled so:
on a day of shopping a member who can spend 1,000 points or more gives 1,000 of them, and one such
redemption in fifty is cancelled the next day; one basket in a hundred is partly brought back a week
later. Which ones, a hash of the seed and the basket's row decides.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TypeAlias, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.db import transaction
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.purchases.rules import Line
from loyalty_graph.sandbox.baskets import Basket, Baskets, instant_of
from loyalty_graph.usecases import expiry, members, purchases, redemptions, refunds, tier_reviews
from loyalty_graph.usecases.posting import BATCH_MAX

CALLER = "partner:demo"
SOURCE = "complete-journey"
REDEEM_FROM_POINTS = 1000
RETURNED_ONE_IN = 100
RETURNED_AFTER = timedelta(days=7)
CANCELLED_ONE_IN = 50

Item = TypeVar("Item")
Progress = Callable[[int], None]
Bought: TypeAlias = tuple[Basket, purchases.PurchaseRecorded]


@dataclass(slots=True)
class Replay:
    """A replay in progress: what later days need to know of earlier ones."""

    program_id: UUID
    baskets: Baskets
    zone: ZoneInfo
    seed: int
    members: dict[int, UUID] = field(default_factory=dict)
    returns: dict[date, list[Bought]] = field(default_factory=dict)
    cancellations: list[redemptions.PointsMoved] = field(default_factory=list)

    async def run(self, today: date, *, progress: Progress | None = None) -> None:
        """Replay every day before `today`; `progress` is told how many baskets are done.

        Today itself has not happened: what would fall on it or later is left out.
        """
        done = 0
        for day in self._days(today):
            found = self.baskets.on(day) if day <= self.baskets.last_date else []
            joined, returns, self.cancellations = await self._day(day, found)
            self.members |= joined
            self.returns.pop(day, None)
            self.returns.setdefault(day + RETURNED_AFTER, []).extend(returns)
            done += len(found)
            if progress is not None:
                progress(done)

    def _days(self, today: date) -> Iterator[date]:
        day = self.baskets.first_date
        while day < today:
            yield day
            day += timedelta(days=1)

    @transaction
    async def _day(
        self, day: date, found: Sequence[Basket]
    ) -> tuple[dict[int, UUID], list[Bought], list[redemptions.PointsMoved]]:
        """Replay one programme day: it ends at `now`, when its commands are recorded.

        It is one transaction, so that a page of the database that purchases, returns and expiries
        of the day change is written once. Return who joined, what will be brought back, and which
        redemptions will be cancelled.
        """
        now = instant_of(day + timedelta(days=1), 0, self.zone)
        joined = await self._enrol(found, now=instant_of(day, 0, self.zone))
        bought = await self._buy(found, self.members | joined, now=now)
        await self._bring_back(day, now=now)
        await expiry.run(self.program_id, now=now)
        await tier_reviews.run(self.program_id, now=now)
        await self._cancel(now=now)
        spent = await self._redeem(day, bought, now=now)
        returns = [one for one in bought if self._falls_on(one, "returned", RETURNED_ONE_IN)]
        return joined, returns, spent

    def _falls_on(self, bought: Bought, purpose: str, one_in: int) -> bool:
        return self._number(purpose, bought[0].row) % one_in == 0

    async def _enrol(self, found: Iterable[Basket], *, now: datetime) -> dict[int, UUID]:
        """Enrol the households that shop for the first time; return their members."""
        new = sorted({basket.household for basket in found} - self.members.keys())
        joined: dict[int, UUID] = {}
        for households in _portions(new):
            enrolled = await members.enrol(
                self.program_id,
                [
                    members.Enrolment(
                        Profile(
                            external_id=f"household-{household + 1}",
                            first_name="Household",
                            last_name=str(household + 1),
                        ),
                        source="demo",
                    )
                    for household in households
                ],
                now=now,
            )
            joined.update(zip(households, (member.id for member in enrolled), strict=True))
        return joined

    async def _buy(
        self, found: Sequence[Basket], known: Mapping[int, UUID], *, now: datetime
    ) -> list[Bought]:
        """Record the day's purchases; return the baskets with what was recorded."""
        bought: list[Bought] = []
        for portion in _portions(found):
            commands = [self._purchase(basket, known[basket.household]) for basket in portion]
            answers = await purchases.record(self.program_id, commands, now=now)
            bought += zip(portion, map(_unrefused, answers), strict=True)
        return bought

    def _purchase(self, basket: Basket, member_id: UUID) -> purchases.RecordPurchase:
        return purchases.RecordPurchase(
            caller=CALLER,
            idempotency_key=f"basket-{basket.row}",
            member=self._reference(member_id),
            source=SOURCE,
            external_id=f"basket-{basket.row}",
            purchased_at=instant_of(basket.local_date, basket.minute_of_day, self.zone),
            lines=tuple(map(as_line, basket.lines)),
            store=f"store-{basket.store}",
        )

    @staticmethod
    def _reference(member_id: UUID) -> Reference:
        return Reference(ReferenceKind.ID, str(member_id))

    async def _bring_back(self, day: date, *, now: datetime) -> None:
        for basket, bought in self.returns.get(day, []):
            number = self._number("line", basket.row) % len(basket.lines)
            quantity = basket.lines[number].quantity
            await refunds.record(
                self.program_id,
                refunds.RecordRefund(
                    caller=CALLER,
                    idempotency_key=f"return-{basket.row}",
                    member_id=bought.member_id,
                    purchase_id=bought.purchase_id,
                    refunded_at=instant_of(day, basket.minute_of_day, self.zone),
                    quantities={number + 1: 1 + self._number("units", basket.row) % quantity},
                    reason="simulated: brought back a week later",
                ),
                now=now,
            )

    async def _cancel(self, *, now: datetime) -> None:
        for spent in self.cancellations:
            await redemptions.return_points(
                self.program_id,
                redemptions.ReturnPoints(
                    caller=CALLER,
                    idempotency_key=f"cancel-{spent.member_id}-{spent.entry_sequence}",
                    member=self._reference(spent.member_id),
                    redemption_id=spent.redemption_id,
                    at=now,
                    text="simulated: cancelled the next day",
                ),
                now=now,
            )

    async def _redeem(
        self, day: date, bought: Iterable[Bought], *, now: datetime
    ) -> list[redemptions.PointsMoved]:
        """Spend the points of those who have enough; return what will be cancelled."""
        latest = {one.member_id: (basket, one) for basket, one in bought}
        wanted = [
            member_id
            for member_id, (_, one) in latest.items()
            if one.balance_points >= REDEEM_FROM_POINTS
        ]
        spent: list[redemptions.PointsMoved] = []
        for portion in _portions(wanted):
            answers = await redemptions.redeem_points(
                self.program_id,
                [
                    redemptions.RedeemPoints(
                        caller=CALLER,
                        idempotency_key=f"redeem-{day}-{member_id}",
                        member=self._reference(member_id),
                        points=REDEEM_FROM_POINTS,
                        at=now,
                        text="simulated: 1,000 points given for a reward",
                    )
                    for member_id in portion
                ],
                now=now,
            )
            spent += [one for one in answers if isinstance(one, redemptions.PointsMoved)]
        return [
            one
            for one in spent
            if self._falls_on(latest[one.member_id], "cancelled", CANCELLED_ONE_IN)
        ]

    def _number(self, purpose: str, row: int) -> int:
        """Return a number that depends on nothing but the seed, the purpose and the row."""
        text = f"{self.seed}:{purpose}:{row}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8])


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
