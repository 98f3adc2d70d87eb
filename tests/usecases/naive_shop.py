"""A second, naive opinion of what the ledger must say: plain lists and fractions, no cleverness.

Nothing here uses the product's arithmetic. It keeps every lot as a small list and does to it what
the words of the programme say.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from math import ceil, floor
from zoneinfo import ZoneInfo

from loyalty_graph.purchases.rules import Line

ZONE = ZoneInfo("Europe/Berlin")
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
Rates = dict[str, tuple[int, int, str]]
RATES: Rates = {
    "COFFEE": (2, 100, "floor"),
    "MUG": (5, 100, "floor"),
    "BREAD": (3, 200, "nearest"),
    "CHEESE": (7, 300, "ceil"),
    "FLOWERS": (10, 500, "full steps"),
    "FUEL": (1, 500, "begun steps"),
    "TEA": (1, 100, "floor"),
    "GIFT_CARD": (0, 100, "floor"),
}
"""Points, for so many cents, rounded so."""


class Refused(Exception):  # noqa: N818 - it holds the code of a refusal
    """The model's refusal; its only argument is the code."""


def points_for(amount: Fraction, rate: tuple[int, int, str]) -> int:
    points, per, rounding = rate
    exact = amount * points / per
    return {
        "floor": floor(exact),
        "nearest": floor(exact + Fraction(1, 2)),
        "ceil": ceil(exact),
        "full steps": floor(amount / per) * points,
        "begun steps": ceil(amount / per) * points,
    }[rounding]


def amount_of(line: Line, units: int) -> int:
    """Return the price of some of a line's units; they carry their share of the discount."""
    share = Fraction(line.discount_minor * units, line.quantity)
    return units * line.unit_minor - floor(share)


@dataclass
class Lot:
    serial: int
    points: int
    left: int
    expires: datetime


@dataclass
class Bought:
    member: "Holder"
    lines: tuple[Line, ...]
    left: list[int]
    rates: Rates
    at: datetime
    lot: Lot | None

    def worth(self) -> int:
        return sum(
            points_for(Fraction(amount_of(line, units)), self.rates[line.product_type])
            for line, units in zip(self.lines, self.left, strict=True)
        )

    def price(self) -> int:
        return sum(amount_of(line, n) for line, n in zip(self.lines, self.left, strict=True))


@dataclass
class Taken:
    member: "Holder"
    parts: list[tuple[Lot, int]]
    order: int
    is_returned: bool = False


@dataclass
class Holder:
    """A member: lots in the order they came, and what he owes."""

    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    qualifying: int = 0
    lifetime: int = 0
    spend: int = 0
    forgiven: list[list[int]] = field(default_factory=list)
    serials: Iterator[int] = field(default_factory=count)

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots) - self.debt

    def soonest_first(self) -> list[Lot]:
        return sorted(self.lots, key=lambda lot: (lot.expires, lot.serial))

    def credit(self, points: int, expires: datetime) -> Lot:
        paid = min(self.debt, points)
        self.debt -= paid
        self.lots.append(Lot(next(self.serials), points, points - paid, expires))
        return self.lots[-1]

    def spend_points(self, points: int, at: datetime) -> list[tuple[Lot, int]]:
        usable = [lot for lot in self.soonest_first() if lot.expires > at]
        if sum(lot.left for lot in usable) < points:
            raise Refused("INSUFFICIENT_POINTS")
        return self.take(usable, points)

    def take(self, lots: list[Lot], points: int) -> list[tuple[Lot, int]]:
        parts = []
        for lot in lots:
            step = min(lot.left, points)
            lot.left -= step
            points -= step
            parts.append((lot, step))
        return [part for part in parts if part[1]]

    def expire(self, now: datetime) -> int:
        gone = [(lot, lot.left) for lot in self.lots if lot.left and lot.expires <= now]
        for lot, _ in gone:
            lot.left = 0
        return sum(points for _, points in gone)


