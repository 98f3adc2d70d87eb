"""What it costs that all callers buy for one member, whose account each purchase locks.

Both sides are the purchases of `bench/ledger.py` in the same shop, taking turns: for one member,
and for any of ten thousand.
"""

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.ledger import WARM_UP_S, Shop
from bench.rows import Measured, Row, alternate, row
from bench.servers import postgres

CALLERS = 64
POSTGRES_BAR = 0.7
SQLITE_BAR = 1.0


def hot() -> list[Row]:
    """Purchases for one member against those for everybody, on both databases."""
    with postgres() as server:
        rows = [_measured(server.database("hot"), "pg", server.version, bar=POSTGRES_BAR)]
    with tempfile.TemporaryDirectory() as scratch:
        url, version = f"sqlite://{Path(scratch) / 'hot.sqlite3'}", sqlite3.sqlite_version
        rows.append(_measured(url, "sqlite", f"SQLite {version}", bar=SQLITE_BAR))
    return rows


def _measured(url: str, name: str, version: str, *, bar: float) -> Row:
    with Shop.open(url) as shop:
        one = shop.members[:1]
        shop.gathered(CALLERS, seconds=WARM_UP_S)
        ours, uniform = alternate(
            lambda: shop.gathered(CALLERS, buyers=one), lambda: shop.gathered(CALLERS)
        )
    figure = row(
        "ledger",
        f"hot_{name}_{CALLERS}",
        Measured(ours, "purchases/s"),
        against="the same for any member",
        against_value=uniform,
        bar=bar,
    )
    return {**figure, "server": version}


SUITES: dict[str, Callable[[], list[Row]]] = {"ledger": hot}
