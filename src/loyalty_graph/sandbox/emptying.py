"""Emptying the demo's database, and nothing but the demo's."""

from pathlib import Path

from loyalty_graph.db import connection, open_database, pending
from loyalty_graph.db.migrating.connections import connected
from loyalty_graph.db.migrating.course import MIGRATIONS
from loyalty_graph.db.migrating.states import read_state
from loyalty_graph.db.sqlite_files import PROCESS_TABLE, RECORD_TABLE
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.errors import DatabaseError, DatabaseNotOursError
from loyalty_graph.programs import service as programs


async def empty(url: str, *, slug: str) -> None:
    """Remove all tables of ours, if the database holds the sandbox programme `slug` at most.

    Raises:
        DatabaseNotOursError: It holds tables of something else; nothing was changed.
        DatabaseNewerError: A newer version has written it; nothing was changed.
        DatabaseError: It holds another programme, or a real one; nothing was changed.
    """
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return
    async with open_database(url):
        tables = await _tables()
        if not tables:
            return
        await pending()
        if others := await programs.others_than_sandbox(slug):
            raise DatabaseError(
                f"This database holds the programme {others[0]}, which is not the demo's;"
                " name another database for the demo."
            )
        ours = {table.name for table in read_state(MIGRATIONS)["postgres"]}
        ours |= {RECORD_TABLE, PROCESS_TABLE}
        if strangers := sorted(set(tables) - ours):
            raise DatabaseNotOursError(strangers)
        if path is None:
            names = ", ".join(f'"{name}"' for name in tables)
            await connection().execute_script(f"DROP TABLE {names}")
    if path is not None:
        _remove(path)


async def _tables() -> list[str]:
    async with connected() as own:
        return await own.tables()


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
