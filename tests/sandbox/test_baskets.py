import lzma
from array import array
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.sandbox.baskets import (
    Basket,
    Baskets,
    Line,
    instant_of,
    last_sunday_before,
    load_baskets,
    weeks_to_last_sunday,
)

FILE = Path(__file__).parents[2] / "presets" / "demo" / "complete-journey.txt.xz"
NEW_YORK = ZoneInfo("America/New_York")
SMALL = """\
format,complete-journey-1
dates,2017-01-01,2017-01-08
types,GROCERY,FUEL
household,1,0,0,1,1
minute,600,0,840,599,10140
store,7,7,8,9,7
lines,2,1,1,1,1
type,0,1,1,0,1,0
cents,100,200,300,400,500,600
quantity,1,1,1,2,1,3
discount,0,5,0,0,10,0
coupon,50,0,0,0,0,0
"""


@pytest.fixture(scope="module")
def year() -> Baskets:
    return load_baskets(FILE)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path, SMALL)


def write(folder: Path, text: str) -> Path:
    path = folder / "small.txt.xz"
    path.write_bytes(lzma.compress(text.encode("ascii")))
    return path


def test_the_committed_file_stays_small():
    assert FILE.stat().st_size == 1_786_120


def test_the_committed_file_holds_what_its_note_says(year: Baskets):
    assert year.households == 2_469
    assert len(year) == 155_370
    assert len(set(year.store)) == 457
    assert (year.first_date, year.last_date) == (date(2017, 1, 1), date(2017, 12, 31))
    assert len(year.cents) == 396_304
    assert sum(year.cents) == 459_603_958
    assert sum(year.discount) == 79_144_990
    assert sum(year.coupon) == 2_005_653


def test_every_product_type_has_its_lines_and_money(year: Baskets):
    lines = Counter(year.product_type)
    cents = Counter[int]()
    for kind, amount in zip(year.product_type, year.cents, strict=True):
        cents[kind] += amount

    found = {name: (lines[n], cents[n]) for n, name in enumerate(year.product_types)}
    assert found == {
        "GROCERY": (119_230, 218_257_846),
        "HEALTH_AND_HOUSEHOLD": (62_655, 54_007_388),
        "FUEL": (14_691, 38_404_407),
        "PRODUCE": (50_693, 32_285_882),
        "MEAT": (30_027, 30_857_533),
        "PACKAGED_MEAT": (32_892, 23_228_253),
        "DELI": (24_377, 16_911_941),
        "ALCOHOL": (12_455, 14_654_747),
        "BAKERY": (17_072, 6_911_668),
        "NUTRITION": (9_829, 5_726_122),
        "TOBACCO": (6_549, 5_675_357),
        "SEAFOOD": (6_593, 5_305_882),
        "FLORAL_AND_GARDEN": (2_510, 2_765_497),
        "COSMETICS": (2_954, 1_898_744),
        "OTHER": (3_392, 1_450_276),
        "GIFT_CARD": (385, 1_262_415),
    }


def test_every_line_costs_something_and_no_coupon_exceeds_it(year: Baskets):
    fuel = year.product_types.index("FUEL")
    pieces_of_fuel = {
        quantity
        for kind, quantity in zip(year.product_type, year.quantity, strict=True)
        if kind == fuel
    }

    assert min(year.cents) == 1
    assert min(year.quantity) == 1
    assert max(year.quantity) == 212
    assert pieces_of_fuel == {1}
    assert all(map(int.__le__, year.coupon, year.cents))


def test_the_year_begins_and_ends_with_these_baskets(year: Baskets):
    first = year.on(year.first_date)[0]
    last = year.on(year.last_date)[-1]

    assert first == Basket(
        household=892,
        local_date=date(2017, 1, 1),
        minute_of_day=6 * 60 + 53,
        store=330,
        row=54_638,
        lines=(Line("BAKERY", 50, 1, 0, 0),),
    )
    assert last == Basket(
        household=2_047,
        local_date=date(2017, 12, 31),
        minute_of_day=23 * 60 + 1,
        store=311,
        row=128_514,
        lines=(Line("GROCERY", 552, 3, 59, 0), Line("PACKAGED_MEAT", 500, 2, 298, 0)),
    )


