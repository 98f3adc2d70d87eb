"""What full durability costs on SQLite: purchases with synchronous=FULL against NORMAL.

With NORMAL an acknowledged purchase may be gone after a power cut. Both sides are the same calls of
the same callers on the same connection, taking turns.
"""

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.ledger import SQLITE_CALLERS, WARM_UP_S, Shop
from bench.rows import Measured, Row, alternate, row
from loyalty_graph.db import connection
from loyalty_graph.db.statements import execute

BAR = 0.8
LEVELS = {"NORMAL": 1, "FULL": 2}
"""What SQLite answers when it is asked for the level."""


def full_sync() -> list[Row]:
    """Gathered purchases with the product's setting against the weaker one."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        Shop.open(f"sqlite://{Path(scratch) / 'bench.sqlite3'}") as shop,
    ):
        assert shop.runner.run(level()) == LEVELS["FULL"], "the product's own setting"
        shop.gathered(SQLITE_CALLERS, seconds=WARM_UP_S)
        full, normal = alternate(lambda: _rate(shop, "FULL"), lambda: _rate(shop, "NORMAL"))
    figure = row(
        "ledger",
        "full_sync",
        Measured(full, "purchases/s"),
        against="synchronous=NORMAL",
        against_value=normal,
        bar=BAR,
    )
    return [{**figure, "server": f"SQLite {sqlite3.sqlite_version}"}]


def _rate(shop: Shop, synchronous: str) -> float:
    shop.runner.run(set_level(synchronous))
    # Both sides begin with a -wal file that is written anew: a checkpoint would hit one of them.
    shop.runner.run(execute("PRAGMA wal_checkpoint(RESTART)"))
    return shop.gathered(SQLITE_CALLERS)


async def set_level(synchronous: str) -> None:
    """Let the writer's commits wait for the disk (FULL), or only its checkpoints (NORMAL)."""
    await connection().execute_query(f"PRAGMA synchronous={synchronous}")
    assert await level() == LEVELS[synchronous], "SQLite ignores what it does not understand"


async def level() -> int:
    """Return the writer's level as SQLite tells it."""
    _, [(told,)] = await connection().execute_query("PRAGMA synchronous")
    return int(told)


SUITES: dict[str, Callable[[], list[Row]]] = {"ledger": full_sync}
