"""Forgets what is kept for a time only: each day a little at a time, and others go first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from loyalty_graph import idempotency
from loyalty_graph.jobs import service as jobs
from loyalty_graph.outbox import pruning
from loyalty_graph.wallet.apple import logs
from loyalty_graph.wallet.google import callbacks

Result = TypeVar("Result")


async def run(program_id: UUID, *, now: datetime) -> None:
    """Remove facts, answers to keys, dead jobs, phones' log lines and callbacks that are too old.

    It may be stopped at any time, and goes on the next time.
    """
    while await _unhurried(lambda: pruning.prune(program_id, now=now)):
        pass
    place: idempotency.Place | None = idempotency.BEGINNING
    while place is not None:
        place = await _unhurried(_answers_after(program_id, place, now))
    await jobs.forget_dead(program_id, now=now)
    await logs.prune(now=now)
    await callbacks.prune(now=now)


def _answers_after(
    program_id: UUID, place: idempotency.Place, now: datetime
) -> Callable[[], Awaitable[idempotency.Place | None]]:
    return lambda: idempotency.prune(program_id, after=place, now=now)


async def _unhurried(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do a piece of work, and leave the database to others for as long as it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    result = await work()
    await asyncio.sleep(loop.time() - began)
    return result
