"""One of several processes that write the same SQLite file: URL KIND COUNT; says what it did."""

import asyncio
import sys

from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction  # noqa: TID251 - stock is run beside ours

from loyalty_graph.db import transaction
from tests.db.stage import add_one_to_both, opened


async def plain() -> None:
    async with in_transaction():
        await add_one_to_both()


async def main(url: str, kind: str, count: int) -> None:
    job = plain if kind == "stock" else transaction(add_one_to_both)
    done = refused = 0
    async with opened(url, kind, fresh=False):
        for _ in range(count):
            try:
                await job()
                done += 1
            except OperationalError:
                refused += 1
    sys.stdout.write(f"{done} {refused}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
