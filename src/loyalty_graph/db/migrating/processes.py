"""The processes that run on a database, each a row that it renews, so that none is pulled the rug.

A step that contracts waits until no process is left that does not know it. A process that could not
renew its row for long (it was stopped, or the database was away) does so before it writes again;
if it was taken for dead meanwhile and its version is over, it writes no more.
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.resources.abc import Traversable
from uuid import uuid4

from tortoise.exceptions import BaseORMException, DBConnectionError

from loyalty_graph.db.migrating.connections import connected
from loyalty_graph.db.migrating.course import DRIVER_ERRORS, MIGRATIONS
from loyalty_graph.db.migrating.records import records, refuse_unknown
from loyalty_graph.db.migrating.steps import load
from loyalty_graph.db.migrating.watching import LIFE
from loyalty_graph.db.postgres import translated
from loyalty_graph.db.sqlite_files import PROCESS_TABLE
from loyalty_graph.db.statements import execute
from loyalty_graph.db.transactions import guards
from loyalty_graph.errors import DatabaseNewerError

TRUSTED = timedelta(seconds=40)
"""How long a process relies on its row; what is left of its life is for what it began meanwhile."""
RENEWED_EVERY_S = 10.0

logger = logging.getLogger(__name__)


@asynccontextmanager
async def running_process(
    name: str, *, clock: Callable[[], datetime], folder: Traversable = MIGRATIONS
) -> AsyncIterator[None]:
    """Let others know that this process runs on the open database, until the block ends.

    `name` says which version does what, such as `serve 1.2.0`. While the row cannot be written,
    neither can anything else.

    Raises:
        DatabaseNewerError: a newer version has contracted the database.
    """
    known = _Process(f"{name} on {socket.gethostname()}, process {os.getpid()}", clock, folder)
    try:
        await known.renew()
    except BaseORMException as error:
        logger.warning("This process could not be announced yet: %s", error)
    guards.append(known.may_write)
    renewing = asyncio.create_task(known.keep_renewing())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        guards.remove(known.may_write)
        await known.leave()


async def forget_processes() -> None:
    """Forget who ran on the database that the open one is a copy of."""
    await execute(f'DELETE FROM "{PROCESS_TABLE}"')


class _Process:
    """The row of this process."""

    def __init__(self, name: str, clock: Callable[[], datetime], folder: Traversable) -> None:
        self._id, self._name = str(uuid4()), name[:100]
        self._clock, self._folder = clock, folder
        self._renewed_at: datetime | None = None
        self._turn = asyncio.Lock()

    async def may_write(self) -> None:
        """Renew the row before something is written, if that has not been done for long.

        Raises:
            DBConnectionError: a newer version has taken the database over.
        """
        if self._is_trusted():
            return
        async with self._turn:
            if not self._is_trusted():
                await self._renew_or_refuse()

    async def keep_renewing(self) -> None:
        """Renew the row again and again; tell ever more rarely that it cannot, and when it can."""
        failures = 0
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            try:
                await self.renew()
            except (BaseORMException, DatabaseNewerError) as error:
                failures += 1
                if failures.bit_count() == 1:  # The first, second, fourth, eighth ...
                    logger.warning("This process could not say that it runs: %s", error)
            else:
                if failures:
                    logger.info("The database answers again")
                failures = 0

    async def renew(self) -> None:
        """Write down that this process runs.

        Raises:
            DatabaseNewerError: a newer version has contracted the database.
        """
        now = self._clock()
        until = int((now + LIFE).timestamp() * 1000)
        renewing = f'UPDATE "{PROCESS_TABLE}" SET "until_ms" = $1 WHERE "id" = $2'
        try:
            if self._renewed_at is None or not await execute(renewing, until, self._id):
                await self._announce(until)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        self._renewed_at = now

    async def leave(self) -> None:
        """Say that this process has ended; if that cannot be said, its row runs out."""
        try:
            await execute(f'DELETE FROM "{PROCESS_TABLE}" WHERE "id" = $1', self._id)
        except BaseORMException as error:
            logger.warning("This process could not say that it ends: %s", error)

    def _is_trusted(self) -> bool:
        # A clock that was set back is no reason to trust a row for longer.
        renewed_at = self._renewed_at
        return renewed_at is not None and timedelta() <= self._clock() - renewed_at <= TRUSTED

    async def _renew_or_refuse(self) -> None:
        try:
            await self.renew()
        except DatabaseNewerError as error:
            raise DBConnectionError(error.message) from error

    async def _announce(self, until_ms: int) -> None:
        """Write the row, unless the database has been contracted; no migration comes between."""
        async with connected() as connection, connection.locked():
            known = load(self._folder, connection.dialect)
            refuse_unknown(await records(connection), known)
            name = self._name.replace("'", "''")
            await connection.execute(
                f'DELETE FROM "{PROCESS_TABLE}" WHERE "id" = \'{self._id}\';'
                f'INSERT INTO "{PROCESS_TABLE}" ("id", "name", "newest_step", "until_ms")'
                f" VALUES ('{self._id}', '{name}', '{known[-1].name}', {until_ms});"
            )
