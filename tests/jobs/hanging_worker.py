"""A worker that claims jobs, says so, and never ends them: DATABASE_URL."""

import asyncio
import sys

from loyalty_graph.db import open_database
from loyalty_graph.jobs.rules import Handler, Job
from tests.jobs.making import runner
from tests.shop import NOON


async def hang(_job: Job) -> None:
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def main(url: str) -> None:
    async with open_database(url):
        await runner({"polish": Handler(hang)}).run_due(NOON, 3)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
