"""Transfers with one account that all of them share, against pgledger on the same server.

pgledger (github.com/pgr0ss/pgledger) is a ledger of SQL functions for PostgreSQL. Its SQL is no
part of this repository: LOYALTY_BENCH_PGLEDGER names `pgledger.sql` in a clone, beside its `vendor`
folder.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.ledger import ROUND_S, WARM_UP_S, Shop
from bench.rows import Measured, Row, alternate, row, skipped
from bench.servers import Server, postgres

CALLERS = 64
BAR = 5.0
PATH_VARIABLE = "LOYALTY_BENCH_PGLEDGER"
DATABASE = "pgledger"
AGAINST = "pgledger_create_transfer to one account"
UNIT = "transfers/s"
ACCOUNTS = """
    create table bench_account as
    select number, made.id
    from generate_series(0, 10000) number
    cross join lateral pgledger_create_account('account ' || number, 'POINTS') made;
    alter table bench_account add primary key (number);
    analyze;
"""
TRANSFER = """
\\set payer random(1, 10000)
select id from pgledger_create_transfer(
    (select id from bench_account where number = :payer),
    (select id from bench_account where number = 0), 13)
"""


def vs_pgledger() -> list[Row]:
    """Transfers with one shared account: our purchases against pgledger's own call.

    What is comparable: each transfer moves points between one of ten thousand members and one
    account that all transfers share, is durable when it is answered, and is asked for by one of 64
    callers who wait for theirs. With us the shared account is ISSUANCE, a sum that no transfer
    updates; pgledger locks and updates both accounts' rows. What is not: ours are whole purchases
    (key, receipt, three lines, tier, lot, hash, fact, card mark), decided in Python, whose calls
    are gathered; pgledger stores two entries with balances and has no keys, and pgbench, written in
    C, calls it, one transfer in a transaction, as its users do.
    """
    path = os.environ.get(PATH_VARIABLE)
    if not path:
        return [
            skipped("ledger", "vs_pgledger", UNIT, against=AGAINST, bar=BAR, why="no path"),
        ]
    with (
        postgres() as server,
        tempfile.TemporaryDirectory() as scratch,
        Shop.open(server.database("ledger")) as shop,
    ):
        script = Path(scratch) / "transfer.sql"
        script.write_text(TRANSFER)
        _install(server, Path(path))
        shop.gathered(CALLERS, seconds=WARM_UP_S)
        ours, theirs = alternate(
            lambda: shop.gathered(CALLERS),
            lambda: server.script_rate(DATABASE, CALLERS, round(ROUND_S), script),
        )
    figure = row(
        "ledger",
        "vs_pgledger",
        Measured(ours, UNIT),
        against=AGAINST,
        against_value=theirs,
        bar=BAR,
    )
    return [{**figure, "server": server.version}]


def _install(server: Server, path: Path) -> None:
    server.database(DATABASE)
    server.run(DATABASE, *(one.read_text() for one in scripts(path)), ACCOUNTS)


def scripts(path: Path) -> list[Path]:
    """Return what is to be run for pgledger, in order: what it needs comes first."""
    return [*sorted(path.parent.glob("vendor/*/*.sql")), path]


SUITES: dict[str, Callable[[], list[Row]]] = {"ledger": vs_pgledger}
