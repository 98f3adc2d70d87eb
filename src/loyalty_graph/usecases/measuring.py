"""Brings the metrics that are of the database, and not of this process, up to date."""

import asyncio
from datetime import datetime

from loyalty_graph import metrics
from loyalty_graph.db import pool_use
from loyalty_graph.queues import Queue
from loyalty_graph.usecases.doctor_database import queues

ASKED_FOR_S = 2.0
"""Who asks for metrics waits no longer for the database than this."""


async def look(*, now: datetime) -> None:
    """Ask the database for its queues, in a moment; what it does not tell is told of no more.

    Raises:
        OSError, BaseORMException: It is away.
    """
    _tell_of_pool()
    try:
        async with asyncio.timeout(ASKED_FOR_S):
            found = await queues(now)
    except BaseException:
        metrics.database_up.set(0)
        for gauge in _OF_QUEUES:
            gauge.clear()
        raise
    metrics.database_up.set(1)
    for queue in found:
        _tell_of_queue(queue, now)


_OF_QUEUES = (metrics.queue_waiting, metrics.queue_oldest_age_seconds, metrics.queue_dead)


def _tell_of_pool() -> None:
    use = pool_use()
    for state, number in (("in_use", use.in_use), ("idle", use.idle), ("max", use.most)):
        metrics.pool_connections.labels(state).set(number)
    metrics.pool_waiting.set(use.waiting)


def _tell_of_queue(queue: Queue, now: datetime) -> None:
    metrics.queue_waiting.labels(queue.name).set(queue.waiting)
    metrics.queue_oldest_age_seconds.labels(queue.name).set(queue.age_s(now))
    metrics.queue_dead.labels(queue.name).set(queue.dead)
