"""A second, naive opinion of what members hold, whatever happens to their points.

Nothing here uses the product's arithmetic: lots are small objects in lists, and what is done to
them is what the words of the programme say.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.usecases.naive_shop import NEVER, ZONE, Refused

MONTHS = 6
"""So long points live, to the end of the local day."""
FEE_POINTS, FEE_PERCENT = 1, 10
"""What giving points costs, begun points counted whole."""
UNMERGE = timedelta(days=30)
UNITS = {"TEA": (0, None), "MUG": (2, 5), "COFFEE": (3, 60)}
"""A unit earns a point at once, and so many that wait at most so many days."""
Parts = list[tuple["Lot", int]]


def end_of_day(at: datetime, days: int = 0) -> datetime:
    """Return the midnight that ends a local day, so many days later."""
    day = at.astimezone(ZONE).date() + timedelta(days=days + 1)
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def expires(at: datetime) -> datetime:
    """Return when points end that were earned at a time."""
    day = at.astimezone(ZONE).date()
    year, month = divmod(day.year * 12 + day.month - 1 + MONTHS, 12)
    last = (datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)).date()
    last -= timedelta(days=1)
    return end_of_day(datetime(year, month + 1, min(day.day, last.day), 12, tzinfo=UTC))


@dataclass(eq=False)
class Lot:
    """Points that came in together; `came_from` is the lot they were with a merged member."""

    owner: "Holder"
    serial: int
    points: int
    left: int
    expires: datetime
    waits_until: datetime | None = None
    told: datetime | None = None
    came_from: "Lot | None" = None
    came_waiting: bool = False
    waited_until: datetime | None = None
    is_activated: bool = False


@dataclass(eq=False)
class Holder:
    """A member; `forgiven` and `expired` hold what happened in order, with serials."""

    name: int
    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    qualifying: int = 0
    lifetime: int = 0
    forgiven: list[list[int]] = field(default_factory=list)
    expired: list["Expired"] = field(default_factory=list)
    into: "Holder | None" = None
    merged_at: datetime | None = None
    brought: int = 0

    def active(self) -> list[Lot]:
        """Return lots that do not wait, soonest to expire first."""
        return self._sorted(lot for lot in self.lots if not lot.waits_until)

    def waiting(self) -> list[Lot]:
        """Return lots that wait, soonest to expire first."""
        return self._sorted(lot for lot in self.lots if lot.waits_until)

    @staticmethod
    def _sorted(lots: Iterable[Lot]) -> list[Lot]:
        return sorted(lots, key=lambda lot: (lot.expires, lot.serial))

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.active()) - self.debt

    @property
    def pending(self) -> int:
        return sum(lot.left for lot in self.waiting())


@dataclass(eq=False)
class Expired:
    serial: int
    points: int
    at: datetime
    is_back: bool = False


@dataclass(eq=False)
class Bought:
    owner: Holder
    left: dict[str, int]
    points: int
    lots: list[Lot]
    due: int = 0
    cancelled: int = 0

    def worth(self) -> int:
        return sum(units * (1 + UNITS[kind][0]) for kind, units in self.left.items())


@dataclass(eq=False)
class Taken:
    """Points taken from lots: spent, set aside `until` then, by hand, or on their way."""

    owner: Holder
    parts: Parts
    order: int
    until: datetime | None = None
    state: str = "OPEN"
    id: Any = None

    @property
    def points(self) -> int:
        return sum(points for _, points in self.parts)


@dataclass(eq=False)
class Given:
    """Points that came in by hand or from elsewhere: a lot, out of a book."""

    owner: Holder
    lot: Lot | None
    book: str
    qualifying: int = 0
    is_back: bool = False


@dataclass(eq=False)
class Sent:
    """Points on their way: what was sent, and what that cost."""

    given: Taken
    fee: Taken
    to: Holder
    is_open: bool = True


class NaiveLedger:
    """What every member holds; `books` is what the programme's side adds up to."""

    def __init__(self, policy: str, *, notice_days: int | None, reinstate_days: int | None) -> None:
        self.policy, self.notice_days, self.reinstate_days = policy, notice_days, reinstate_days
        self.holders: list[Holder] = [Holder(name) for name in range(4)]
        self.bought: list[Bought] = []
        self.spent: list[Taken] = []
        self.holds: list[Taken] = []
        self.adjusted: list[Taken | Given] = []
        self.sent: list[Sent] = []
        self.books = Counter[str]()
        self.serial = 0

    def next(self) -> int:
        self.serial += 1
        return self.serial

    # --- what lots do

    def open_lot(self, holder: Holder, points: int, ends: datetime, **more: Any) -> Lot:
        """Add a lot that can be spent at once; debt is paid first."""
        paid = min(holder.debt, points)
        holder.debt -= paid
        lot = Lot(holder, self.next(), points, points - paid, ends, **more)
        holder.lots.append(lot)
        return lot

    def wait(self, holder: Holder, points: int, until: datetime, ends: datetime) -> Lot:
        until = min(until, ends)
        lot = Lot(holder, self.next(), points, points, ends, until, waited_until=until)
        holder.lots.append(lot)
        return lot

    def look(self, holder: Holder, now: datetime) -> None:
        """Let what has waited long enough be spent."""
        due = [lot for lot in holder.waiting() if lot.waits_until and lot.waits_until <= now]
        self.activate(sorted(due, key=lambda lot: (lot.waits_until, lot.expires, lot.serial)))

    @staticmethod
    def activate(lots: Iterable[Lot]) -> None:
        for lot in lots:
            lot.waits_until, lot.is_activated = None, True
            paid = min(lot.owner.debt, lot.left)
            lot.left -= paid
            lot.owner.debt -= paid

    def ends(self, lot: Lot) -> datetime:
        """Return from when on a lot cannot be spent: never before its owner was told."""
        if lot.told and lot.told >= lot.expires:
            return lot.told
        return NEVER if self.notice_days else lot.expires

    def can_spend(self, holder: Holder, now: datetime) -> int:
        return sum(lot.left for lot in holder.active() if self.ends(lot) > now)

    def spend(self, holder: Holder, points: int, now: datetime) -> Taken:
        usable = [lot for lot in holder.active() if self.ends(lot) > now]
        if sum(lot.left for lot in usable) < points:
            raise Refused("INSUFFICIENT_POINTS")
        return Taken(holder, self.take(usable, points), self.next())

    @staticmethod
    def take(lots: Iterable[Lot], points: int) -> Parts:
        parts = []
        for lot in lots:
            step = min(lot.left, points)
            lot.left -= step
            points -= step
            if not lot.left:
                lot.waits_until = None
            parts += [(lot, step)] if step else []
        return parts

    def expire(self, holder: Holder, now: datetime) -> list[tuple[Lot, Expired]]:
        gone = []
        for lot in holder.active():
            if lot.left and self.ends(lot) <= now:
                gone.append((lot, Expired(self.next(), lot.left, self.ends(lot))))
                self.books["EXPIRED"] += lot.left
                lot.left = 0
        holder.expired += [one for _, one in gone]
        return gone

    def forgiven_since(self, holder: Holder, order: int) -> int:
        return sum(points for serial, points in holder.forgiven if serial > order)

    def reclaim(self, holder: Holder, points: int) -> None:
        """Take back what was forgiven last."""
        self.books["FORGIVEN"] += points
        for one in reversed(holder.forgiven):
            step = min(one[1], points)
            one[1] -= step
            points -= step

    def forgive(self, holder: Holder, points: int) -> None:
        self.books["FORGIVEN"] -= points
        holder.forgiven.append([self.next(), points])

    def give_back(self, taken: Taken, parts: Parts, book: str, now: datetime) -> None:
        """Put points back into their lots: those that live longest, if some pay a debt."""
        holder, points = taken.owner, sum(step for _, step in parts)
        self.books[book] -= points
        paid = min(holder.debt, points)
        holder.debt -= paid
        reclaimed = min(self.forgiven_since(holder, taken.order), points - paid)
        self.reclaim(holder, reclaimed)
        left = points - paid - reclaimed
        back: Counter[int] = Counter()
        for lot, step in sorted(parts, key=lambda one: (one[0].expires, one[0].serial))[::-1]:
            lot.left += min(step, left)
            back[lot.serial] += min(step, left)
            left -= min(step, left)
        for lot, lost in self.expire(holder, now):
            if self.reinstate_days and back[lot.serial]:
                lost.is_back = True
                self.books["EXPIRED"] -= back[lot.serial]
                until = end_of_day(now + timedelta(days=self.reinstate_days))
                self.open_lot(holder, back[lot.serial], until)

    def claw_back(
        self, holder: Holder, due: int, own: Collection[Lot], book: str, now: datetime
    ) -> int:
        """Take points from `own` lots and then others; return what is forgiven."""
        if not due:
            return 0
        self.books[book] += due
        self.expire(holder, now)
        lots = sorted(holder.active(), key=lambda lot: lot not in own)
        missing = due - sum(step for _, step in self.take(lots, due))
        if self.policy == "ALLOW_NEGATIVE":
            holder.debt += missing
            return 0
        if missing:
            self.forgive(holder, missing)
        return missing

    def cancel(self, holder: Holder, lots: Collection[Lot], points: int) -> int:
        """Take points that wait, those that wait longest first; return how many."""
        mine = [lot for lot in holder.waiting() if lot in lots]
        mine.sort(key=lambda lot: (lot.waits_until, lot.expires, lot.serial), reverse=True)
        gone = sum(step for _, step in self.take(mine, points))
        self.books["CANCELLED"] += gone
        return gone

    def announce(self, now: datetime) -> None:
        """Tell owners what ends soon, once for every lot."""
        days = self.notice_days
        if days is None:
            return
        for lot in (lot for holder in self.holders for lot in holder.active() if lot.left):
            is_told = lot.told is not None and lot.told >= lot.expires
            if lot.expires <= now + timedelta(days=days + 1) and not is_told:
                lot.told = max(lot.expires, end_of_day(now + timedelta(days=days)))
