"""A process of its own that gives points and is killed half-way: DATABASE_URL PROGRAM FROM TO."""

import asyncio
import os
import signal
import sys
from uuid import UUID

from loyalty_graph.db import open_database
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.usecases import transfers
from tests.shop import NOON


async def be_killed(*_: object, **__: object) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody outlives this")


async def main(url: str, program: str, giver: str, recipient: str) -> None:
    transfers._bring = be_killed
    member, to = (Reference(ReferenceKind.ID, one) for one in (giver, recipient))
    command = transfers.TransferPoints(f"member:{giver}", "gift", member, to, 70)
    async with open_database(url):
        await transfers.transfer(UUID(program), command, now=NOON)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