def test_the_days_of_the_year_hold_every_basket_once_and_forward_in_time(year: Baskets):
    days = [(day, [(b.minute_of_day, b.row) for b in baskets]) for day, baskets in year.days()]

    rows = [row for _, baskets in days for _, row in baskets]
    assert len(days) == 365
    assert all((later - day).days == 1 for (day, _), (later, _) in pairwise(days))
    assert all(baskets == sorted(baskets) for _, baskets in days)
    assert sorted(rows) == list(range(155_370))
    assert [day for day, baskets in days if not baskets] == [date(2017, 12, 25)]


def test_a_year_is_held_in_compact_columns(year: Baskets):
    held = [getattr(year, name) for name in Baskets.__slots__]

    columns = [value for value in held if isinstance(value, array)]
    assert len(columns) == 10
    assert [len(value) for value in held[:3] if isinstance(value, tuple)] == [16]
    assert sum(column.itemsize * len(column) for column in columns) == 8_430_484


def test_the_first_households_are_the_same_in_a_smaller_demo(year: Baskets):
    some = load_baskets(FILE, households=500)

    assert (some.households, len(some), len(some.cents)) == (500, 30_058, 77_206)
    assert (some.first_date, some.last_date) == (year.first_date, year.last_date)
    day = date(2017, 3, 4)
    assert some.on(day) == [basket for basket in year.on(day) if basket.household < 500]
    assert len(some.on(day)) == 103


@pytest.mark.parametrize(("households", "held"), [(1, 3), (2, 4), (3, 5), (4, 5)])
def test_a_number_of_households_beyond_the_last_takes_all(small: Path, households: int, held: int):
    baskets = load_baskets(small, households=households)

    assert len(baskets) == held
    assert baskets.households == min(households, 3)


def test_a_day_is_ordered_by_minute_then_by_row(small: Path):
    baskets = load_baskets(small)

    days = {day: [(b.minute_of_day, b.row) for b in found] for day, found in baskets.days()}
    assert days[date(2017, 1, 1)] == [(599, 3), (600, 0), (600, 1)]
    assert days[date(2017, 1, 2)] == [(0, 2)]
    assert days[date(2017, 1, 8)] == [(60, 4)]
    assert len(days) == 8


def test_a_basket_carries_its_own_lines(small: Path):
    first, second = load_baskets(small).on(date(2017, 1, 1))[1:]

    assert first.lines == (Line("GROCERY", 100, 1, 0, 50), Line("FUEL", 200, 1, 5, 0))
    assert second.lines == (Line("FUEL", 300, 1, 0, 0),)


def test_moved_baskets_keep_weekday_minute_and_row(small: Path):
    baskets = load_baskets(small)

    moved = baskets.ending_before(date(2026, 11, 22))

    assert (moved.first_date, moved.last_date) == (date(2026, 11, 8), date(2026, 11, 15))
    assert moved.on(date(2026, 11, 9)) == [
        basket._replace(local_date=date(2026, 11, 9)) for basket in baskets.on(date(2017, 1, 2))
    ]
    assert baskets.last_date == date(2017, 1, 8)
    assert moved.cents is baskets.cents


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("household,1\n", id="no format"),
        pytest.param(SMALL.replace("journey-1", "journey-2"), id="another format"),
        pytest.param(SMALL.replace("store", "shop"), id="another column"),
        pytest.param(SMALL.replace("cents,100", "cents,1.00"), id="no whole number"),
        pytest.param(SMALL.partition("coupon")[0], id="cut short"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str):
    path = write(tmp_path, text)

    with pytest.raises(InvalidInputError, match=r"small\.txt\.xz is not a file of demo purchases"):
        load_baskets(path)


