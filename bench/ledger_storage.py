"""How much room a purchase with three lines takes on PostgreSQL, with all it leaves behind.

That is every table with its indexes, also what is kept for 30 days only: facts and the answers for
retries. What was there before the purchases, members and accounts, does not count.
"""

from collections.abc import Callable
from functools import partial

from bench.ledger import Shop, filled
from bench.ledger_books import buy, kb_each, sizes, tidy
from bench.rows import Measured, Row, row
from bench.servers import postgres
from loyalty_graph.db.statements import execute

MEMBERS = 1_000
OF_A_MEMBER = 20
LIMIT_KB = 3.5
LARGEST = 8


def storage(members: int = MEMBERS, each: int = OF_A_MEMBER) -> list[Row]:
    """The kilobytes of a purchase against the limit, after VACUUM."""
    with (
        postgres() as server,
        Shop.open(server.database("ledger"), partial(filled, members)) as shop,
    ):
        tidy(shop)
        before, bought = sizes(shop), 0
        for _ in range(each):
            bought += buy(shop, 1)
            # As autovacuum does: what the numbering of facts leaves behind is room for the next.
            shop.runner.run(execute("vacuum fact"))
        tidy(shop)
        tables = kb_each(before, sizes(shop), bought)
    figure = row(
        "ledger",
        "storage",
        Measured(sum(tables.values()), "kB/purchase"),
        against="3.5 kB",
        against_value=LIMIT_KB,
        bar=1.0,
    )
    # Less is better here.
    return [
        {
            **figure,
            "holds": figure["ratio"] <= 1.0,
            "purchases": bought,
            "largest_kb": dict(list(tables.items())[:LARGEST]),
            "server": server.version,
        }
    ]


SUITES: dict[str, Callable[[], list[Row]]] = {"ledger": storage}
