"""A database that cannot be used for a while, on either backend."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from tortoise.exceptions import DBConnectionError

from loyalty_graph.db.outages import OutageLog
from loyalty_graph.db.postgres import PooledConnection
from loyalty_graph.db.sqlite import SqliteClient, SqliteTransaction

DETAIL = "connection to 10.1.2.3 refused\nDETAIL: user secret"


@contextmanager
def database_away(error: Exception | None = None) -> Iterator[None]:
    """Let whatever is asked of the database raise this; the log tells of the next outage."""
    refused = error or DBConnectionError(DETAIL)

    async def refuse(*_arguments: object) -> None:
        raise refused

    with (
        patch.object(SqliteClient, "_read", refuse),
        patch.object(SqliteTransaction, "take", refuse),
        patch.object(PooledConnection, "__aenter__", refuse),
    ):
        yield


@contextmanager
def fresh_outage_log() -> Iterator[None]:
    """Let the process have told of no outage yet."""
    fresh = OutageLog()
    with (
        patch("loyalty_graph.db.outages.outage_log", fresh),
        patch("loyalty_graph.graphql.errors.outage_log", fresh),
        patch("loyalty_graph.graphql.view.outage_log", fresh),
        patch("loyalty_graph.web.failures.outage_log", fresh),
    ):
        yield
