"""A process of its own that records purchases, many at once: DATABASE_URL PROGRAM NAME NUMBER.

It prints the points of all of them together.
"""

import asyncio
import sys
from dataclasses import replace
from uuid import UUID

from loyalty_graph.db import open_database
from loyalty_graph.usecases import purchases
from loyalty_graph.usecases.purchase_command import PurchaseRecorded
from tests.shop import NOON, Shop
from tests.usecases.test_bonuses import TEA


async def main(url: str, program: str, name: str, number: int) -> None:
    async with open_database(url):
        shop = Shop(UUID(program))
        buyers = [await shop.enrol(external_id=f"{name}-{n}") for n in range(4)]
        receipts = [
            replace(
                shop.receipt(buyers[n % len(buyers)], TEA),
                idempotency_key=f"{name}-{n}",
                external_id=f"{name}-{n}",
            )
            for n in range(number)
        ]
        calls = (purchases.record(shop.program_id, [one], now=NOON) for one in receipts)
        answers = [one for [one] in await asyncio.gather(*calls)]
    points = sum(one.points for one in answers if isinstance(one, PurchaseRecorded))
    sys.stdout.write(f"{len(answers)} {points}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
