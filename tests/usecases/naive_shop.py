"""A second, naive opinion of what the ledger must say: plain lists and fractions, no cleverness.

Nothing here uses the product's arithmetic. It keeps every lot as a small list and does to it what
the words of the programme say.
"""

import itertools
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from math import ceil, floor
from zoneinfo import ZoneInfo

from loyalty_graph.purchases.rules import Line
from tests.delays import Parts, midnight

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
REWARDS: dict[str, tuple[int, int | None]] = {"COFFEE": (20, None), "MUG": (35, 3)}
"""What a reward costs, and how many there are."""
WORTH = Fraction(2, 3)
"""A point, in cents."""
PAID_AT_MOST = Fraction(4, 5)
"""The part of a basket that points may pay."""
LEVELS = [
    ("PLAIN", 0, Fraction(1)),
    ("SILVER", 10_000, Fraction(5, 4)),
    ("GOLD", 50_000, Fraction(3, 2)),
]
"""Tiers, the cents spent within a year that reach them, and how many times the points they earn."""


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


def at_once(points: int) -> Parts:
    return [(points, 0)]


@dataclass
class Lot:
    serial: int
    points: int
    left: int
    expires: datetime
    waits_until: datetime | None = None
    """Until when these points cannot be spent, while nobody has looked after that."""


@dataclass
class Bought:
    """A purchase; `paid` says for each line the cents and points that paid a part of it.

    `purse` holds the lot of each point that paid, those that live longest at the end.
    """

    member: "Holder"
    lines: tuple[Line, ...]
    left: list[int]
    rates: Rates
    at: datetime
    own: list[Lot]
    paid: list[tuple[int, int]]
    purse: list[Lot] = field(default_factory=list)
    order: int = 0
    times: Fraction = Fraction(1)
    bonuses: dict[str, int] = field(default_factory=dict)
    is_first: bool = False

    def worth(self) -> int:
        points = sum(
            points_for(Fraction(cents), self.rates[line.product_type])
            for line, cents in zip(self.lines, self.cash(), strict=True)
        )
        return floor(points * self.times) + sum(self.bonuses.values())

    def parts(self, points: int) -> Parts:
        """Return what can be spent at once, and what has to wait for two weeks."""
        late = self.bonuses["LATE"]
        return [part for part in ((points - late, 0), (late, 14)) if part[0]]

    def cash(self) -> list[int]:
        """Return what was paid with money for what is left of each line."""
        return [
            units * line.unit_minor
            - floor(Fraction((line.discount_minor + cents) * units, line.quantity))
            for line, units, (cents, _) in zip(self.lines, self.left, self.paid, strict=True)
        ]

    def points_in(self) -> int:
        """Return the points that pay for what is left."""
        return sum(
            floor(Fraction(points * units, line.quantity))
            for line, units, (_, points) in zip(self.lines, self.left, self.paid, strict=True)
        )

    def price(self) -> int:
        return sum(amount_of(line, n) for line, n in zip(self.lines, self.left, strict=True))


@dataclass
class Taken:
    member: "Holder"
    parts: list[tuple[Lot, int]]
    order: int
    is_returned: bool = False

    @property
    def points(self) -> int:
        return sum(step for _, step in self.parts)


@dataclass
class Wanted:
    """A reward a member wants: its points, where it stands, and until when it stands there."""

    taken: Taken
    reward: str
    state: str
    until: datetime | None


