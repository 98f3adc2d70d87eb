"""A worker whose pushes are lines of a file: DATABASE_URL FILE START TIMES.

Its clock began at START and runs so many times as fast as ours, so that what a killed one held is
soon another one's.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import datetime

from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.db import open_database
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.claims import Claims
from loyalty_graph.wallet.service import Platform
from loyalty_graph.worker.duties import worker_duties
from loyalty_graph.worker.loops import Loop, running
from tests.wallet.holding import CARDS

AT_ONCE = 4


def telling(file: int, clock: Callable[[], datetime]) -> Loop:
    """Return the loop that writes down each push as if a phone had got it."""
    claims = Claims(Platform.APPLE, CARDS, clock=clock)

    async def step() -> float:
        await claims.give_back()
        claimed = await claims.take(AT_ONCE)
        for push in claimed:
            os.write(file, f"{push.target} {push.tag}\n".encode())
        await pushes.done(claimed, now=clock())
        claims.end(claimed)
        return 0.0 if claimed else 0.01

    async def close() -> None:
        os.close(file)

    return Loop("telling", step, close)


async def main(url: str, path: str, start: datetime, times: int) -> None:
    def clock() -> datetime:
        return start + (utc_now() - start) * times

    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with open_database(url):
        duties = worker_duties(load_settings(), clock=clock)
        async with running([*duties, telling(file, clock)]):
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3]), int(sys.argv[4]))
    )
