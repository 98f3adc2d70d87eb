"""One of several processes that write the same SQLite file: URL COUNT."""

import asyncio
import sys

from loyalty_graph.db import transaction
from tests.db.stage import add_one_to_both, opened


async def main(url: str, count: int) -> None:
    async with opened(url, "ours", fresh=False):
        for _ in range(count):
            await transaction(add_one_to_both)()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