class NaiveShop:
    """What members hold, told by the words of the programme."""

    def __init__(self, *, months: int | None, may_owe: bool) -> None:
        self._months = months
        self._may_owe = may_owe
        self.rates: list[tuple[datetime, Rates]] = [(datetime(1970, 1, 1, tzinfo=UTC), RATES)]

    def rates_at(self, at: datetime) -> Rates:
        return next(rates for since, rates in reversed(self.rates) if since <= at)

    def expires(self, at: datetime) -> datetime:
        """Return the end of the local day so many months later."""
        if self._months is None:
            return NEVER
        day = at.astimezone(ZONE)
        months = day.year * 12 + day.month - 1 + self._months
        year, month = divmod(months, 12)
        last = min(day.day, monthrange(year, month + 1)[1])
        midnight = datetime(year, month + 1, last, tzinfo=ZONE) + timedelta(days=1)
        return midnight.astimezone(UTC)

    def earn(self, member: Holder, lines: tuple[Line, ...], at: datetime) -> tuple[int, Bought]:
        rates = self.rates_at(at)
        if any(line.product_type not in rates for line in lines):
            raise Refused("UNKNOWN_PRODUCT_TYPE")
        bought = Bought(member, lines, [line.quantity for line in lines], rates, at, None)
        points = bought.worth()
        if points:
            bought.lot = member.credit(points, self.expires(at))
        member.qualifying += points
        member.lifetime += points
        member.spend += bought.price()
        return points, bought

    def redeem(self, member: Holder, points: int, at: datetime) -> Taken:
        return Taken(member, member.spend_points(points, at), next(member.serials))

    def give_back(self, taken: Taken, now: datetime) -> int:
        """Return the points; what pays a debt is missing in the lots that expire first."""
        if taken.is_returned:
            raise Refused("INVALID_INPUT")
        taken.is_returned = True
        points = left = sum(step for _, step in taken.parts)
        paid = min(taken.member.debt, points)
        taken.member.debt -= paid
        left -= paid
        left -= self._reclaim(taken, left)
        for lot, step in sorted(taken.parts, key=lambda part: (part[0].expires, part[0].serial))[
            ::-1
        ]:
            lot.left += min(step, left)
            left -= min(step, left)
        taken.member.expire(now)
        return points

    def refund(
        self, bought: Bought, units: dict[int, int] | None, now: datetime
    ) -> tuple[int, int, int, int]:
        """Return amount, points due, points taken and shortfall."""
        if units is None:
            units = {n: left for n, left in enumerate(bought.left, 1) if left}
        if not units:
            raise Refused("INVALID_INPUT")
        for n, k in units.items():
            if not 1 <= n <= len(bought.left) or k < 1:
                raise Refused("INVALID_INPUT")
            if k > bought.left[n - 1]:
                raise Refused("REFUND_TOO_LARGE")
        worth, price = bought.worth(), bought.price()
        for n, k in units.items():
            bought.left[n - 1] -= k
        due, amount = worth - bought.worth(), price - bought.price()
        bought.member.spend -= amount
        shortfall = self._claw_back(bought, due, now)
        return amount, due, due - shortfall, shortfall

    def _claw_back(self, bought: Bought, due: int, now: datetime) -> int:
        member = bought.member
        member.qualifying -= due
        own = [] if bought.lot is None else [bought.lot]
        if not due:
            return 0
        member.expire(now)
        missing = due - sum(step for _, step in member.take(own, due))
        missing -= sum(step for _, step in member.take(member.soonest_first(), missing))
        if missing and self._may_owe:
            member.debt += missing
            return 0
        if missing:
            member.forgiven.append([next(member.serials), missing])
        return missing

    @staticmethod
    def _reclaim(taken: Taken, points: int) -> int:
        """Return what the member gets back but was forgiven after he took it, newest first."""
        reclaimed = 0
        for one in reversed(taken.member.forgiven):
            if one[0] > taken.order:
                step = min(one[1], points - reclaimed)
                one[1] -= step
                reclaimed += step
        return reclaimed

    def adjust(self, member: Holder, points: int, now: datetime) -> None:
        if points > 0:
            member.credit(points, self.expires(now))
        else:
            member.spend_points(-points, now)
