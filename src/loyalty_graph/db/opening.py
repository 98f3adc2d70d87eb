"""Opens the database for as long as a door needs it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import ConfigurationError

from loyalty_graph.db.errors import DatabaseAwayError
from loyalty_graph.db.outages import OUTAGES, in_one_line, is_unavailable
from loyalty_graph.db.transactions import CONNECTION_NAME, running_transactions_end
from loyalty_graph.db.urls import connection_config
from loyalty_graph.errors import DatabaseError
from loyalty_graph.pauses import chance, full_jitter_s

Result = TypeVar("Result")

APP_LABEL = "models"
# The modules that define tables; each package adds its own when it is built.
MODEL_MODULES: list[str] = [
    "loyalty_graph.programs.models",
    "loyalty_graph.members.models",
    "loyalty_graph.identity.models",
    "loyalty_graph.ledger.models",
    "loyalty_graph.purchases.models",
    "loyalty_graph.benefits.models",
    "loyalty_graph.tiers.models",
    "loyalty_graph.earning.models",
    "loyalty_graph.segments.models",
    "loyalty_graph.subscriptions.models",
    "loyalty_graph.rewards.models",
    "loyalty_graph.wallet.models",
    "loyalty_graph.wallet.latency",
    "loyalty_graph.wallet.apple.models",
    "loyalty_graph.wallet.google.models",
    "loyalty_graph.jobs.models",
    "loyalty_graph.outbox.models",
    "loyalty_graph.alarms",
    "loyalty_graph.leases",
    "loyalty_graph.idempotency",
]
CLOSE_GRACE_S = 10.0
FIRST_PAUSE_MAX_S = 0.5
PAUSE_MAX_S = 15.0

logger = logging.getLogger(__name__)


async def when_reachable(
    enter: Callable[[], Awaitable[Result]], *, away: Callable[[], Awaitable[None]]
) -> Result:
    """Open a database as soon as it can be reached, after pauses that grow; the log says why not.

    `away` is awaited after each attempt that failed, before that is told.

    Raises:
        DatabaseError: it can be reached, but not used.
    """
    said, failures = "", 0
    while True:
        try:
            found = await enter()
        except (DatabaseAwayError, *OUTAGES) as error:
            if not (isinstance(error, DatabaseAwayError) or is_unavailable(error)):
                raise
            await away()
            if (reason := in_one_line(error)) != said:
                said = reason
                logger.warning("%s It is tried again until it answers.", reason)
        else:
            if said:
                logger.info("The database answers.")
            return found
        pause_s = full_jitter_s(
            failures, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
        )
        failures += 1
        await asyncio.sleep(pause_s)


@asynccontextmanager
async def open_database(
    url: str, *, create: bool = True, patience_s: int | None = None
) -> AsyncIterator[BaseDBAsyncClient]:
    """Open the database of this process and close it cleanly at the end.

    `create` makes a missing SQLite file and its folder; a PostgreSQL database must exist. The
    schema is the business of `db.migrate`, which callers run inside the block. At the
    end, transactions whose callers went away are waited for. `patience_s` is how long a statement
    may take on PostgreSQL when the URL does not say; without both it is a minute.

    Raises:
        DatabaseAwayError: it cannot be reached now.
        DatabaseError: it cannot be opened, or another one is open in this process.
    """
    config = tortoise_config(url)
    credentials = config["connections"][CONNECTION_NAME]["credentials"]
    _prepare_file(credentials, create=create)
    if patience_s is not None and "file_path" not in credentials:
        credentials.setdefault("command_timeout_s", patience_s)
    context = TortoiseContext()
    try:
        # The fallback lets tasks see it that were not started from here, such as requests. The
        # context is left again, because a generator may be closed in another task's context.
        with context:
            await context.init(config, _enable_global_fallback=True)
    except ConfigurationError as error:
        raise DatabaseError(f"The database cannot be opened: {error}") from error
    try:
        client = context.connections.get(CONNECTION_NAME)
        await client.create_connection(with_db=True)
        yield client
    finally:
        try:
            await running_transactions_end(CLOSE_GRACE_S)
        finally:
            await context.close_connections()


def tortoise_config(url: str) -> dict[str, Any]:
    """Return Tortoise's configuration for our models on the database at `url`."""
    return {
        "connections": {CONNECTION_NAME: connection_config(url)},
        "apps": {APP_LABEL: {"models": MODEL_MODULES, "default_connection": CONNECTION_NAME}},
    }


def _prepare_file(credentials: dict[str, Any], *, create: bool) -> None:
    if "file_path" not in credentials:
        return
    path = Path(credentials["file_path"])
    if not create and not path.exists():
        raise DatabaseError(f"There is no database {path}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DatabaseError(
            f"The folder of the database {path} cannot be made: {error}."
        ) from error