@dataclass
class Holder:
    """A member: lots in the order they came, and what he owes."""

    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    held: int = 0
    qualifying: int = 0
    lifetime: int = 0
    spend: int = 0
    forgiven: list[list[int]] = field(default_factory=list)
    serials: Iterator[int] = field(default_factory=count)
    bought: list[Bought] = field(default_factory=list)
    rises: list[tuple[datetime, int]] = field(default_factory=list)
    """Since when the member had which of the `LEVELS`; none is ever lost."""

    def level_at(self, at: datetime) -> int:
        return max((level for since, level in self.rises if since <= at), default=0)

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots if not lot.waits_until) - self.debt

    @property
    def pending(self) -> int:
        return sum(lot.left for lot in self.lots if lot.waits_until)

    def soonest_first(self) -> list[Lot]:
        mine = [lot for lot in self.lots if not lot.waits_until]
        return sorted(mine, key=lambda lot: (lot.expires, lot.serial))

    def look(self, now: datetime) -> int:
        """Let what has waited long enough be spent."""
        due = [lot for lot in self.lots if lot.waits_until and lot.waits_until <= now]
        return self.activate(due)

    def activate(self, lots: list[Lot]) -> int:
        """Let points be spent; they pay debt first. Return how many there were."""
        points = sum(lot.left for lot in lots)
        for lot in sorted(lots, key=lambda lot: (lot.waits_until, lot.expires, lot.serial)):
            lot.waits_until = None
            paid = min(self.debt, lot.left)
            lot.left -= paid
            self.debt -= paid
        return points

    @contextmanager
    def looking(self, now: datetime) -> Iterator[None]:
        """Look before something is done; who is refused has not looked."""
        before = [(lot, lot.left, lot.waits_until) for lot in self.lots]
        debt = self.debt
        self.look(now)
        try:
            yield
        except Refused:
            self.debt = debt
            for lot, left, waits_until in before:
                lot.left, lot.waits_until = left, waits_until
            raise

    def wait(self, points: int, until: datetime, expires: datetime) -> Lot:
        """Points that will never be spent wait until they expire."""
        lot = Lot(next(self.serials), points, points, expires, min(until, expires))
        self.lots.append(lot)
        return lot

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
        gone = [(lot, lot.left) for lot in self.soonest_first() if lot.left and lot.expires <= now]
        for lot, _ in gone:
            lot.left = 0
        return sum(points for _, points in gone)


class NoBonuses:
    """Where nothing gives more than the lines earn."""

    def give(self, bought: Bought, *, is_first: bool) -> None:
        """Give what rules want to."""

    def take_back(self, bought: Bought) -> None:
        """Leave what rules would give for what is left."""


