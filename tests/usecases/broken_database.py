"""A database that goes away under a command, between any two of its statements."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from loyalty_graph.db import set_postgres, set_sqlite
from loyalty_graph.db.postgres import PostgresTransaction
from loyalty_graph.db.sqlite import SqliteTransaction

Call = Callable[..., Any]
ASKED = ("execute_query", "execute_query_dict", "execute_insert", "execute_many")


class Broken(Exception):  # noqa: N818 - what fails is the database, not the test
    """The database went away."""


class _Line:
    """What leads to the database: it is cut after so many statements, and stays so."""

    def __init__(self, left: int) -> None:
        self._left = left

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Broken

    def asking(self, real: Call) -> Call:
        """Return what asks, as long as the line holds."""

        def ask(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return real(*args, **kwargs)

        return ask

    def storing(self, real: Call) -> Call:
        """Return what writes rows on SQLite; where the line is cut, half of them."""

        def store(raw: Any, program_id: Any, writes: Any) -> None:
            try:
                self.check()
            except Broken:
                real(raw, program_id, writes[: len(writes) // 2])
                raise
            real(raw, program_id, writes)

        return store


def _storing_there(line: _Line, real: Call) -> Call:
    """Return what writes rows on PostgreSQL: one statement, which may be the last one to arrive."""

    async def store(*args: Any) -> None:
        await real(*args)
        line.check()

    return store


@contextmanager
def breaking(after: int) -> Iterator[None]:
    """Let the database go away in transactions after so many statements, some writes half done."""
    line = _Line(after)
    with ExitStack() as stack:
        for transaction in (SqliteTransaction, PostgresTransaction):
            for name in ASKED:
                asking = line.asking(getattr(transaction, name))
                stack.enter_context(patch.object(transaction, name, asking))
        read = line.asking(PostgresTransaction.read)
        stack.enter_context(patch.object(PostgresTransaction, "read", read))
        sets: Any = set_sqlite
        stack.enter_context(patch.object(sets, "fetch", line.asking(sets.fetch)))
        stack.enter_context(patch.object(sets, "store", line.storing(sets.store)))
        stored = _storing_there(line, set_postgres.store)
        stack.enter_context(patch.object(set_postgres, "store", stored))
        yield
