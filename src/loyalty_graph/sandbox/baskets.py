"""The demo's purchases: a year of baskets in compact columns, moved in time and read day by day."""

import lzma
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, islice, takewhile
from pathlib import Path
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from loyalty_graph.errors import InvalidInputError

FORMAT = "complete-journey-1"
MINUTES_PER_DAY = 24 * 60
DAYS_PER_WEEK = 7
SLICE_CHARACTERS = 1 << 16
Column: TypeAlias = "array[int]"  # Python 3.11 cannot subscript array when it runs


class Line(NamedTuple):
    """All that a basket holds of one product type, in cents.

    `cents` is what the shop received: the card discount is off already. `coupon_cents` of it came
    from the maker of the goods; the customer paid the difference, which is never below zero.
    """

    product_type: str
    cents: int
    quantity: int
    discount_cents: int
    coupon_cents: int


class Basket(NamedTuple):
    """One visit to the till, at the wall clock of the shop.

    `row` is its place in the file: it stays the same whatever the dates are moved by and however
    many households are read, and it tells apart two baskets of a household in one minute.
    """

    household: int
    local_date: date
    minute_of_day: int
    store: int
    row: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Baskets:
    """The columns of the file, a number per basket or per line; see presets/demo/README.md.

    `minute` counts from the start of `first_date`. The lines of basket `row` stand from
    `first_line[row]` up to `first_line[row + 1]`. `order` lists the rows forward in time.
    """

    first_date: date
    last_date: date
    product_types: tuple[str, ...]
    household: Column
    minute: Column
    store: Column
    first_line: Column
    order: Column
    product_type: Column
    cents: Column
    quantity: Column
    discount: Column
    coupon: Column

    def __len__(self) -> int:
        return len(self.household)

    @property
    def households(self) -> int:
        """How many households there are; they are numbered from 0."""
        return self.household[-1] + 1

    def ending_before(self, today: date) -> "Baskets":
        """Return the same baskets moved by whole weeks to end on the last Sunday before today.

        The columns are shared, not copied.
        """
        shift = timedelta(weeks=weeks_to_last_sunday(self.last_date, today))
        return replace(self, first_date=self.first_date + shift, last_date=self.last_date + shift)

    def days(self) -> Iterator[tuple[date, list[Basket]]]:
        """Yield every day of the period, also one without baskets, with the baskets of that day."""
        for number in range((self.last_date - self.first_date).days + 1):
            day = self.first_date + timedelta(days=number)
            yield day, self.on(day)

    def on(self, day: date) -> list[Basket]:
        """Return the baskets of one local date, in the order of minute, household and row."""
        first = (day - self.first_date).days * MINUTES_PER_DAY
        start = bisect_left(self.order, first, key=self.minute.__getitem__)
        end = bisect_left(self.order, first + MINUTES_PER_DAY, key=self.minute.__getitem__)
        return [self._basket(row, day) for row in self.order[start:end]]

    def _basket(self, row: int, day: date) -> Basket:
        lines = range(self.first_line[row], self.first_line[row + 1])
        return Basket(
            household=self.household[row],
            local_date=day,
            minute_of_day=self.minute[row] % MINUTES_PER_DAY,
            store=self.store[row],
            row=row,
            lines=tuple(map(self._line, lines)),
        )

    def _line(self, place: int) -> Line:
        return Line(
            self.product_types[self.product_type[place]],
            self.cents[place],
            self.quantity[place],
            self.discount[place],
            self.coupon[place],
        )


def load_baskets(path: Path, *, households: int | None = None) -> Baskets:
    """Read the file, or only its first households, into columns of a few bytes per number.

    Raises:
        InvalidInputError: this is not a file of demo purchases.
    """
    assert households is None or households > 0, "a demo needs a household"
    try:
        with lzma.open(path, "rt", encoding="ascii") as file:
            return _decoded(file, households)
    except (EOFError, ValueError, lzma.LZMAError) as error:
        raise InvalidInputError(f"{path.name} is not a file of demo purchases.") from error


def _decoded(file: Iterator[str], households: int | None) -> Baskets:
    if _column(file, "format") != FORMAT:
        raise ValueError(FORMAT)
    first_date, last_date = map(date.fromisoformat, _column(file, "dates").split(","))
    product_types = tuple(_column(file, "types").split(","))
    household = array("H", _households(_column(file, "household"), households))
    minute = array("I", _minutes(_column(file, "minute"), household))
    store = array("H", islice(_numbers(_column(file, "store")), len(household)))
    counts = islice(_numbers(_column(file, "lines")), len(household))
    first_line = array("I", accumulate(counts, initial=0))

    def of_lines(name: str, typecode: str) -> Column:
        return array(typecode, islice(_numbers(_column(file, name)), first_line[-1]))

    return Baskets(
        first_date=first_date,
        last_date=last_date,
        product_types=product_types,
        household=household,
        minute=minute,
        store=store,
        first_line=first_line,
        order=array("I", sorted(range(len(minute)), key=minute.__getitem__)),
        product_type=of_lines("type", "B"),
        cents=of_lines("cents", "I"),
        quantity=of_lines("quantity", "H"),
        discount=of_lines("discount", "I"),
        coupon=of_lines("coupon", "I"),
    )


def _column(file: Iterator[str], name: str) -> str:
    found, _, values = next(file, "").rstrip("\n").partition(",")
    if found != name:
        raise ValueError(name)
    return values


def _numbers(column: str) -> Iterator[int]:
    """Yield the numbers of a column; only a slice of them is ever split into strings."""
    start = 0
    while start < len(column):
        end = column.find(",", start + SLICE_CHARACTERS)
        end = len(column) if end < 0 else end
        yield from map(int, column[start:end].split(","))
        start = end + 1


def _households(column: str, households: int | None) -> Iterator[int]:
    """Yield the household of each basket: the column holds 1 where the next one begins."""
    numbers = (count - 1 for count in accumulate(_numbers(column)))
    return takewhile(lambda number: households is None or number < households, numbers)


def _minutes(column: str, household: Column) -> Iterator[int]:
    """Yield minutes since the first date: the column counts from the household's last basket."""
    before, minute = None, 0
    for number, step in zip(household, _numbers(column), strict=False):
        minute = minute + step if number == before else step
        before = number
        yield minute


def last_sunday_before(today: date) -> date:
    """Return the last Sunday whose day is over: on a Sunday, that of the week before."""
    return today - timedelta(days=today.isoweekday())


def weeks_to_last_sunday(last_date: date, today: date) -> int:
    """Return the whole weeks from a Sunday to the last Sunday before today; negative goes back.

    A date that is no Sunday lands in the week that this Sunday ends.
    """
    return (last_sunday_before(today) - last_date).days // DAYS_PER_WEEK


def instant_of(day: date, minute_of_day: int, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC at which a wall clock in the zone shows this minute.

    A time that the clock skips in spring moves forward by the skipped hour; of a time shown twice
    in autumn the first is meant. Both are what `fold=0` says (PEP 495).
    """
    clock = time(*divmod(minute_of_day, 60), tzinfo=zone)
    return datetime.combine(day, clock).astimezone(UTC)
