"""The books that are measured: who buys when, and what a purchase takes."""

import asyncio
import random
from collections import Counter
from itertools import count, pairwise
from uuid import UUID

from bench.ledger import Shop
from bench.ledger_books import kb_each, receipts
from loyalty_graph.members.rules import Reference, ReferenceKind


def test_everybody_buys_once_before_anybody_buys_again():
    members = [Reference(ReferenceKind.NUMBER, number) for number in ("1", "2", "3")]
    chance = random.Random(1)  # noqa: S311 - no secret
    with asyncio.Runner() as runner:
        shop = Shop(runner, UUID(int=1), members, count(), chance, "sqlite")

        found = list(receipts(shop, 2))

    buyers = [one.member for one in found]
    assert set(buyers[:3]) == set(buyers[3:]) == set(members)
    assert len({one.external_id for one in found}) == 6
    later = [after.purchased_at > before.purchased_at for before, after in pairwise(found)]
    assert later == [False, False, True, False, False]


def test_the_tables_that_grew_are_told_largest_first():
    before = Counter({"member": 8_000, "lot": 1_000})
    after = Counter({"member": 8_000, "lot": 3_000, "fact": 10_000})

    assert kb_each(before, after, 4) == {"fact": 2.5, "lot": 0.5}
