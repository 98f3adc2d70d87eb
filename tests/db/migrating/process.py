"""A process that migrates, and stands still where it is told to: URL FOLDER HOW TEXT TIMES.

HOW is `migrate` or `contract`. It says `still` and waits to be killed once a script with TEXT in it
has been run so many times, but not committed.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from loyalty_graph.db import Watch, contract, migrate
from loyalty_graph.db.migrating import course
from loyalty_graph.db.migrating.connections import (
    PostgresMigrationConnection,
    SqliteMigrationConnection,
)
from tests.db.support import opened


def stand_still_after(kind: Any, text: str, times: int) -> None:
    """Let a connection stand still after it has run a script so many times."""
    left = times

    def standing(work: Any) -> Any:
        async def run(self: Any, script: str) -> Any:
            nonlocal left
            answer = await work(self, script)
            left -= text in script
            if left == 0:
                sys.stdout.write("still\n")
                sys.stdout.flush()
                await asyncio.Event().wait()
            return answer

        return run

    kind.execute, kind.change = standing(kind.execute), standing(kind.change)


async def main(url: str, folder: Path, how: str) -> None:
    async with opened(url):
        if how == "contract":
            taken = await contract(watch=Watch(), folder=folder)
        else:
            taken = await migrate(folder=folder)
    sys.stdout.write(f"{' '.join(taken)}\n")


if __name__ == "__main__":
    course.BATCH_ROWS = 2
    for one in (SqliteMigrationConnection, PostgresMigrationConnection):
        stand_still_after(one, sys.argv[4], int(sys.argv[5]))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
