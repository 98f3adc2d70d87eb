"""Emptying the demo's database, and nothing but the demo's."""

from pathlib import Path

from loyalty_graph.db import connection, migrate, open_database
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.errors import DatabaseError
from loyalty_graph.programs import service as programs


async def empty(url: str) -> None:
    """Remove all tables of ours, if the database holds sandbox programmes only.

    Raises:
        DatabaseError: It holds a programme that is not a sandbox, or tables of something else.
    """
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return
    async with open_database(url):
        await migrate()
        if real := await programs.real_ones():
            raise DatabaseError(
                f"This database holds the programme {real[0]}, which is no sandbox;"
                " name another database for the demo."
            )
        if path is None:
            await connection().execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    if path is not None:
        _remove(path)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