@pytest.mark.parametrize("keep", [0, 10, 1_000], ids=["nothing", "part of the head", "the head"])
def test_a_damaged_archive_is_refused(tmp_path: Path, keep: int):
    path = tmp_path / "cut.txt.xz"
    path.write_bytes(FILE.read_bytes()[:keep])

    with pytest.raises(InvalidInputError, match=r"cut\.txt\.xz is not"):
        load_baskets(path)


@pytest.mark.parametrize(
    ("today", "sunday"),
    [
        pytest.param(date(2026, 11, 22), date(2026, 11, 15), id="a Sunday means the one before"),
        pytest.param(date(2026, 11, 23), date(2026, 11, 22), id="Monday"),
        pytest.param(date(2026, 11, 28), date(2026, 11, 22), id="Saturday"),
        pytest.param(date(2024, 2, 29), date(2024, 2, 25), id="leap day"),
        pytest.param(date(2024, 3, 1), date(2024, 2, 25), id="after a leap day"),
        pytest.param(date(2027, 1, 1), date(2026, 12, 27), id="new year"),
    ],
)
def test_the_last_sunday_is_a_day_that_is_over(today: date, sunday: date):
    assert last_sunday_before(today) == sunday
    assert sunday.isoweekday() == 7


@pytest.mark.parametrize(
    ("last", "today", "weeks", "lands"),
    [
        pytest.param(date(2017, 12, 31), date(2026, 11, 22), 463, date(2026, 11, 15), id="years"),
        pytest.param(date(2017, 12, 31), date(2024, 3, 4), 322, date(2024, 3, 3), id="leap year"),
        pytest.param(date(2017, 12, 31), date(2018, 1, 1), 0, date(2017, 12, 31), id="not at all"),
        pytest.param(date(2017, 12, 31), date(2017, 12, 31), -1, date(2017, 12, 24), id="back"),
        pytest.param(date(2017, 12, 30), date(2018, 1, 8), 1, date(2018, 1, 6), id="a Saturday"),
    ],
)
def test_dates_move_by_whole_weeks(last: date, today: date, weeks: int, lands: date):
    assert weeks_to_last_sunday(last, today) == weeks
    assert date.fromordinal(last.toordinal() + weeks * 7) == lands


@pytest.mark.parametrize(
    ("day", "clock", "instant"),
    [
        pytest.param((2026, 1, 15), (0, 0), (2026, 1, 15, 5, 0), id="winter"),
        pytest.param((2026, 7, 15), (23, 59), (2026, 7, 16, 3, 59), id="summer"),
        pytest.param((2026, 3, 8), (1, 59), (2026, 3, 8, 6, 59), id="last minute of winter"),
        pytest.param((2026, 3, 8), (2, 0), (2026, 3, 8, 7, 0), id="skipped: is 3:00"),
        pytest.param((2026, 3, 8), (2, 59), (2026, 3, 8, 7, 59), id="skipped: is 3:59"),
        pytest.param((2026, 3, 8), (3, 0), (2026, 3, 8, 7, 0), id="first minute of summer"),
        pytest.param((2026, 11, 1), (0, 59), (2026, 11, 1, 4, 59), id="before the doubled hour"),
        pytest.param((2026, 11, 1), (1, 30), (2026, 11, 1, 5, 30), id="doubled: the first"),
        pytest.param((2026, 11, 1), (2, 0), (2026, 11, 1, 7, 0), id="after the doubled hour"),
        pytest.param((2024, 2, 29), (12, 0), (2024, 2, 29, 17, 0), id="leap day"),
        pytest.param((2026, 12, 31), (20, 0), (2027, 1, 1, 1, 0), id="new year in UTC"),
    ],
)
def test_a_wall_clock_becomes_an_instant(
    day: tuple[int, int, int], clock: tuple[int, int], instant: tuple[int, int, int, int, int]
):
    hour, minute = clock

    found = instant_of(date(*day), hour * 60 + minute, NEW_YORK)

    assert found == datetime(*instant, tzinfo=UTC)
    assert found.tzinfo is UTC