class NaiveShop:
    """What members hold, told by the words of the programme."""

    def __init__(
        self,
        *,
        months: int | None,
        may_owe: bool,
        has_tiers: bool = False,
        parts: Callable[[int], Parts] = at_once,
        bonuses: NoBonuses | None = None,
    ) -> None:
        self._months = months
        self._bonuses = bonuses or NoBonuses()
        self._parts = parts
        self._has_tiers = has_tiers
        self._may_owe = may_owe
        self.rates: list[tuple[datetime, Rates]] = [(datetime(1970, 1, 1, tzinfo=UTC), RATES)]
        self.wanted: list[Wanted] = []
        self.gone = Counter[str]()

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

    def earn(
        self, member: Holder, lines: tuple[Line, ...], at: datetime, pay: int, now: datetime
    ) -> tuple[int, Bought]:
        rates = self.rates_at(at)
        paid = self._paid(lines, pay)
        if any(line.product_type not in rates for line in lines):
            raise Refused("UNKNOWN_PRODUCT_TYPE")
        bought = Bought(member, lines, [line.quantity for line in lines], rates, at, [], paid)
        parts = member.spend_points(bought.points_in(), at)
        bought.purse = [lot for lot, step in parts for _ in range(step)]
        bought.order = next(member.serials)
        bought.times = LEVELS[member.level_at(at)][2]
        self._bonuses.give(bought, is_first=not member.bought)
        parts_of = bought.parts if bought.bonuses else self._parts
        points = bought.worth()
        for some, days in parts_of(points) if points else ():
            if days:
                lot = member.wait(some, midnight(at, days), self.expires(at))
                bought.own.append(lot)
                member.activate([lot] if lot.waits_until and lot.waits_until <= now else [])
            else:
                bought.own.append(member.credit(some, self.expires(at)))
        member.qualifying += points
        member.lifetime += points
        member.spend += sum(bought.cash())
        member.bought.append(bought)
        if self._has_tiers:
            self._rise(member, at, now)
        return points, bought

    @staticmethod
    def _rise(member: Holder, at: datetime, now: datetime) -> None:
        """Let a member rise, from the receipt on, by what was bought within a year until today."""
        today = max(at, now).astimezone(ZONE).date()
        is_leap_day = (today.month, today.day) == (2, 29)
        year_ago = today.replace(year=today.year - 1, day=28 if is_leap_day else today.day)
        spent = sum(
            sum(one.cash())
            for one in member.bought
            if year_ago < one.at.astimezone(ZONE).date() <= today
        )
        reached = max(level for level, (_, entry, _) in enumerate(LEVELS) if spent >= entry)
        since, before = member.rises[-1] if member.rises else (at, 0)
        if reached > before:
            member.rises.append((max(since, at), reached))

    @staticmethod
    def _paid(lines: tuple[Line, ...], pay: int) -> list[tuple[int, int]]:
        """Return the cents and points that pay for each line; 3 points are worth 2 cents."""
        if not pay:
            return [(0, 0)] * len(lines)
        cents = floor(Fraction(pay) * WORTH)
        total = sum(amount_of(line, line.quantity) for line in lines)
        if not cents:
            raise Refused("INVALID_INPUT")
        if cents > total * PAID_AT_MOST:
            raise Refused("PAYMENT_TOO_LARGE")
        points = ceil(cents / WORTH)
        shares, so_far = [(0, 0)], 0
        for line in lines:
            so_far += amount_of(line, line.quantity)
            up_to = floor(Fraction(cents * so_far, total))
            shares.append((up_to, floor(Fraction(points * up_to, cents))))
        return [
            (after[0] - before[0], after[1] - before[1])
            for before, after in itertools.pairwise(shares)
        ]

    def redeem(self, member: Holder, points: int, at: datetime, now: datetime) -> Taken:
        with member.looking(now):
            return Taken(member, member.spend_points(points, at), next(member.serials))

    def give_back(self, taken: Taken, now: datetime) -> int:
        with taken.member.looking(now):
            return self._give_back(taken, now)

    def _give_back(self, taken: Taken, now: datetime) -> int:
        """Return the points; what pays a debt is missing in the lots that expire first."""
        if taken.is_returned:
            raise Refused("INVALID_INPUT")
        taken.is_returned = True
        soonest_first = sorted(taken.parts, key=lambda part: (part[0].expires, part[0].serial))
        purse = [lot for lot, step in soonest_first for _ in range(step)]
        self._return(taken.member, purse, taken.order, now)
        return taken.points

    def _return(self, member: Holder, purse: list[Lot], order: int, now: datetime) -> None:
        """Put points back into their lots, those at the purse's end first."""
        paid = min(member.debt, len(purse))
        member.debt -= paid
        left = len(purse) - paid
        left -= self._reclaim(member, order, left)
        for lot in purse[::-1][:left]:
            lot.left += 1
        member.expire(now)

    def want(self, member: Holder, reward: str, now: datetime, *, minutes: int | None) -> Wanted:
        """Redeem a reward; holds of the member that are over are released before."""
        self.release([one for one in self.wanted if one.taken.member is member], now)
        cost, stock = REWARDS[reward]
        if stock is not None and self.gone[reward] >= stock:
            raise Refused("OUT_OF_STOCK")
        with member.looking(now):
            taken = Taken(member, member.spend_points(cost, now), next(member.serials))
        if minutes is None:
            wanted = Wanted(taken, reward, "ISSUED", self.last_moment(reward, now))
        else:
            wanted = Wanted(taken, reward, "HELD", now + timedelta(minutes=minutes))
            member.held += cost
        self.gone[reward] += 1
        self.wanted.append(wanted)
        return wanted

    def last_moment(self, reward: str, now: datetime) -> datetime | None:
        """A mug must be fetched within ten days, by midnight; a coffee waits for ever."""
        if reward != "MUG":
            return None
        day = now.astimezone(ZONE)
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(days=11)
        return midnight.astimezone(UTC)

    def step(self, wanted: Wanted, step: str, now: datetime) -> None:
        with wanted.taken.member.looking(now):
            self._step(wanted, step, now)

    def _step(self, wanted: Wanted, step: str, now: datetime) -> None:
        state = wanted.state
        if wanted.until and wanted.until <= now and state in ("HELD", "ISSUED"):
            state = {"HELD": "RELEASED", "ISSUED": "EXPIRED"}[state]
        becomes = {
            ("HELD", "CONFIRM"): "ISSUED",
            ("HELD", "CANCEL"): "CANCELLED",
            ("ISSUED", "USE"): "USED",
            ("ISSUED", "CANCEL"): "CANCELLED",
            ("USED", "REFUND"): "REFUNDED",
        }.get((state, step))
        if becomes is None:
            raise Refused(f"REDEMPTION_{state}")
        if becomes == "ISSUED":
            wanted.taken.member.held -= wanted.taken.points
            wanted.until = self.last_moment(wanted.reward, now)
        if becomes in ("CANCELLED", "REFUNDED"):
            self._undo(wanted, now)
        wanted.state = becomes

    def release(self, candidates: list[Wanted], now: datetime) -> int:
        """Undo holds that are over, the first that ended first."""
        return self._end(candidates, "HELD", "RELEASED", now)

    def expire_codes(self, candidates: list[Wanted], now: datetime) -> int:
        """Undo redemptions whose code was not used in time; their points come back."""
        return self._end(candidates, "ISSUED", "EXPIRED", now)

    def _end(self, candidates: list[Wanted], state: str, becomes: str, now: datetime) -> int:
        over = [one for one in candidates if one.state == state and one.until and one.until <= now]
        for one in over:
            self._undo(one, now)
            one.state = becomes
        return len(over)

    def _undo(self, wanted: Wanted, now: datetime) -> None:
        if wanted.state == "HELD":
            wanted.taken.member.held -= wanted.taken.points
        self.gone[wanted.reward] -= 1
        self._give_back(wanted.taken, now)

    def refund(
        self, bought: Bought, units: dict[int, int] | None, now: datetime
    ) -> tuple[int, int, int, int, int]:
        """Return amount, points due, points taken, shortfall and points given back."""
        with bought.member.looking(now):
            return self._refund(bought, units, now)

    def _refund(
        self, bought: Bought, units: dict[int, int] | None, now: datetime
    ) -> tuple[int, int, int, int, int]:
        if units is None:
            units = {n: left for n, left in enumerate(bought.left, 1) if left}
        if not units:
            raise Refused("INVALID_INPUT")
        for n, k in units.items():
            if not 1 <= n <= len(bought.left) or k < 1:
                raise Refused("INVALID_INPUT")
            if k > bought.left[n - 1]:
                raise Refused("REFUND_TOO_LARGE")
        worth, price, cash = bought.worth(), bought.price(), sum(bought.cash())
        points = bought.points_in()
        for n, k in units.items():
            bought.left[n - 1] -= k
        self._bonuses.take_back(bought)
        due, amount = worth - bought.worth(), price - bought.price()
        back = points - bought.points_in()
        bought.member.spend -= cash - sum(bought.cash())
        if back:
            returned = bought.purse[-back:]
            del bought.purse[-back:]
            self._return(bought.member, returned, bought.order, now)
        shortfall = self._claw_back(bought, due, now)
        return amount, due, due - shortfall, shortfall, back

    def _claw_back(self, bought: Bought, due: int, now: datetime) -> int:
        member = bought.member
        member.qualifying -= due
        waiting = [lot for lot in bought.own if lot.waits_until]
        waiting.sort(key=lambda lot: (lot.waits_until, lot.expires, lot.serial), reverse=True)
        missing = due - sum(step for _, step in member.take(waiting, due))
        for lot in waiting:
            lot.waits_until = lot.waits_until if lot.left else None
        if not missing:
            return 0
        member.expire(now)
        own = [lot for lot in member.soonest_first() if lot in bought.own]
        missing -= sum(step for _, step in member.take(own, missing))
        missing -= sum(step for _, step in member.take(member.soonest_first(), missing))
        if missing and self._may_owe:
            member.debt += missing
            return 0
        if missing:
            member.forgiven.append([next(member.serials), missing])
        return missing

    @staticmethod
    def _reclaim(member: Holder, order: int, points: int) -> int:
        """Return what the member gets back but was forgiven after he took it, newest first."""
        reclaimed = 0
        for one in reversed(member.forgiven):
            if one[0] > order:
                step = min(one[1], points - reclaimed)
                one[1] -= step
                reclaimed += step
        return reclaimed

    def adjust(self, member: Holder, points: int, now: datetime) -> None:
        with member.looking(now):
            if points > 0:
                member.credit(points, self.expires(now))
            else:
                member.spend_points(-points, now)
