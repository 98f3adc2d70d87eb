"""The demo's replay: a year of baskets through the product's own use cases, day by day.

Purchases are the study's. What the study does not hold is simulated by fixed rules and labelled so:
on a day of shopping a member who can spend 1,000 points or more gives 1,000 of them; one basket in
a hundred, chosen by a hash of the seed and its row, is partly brought back a week later.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.purchases.rules import Line
from loyalty_graph.sandbox.baskets import Basket, Baskets, instant_of
from loyalty_graph.usecases import expiry, members, purchases, redemptions, refunds
from loyalty_graph.usecases.posting import BATCH_MAX

CALLER = "partner:demo"
SOURCE = "complete-journey"
REDEEM_FROM_POINTS = 1000
RETURNED_ONE_IN = 100
RETURNED_AFTER = timedelta(days=7)

Item = TypeVar("Item")
Progress = Callable[[int], None]


@dataclass(slots=True)
class Replay:
    """A replay in progress: what later days need to know of earlier ones."""

    program_id: UUID
    baskets: Baskets
    zone: ZoneInfo
    seed: int
    members: dict[int, UUID] = field(default_factory=dict)
    returns: dict[date, list[tuple[Basket, purchases.PurchaseRecorded]]] = field(
        default_factory=dict
    )

    async def run(self, today: date, *, progress: Progress | None = None) -> None:
        """Replay every day before `today`; `progress` is told how many baskets are done.

        Today itself has not happened: what would fall on it or later is left out.
        """
        done = 0
        for day in self._days(today):
            found = self.baskets.on(day) if day <= self.baskets.last_date else []
            await self._day(day, found)
            done += len(found)
            if progress is not None:
                progress(done)

    def _days(self, today: date) -> Iterator[date]:
        day = self.baskets.first_date
        while day < today:
            yield day
            day += timedelta(days=1)

    async def _day(self, day: date, found: Sequence[Basket]) -> None:
        """Replay one programme day: it ends at `now`, when its commands are recorded."""
        now = instant_of(day + timedelta(days=1), 0, self.zone)
        await self._enrol(found, now=instant_of(day, 0, self.zone))
        balances = await self._buy(found, now=now)
        await self._bring_back(day, now=now)
        await expiry.run(self.program_id, now=now)
        await self._redeem(day, balances, now=now)

    async def _enrol(self, found: Iterable[Basket], *, now: datetime) -> None:
        new = sorted({basket.household for basket in found} - self.members.keys())
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
            self.members.update(zip(households, (member.id for member in enrolled), strict=True))

    async def _buy(self, found: Sequence[Basket], *, now: datetime) -> dict[UUID, int]:
        """Record the day's purchases; return the balances of the members who bought."""
        balances: dict[UUID, int] = {}
        for portion in _portions(found):
            commands = [self._purchase(basket) for basket in portion]
            answers = await purchases.record(self.program_id, commands, now=now)
            for basket, answer in zip(portion, answers, strict=True):
                recorded = _unrefused(answer)
                balances[recorded.member_id] = recorded.balance_points
                if self._number("returned", basket.row) % RETURNED_ONE_IN == 0:
                    due = basket.local_date + RETURNED_AFTER
                    self.returns.setdefault(due, []).append((basket, recorded))
        return balances

    def _purchase(self, basket: Basket) -> purchases.RecordPurchase:
        return purchases.RecordPurchase(
            caller=CALLER,
            idempotency_key=f"basket-{basket.row}",
            member=self._reference(self.members[basket.household]),
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
        for basket, bought in self.returns.pop(day, []):
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

    async def _redeem(self, day: date, balances: dict[UUID, int], *, now: datetime) -> None:
        wanted = [one for one, balance in balances.items() if balance >= REDEEM_FROM_POINTS]
        for portion in _portions(wanted):
            await redemptions.redeem(
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
