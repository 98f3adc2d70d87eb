"""Books of many purchases, made by the product's own batch function, and how much room they take.

Members buy in turns over most of a year, so that the rows of one lie far apart, as they do in life.
Facts are numbered while they come.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from uuid import uuid4

from bench.ledger import Shop
from loyalty_graph import leases
from loyalty_graph.clock import utc_now
from loyalty_graph.db.statements import execute, read
from loyalty_graph.outbox import numbering
from loyalty_graph.usecases import purchases

AT_ONCE = 250
WRITERS = 3
DAYS = 300
LEASE_LIFE = timedelta(hours=1)
SIZES = """
    select relname, pg_total_relation_size(oid)
    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
"""


def buy(shop: Shop, each: int) -> int:
    """Let every member buy so often; return how many purchases that are."""
    return shop.runner.run(_buy(shop, each))


async def _buy(shop: Shop, each: int) -> int:
    coming = receipts(shop, each)
    bought = sum(await asyncio.gather(*(_till(shop, coming) for _ in range(WRITERS))))
    await _number()
    return bought


def receipts(shop: Shop, each: int) -> Iterator[purchases.RecordPurchase]:
    """Return what all members buy: once each in any order, then the next time, days later."""
    begin = utc_now() - timedelta(days=DAYS)
    for turn in range(each):
        at = begin + timedelta(days=turn * DAYS // each)
        for buyer in shop.chance.sample(shop.members, len(shop.members)):
            yield replace(shop.receipt(buyer), purchased_at=at)


async def _till(shop: Shop, coming: Iterator[purchases.RecordPurchase]) -> int:
    bought = 0
    while commands := list(islice(coming, AT_ONCE)):
        answers = await purchases.record(shop.program_id, commands, now=utc_now())
        refused = [one for one in answers if isinstance(one, Exception)]
        assert not refused, f"the bench sells what can be bought: {refused[:1]}"
        bought += len(answers)
        if bought % (AT_ONCE * 40) == 0:
            await _number()
    return bought


async def _number() -> None:
    """Number the facts that wait, as the worker does; one at a time."""
    lease = await leases.take(numbering.NUMBERING, uuid4(), now=utc_now(), life=LEASE_LIFE)
    if lease is None:
        return
    while await numbering.number(lease):
        pass
    await leases.release(lease, now=utc_now())


def tidy(shop: Shop) -> None:
    """Do what autovacuum and the checkpointer would do by and by (PostgreSQL)."""
    for statement in ("vacuum (analyze)", "checkpoint"):
        shop.runner.run(execute(statement))


def sizes(shop: Shop) -> Counter[str]:
    """Return the bytes of each table with its indexes and its large values (PostgreSQL)."""
    return Counter({name: int(size) for name, size in shop.runner.run(read(SIZES))})


def kb_each(before: Counter[str], after: Counter[str], many: int) -> dict[str, float]:
    """Return by how many kB (1,000 bytes) each table grew for one of so many, largest first."""
    grown = Counter({name: after[name] - before[name] for name in after})
    return {name: round(size / many / 1000, 3) for name, size in grown.most_common() if size}
