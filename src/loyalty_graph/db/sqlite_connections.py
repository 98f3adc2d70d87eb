"""Connections to a SQLite file, each in a thread of its own, which tell troubles of the storage."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import aiosqlite

from loyalty_graph.db.guarding import ReleasingConnection
from loyalty_graph.db.storage import SqliteStorage, Trouble

Result = TypeVar("Result")
ROWS_AT_ONCE = 64


class Connection(aiosqlite.Connection):
    """A connection whose errors say what is wrong with the storage."""

    def __init__(self, open_it: Callable[[], sqlite3.Connection], storage: SqliteStorage) -> None:
        super().__init__(open_it, ROWS_AT_ONCE)
        self._storage = storage

    async def _execute(self, fn: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        try:
            result: Result = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call] # the library does not type it
        except sqlite3.Error as error:
            if told := self._told(error):
                raise told from error
            raise
        return result

    def _told(self, error: sqlite3.Error) -> Exception | None:
        return self._storage.told(error)


class ReadingConnection(Connection):
    """A connection that only reads: that it refuses to write says nothing about the storage."""

    def _told(self, error: sqlite3.Error) -> Exception | None:
        trouble = self._storage.trouble_of(error)
        return None if trouble is Trouble.READ_ONLY else super()._told(error)


class CheckedConnection(ReleasingConnection):
    """Hands out the writer, unless what it writes would be lost or make a damage worse."""

    __slots__ = ("_storage",)

    def __init__(self, lock: asyncio.Lock, client: Any, storage: SqliteStorage) -> None:
        super().__init__(lock, client)
        self._storage = storage

    async def ensure_connection(self) -> None:
        """Connect if need be, and look at the files."""
        await super().ensure_connection()
        self._storage.check()

    async def __aexit__(self, *exception: Any) -> None:  # noqa: PYI036 - the parent's are untyped
        """Let the next one write; look at the files once more, since this has been written."""
        await super().__aexit__(*exception)
        if exception[0] is None:
            self._storage.check()
