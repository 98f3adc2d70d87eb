"""Auditing with several processes: Python works on one core, and an audit is mostly hashing."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from uuid import UUID

from loyalty_graph.db import open_database
from loyalty_graph.ledger import audit as ledger_audit
from loyalty_graph.ledger.audit import Audit

MEMBERS_AT_ONCE = 2_000
"""A portion: opening the database for it costs little beside, and memory stays small."""
MEMBERS_READ_AT_ONCE = 100
AHEAD = 2
"""How many portions wait for each process."""

Pages = AsyncIterator[list[UUID]]


@dataclass(frozen=True, slots=True)
class Processes:
    """So many processes with the database at `url`, as long as an audit lasts."""

    url: str
    count: int

    async def audit(
        self, program_id: UUID, pages: Pages, *, with_details: bool
    ) -> AsyncIterator[Audit]:
        """Yield the outcome of each portion of members, in any order."""
        loop, waiting = asyncio.get_running_loop(), set[asyncio.Future[Audit]]()
        # A fork would share the open database.
        with ProcessPoolExecutor(
            self.count, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_first
        ) as pool:
            async for members in _portions(pages):
                wanted = (self.url, program_id, members, with_details)
                waiting.add(loop.run_in_executor(pool, _audit, *wanted))
                if len(waiting) >= AHEAD * self.count:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for one in done:
                        yield one.result()
            for next_one in asyncio.as_completed(waiting):
                yield await next_one


async def _portions(pages: Pages) -> Pages:
    portion: list[UUID] = []
    async for members in pages:
        portion += members
        if len(portion) >= MEMBERS_AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _leave_interrupts_to_the_first() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _audit(
    url: str,
    program_id: UUID,
    members: Sequence[UUID],
    with_details: bool,  # noqa: FBT001 - executors pass by position
) -> Audit:
    """Audit a portion, in a process of a pool."""

    async def work() -> Audit:
        result = Audit()
        async with open_database(url, create=False):
            for first in range(0, len(members), MEMBERS_READ_AT_ONCE):
                some = members[first : first + MEMBERS_READ_AT_ONCE]
                result.add(await ledger_audit.audit(program_id, some, with_details=with_details))
        return result

    return asyncio.run(work())
