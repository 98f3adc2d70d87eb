"""What becomes slower as the books grow: purchases, and the wallet on a member's home screen.

Members of all books have ten transfers each, but the members of the empty ones, who have none. Each
round opens every database anew, since a process has one open, and warms up.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from statistics import median
from typing import NamedTuple
from uuid import UUID

from bench.ledger import MEMBERS, ROUND_S, WARM_UP_S, Shop, Town, filled
from bench.ledger_books import buy, kb_each, sizes, tidy
from bench.rows import Measured, Row, alternate, row
from bench.servers import TPCB_SCALE, Server, postgres
from loyalty_graph.clock import utc_now
from loyalty_graph.ledger import reads

CALLERS = 64
OF_A_MEMBER = 10
MANY = 100_000
FEW = 1_000
ROUNDS = 3
GROWTH_BAR = 0.6
READ_LIMIT = 1.3


class Books(NamedTuple):
    """A database that is closed, and who is in it."""

    url: str
    town: Town
    numbers: "count[int]"
    purchases: int
    fill_s: float
    kb_each: float


def grown(many: int = MANY) -> list[Row]:
    """Purchases and wallet reads on the books of many members against those on small ones."""
    with postgres() as server:
        server.prepare_tpcb()
        empty = _books(server, "empty", members=MEMBERS, each=0)
        small = _books(server, "small", members=FEW, each=OF_A_MEMBER)
        large = _books(server, "large", members=many, each=OF_A_MEMBER)
        rows = [_growth(server, empty, large), _wallet_read(small, large)]
        return [{**one, "server": server.version} for one in rows]


def _books(server: Server, name: str, *, members: int, each: int) -> Books:
    begun = time.perf_counter()
    with Shop.open(url := server.database(name), partial(filled, members)) as shop:
        tidy(shop)
        before = sizes(shop)
        bought = buy(shop, each) if each else 0
        fill_s = time.perf_counter() - begun
        tidy(shop)
        kb = sum(kb_each(before, sizes(shop), bought or 1).values())
        town = (shop.program_id, shop.members)
        return Books(url, town, shop.numbers, bought, round(fill_s), round(kb, 2))


def _open(books: Books) -> AbstractContextManager[Shop]:
    async def known() -> Town:
        return books.town

    return Shop.open(books.url, known, books.numbers)


def _growth(server: Server, empty: Books, large: Books) -> Row:
    """Purchases relative to TPC-B of the same moment: on the large books against the empty ones."""
    rates: list[float] = []

    def percent(books: Books) -> float:
        with _open(books) as shop:
            shop.gathered(CALLERS, seconds=WARM_UP_S)
            rates.append(shop.gathered(CALLERS))
            return 100 * rates[-1] / server.tpcb_rate(CALLERS, round(ROUND_S))

    ours, theirs = alternate(lambda: percent(large), lambda: percent(empty), rounds=ROUNDS)
    figure = row(
        "ledger",
        "growth",
        Measured(ours, f"% of TPC-B at {CALLERS} clients, scale {TPCB_SCALE}"),
        against="the same on an empty database",
        against_value=theirs,
        bar=GROWTH_BAR,
    )
    return {
        **figure,
        "transfers": large.purchases,
        "purchases_per_s": round(median(rates[::2])),
        "purchases_per_s_empty": round(median(rates[1::2])),
        "fill_s": large.fill_s,
        "kb_per_purchase": large.kb_each,
    }


def _wallet_read(small: Books, large: Books) -> Row:
    """What the home screen reads of a member's wallet, one member after another."""
    ours, theirs = alternate(lambda: _read_us(large), lambda: _read_us(small), rounds=ROUNDS)
    figure = row(
        "ledger",
        "wallet_read",
        Measured(ours, f"us at {large.purchases} transfers"),
        against=f"at {small.purchases}",
        against_value=theirs,
        bar=READ_LIMIT,
    )
    # Less is better here.
    return {**figure, "holds": figure["ratio"] <= READ_LIMIT}


def _read_us(books: Books) -> float:
    with _open(books) as shop:
        shop.runner.run(_read(shop, WARM_UP_S))
        return shop.runner.run(_read(shop, ROUND_S))


async def _read(shop: Shop, seconds: float) -> float:
    """Read wallets of any members for so long; return the microseconds that one took."""
    done, begun = 0, time.perf_counter()
    while (took_s := time.perf_counter() - begun) < seconds:
        member_id = UUID(shop.chance.choice(shop.members).value)
        now = utc_now()
        await reads.balances(shop.program_id, [member_id], now=now)
        await reads.expirations(shop.program_id, [member_id], now=now)
        done += 1
    return took_s / done * 1e6


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"ledger.growth": grown}
