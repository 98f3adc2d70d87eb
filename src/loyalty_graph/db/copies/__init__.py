"""Copies of a whole database: taken while others write, and put in the place of another one.

`sqlite` and `postgres` do the same, each in its own way; `of` chooses.
"""

from pathlib import Path

from loyalty_graph.db.copies.postgres import PostgresCopies
from loyalty_graph.db.copies.sqlite import SqliteCopies
from loyalty_graph.db.urls import sqlite_path

Copies = SqliteCopies | PostgresCopies
"""Where a database is, of which copies are taken."""


def of(url: str, *, programs: Path | None = None) -> Copies:
    """Return what copies the database at `url`.

    `programs` is the folder with pg_dump and pg_restore; without it they are looked for in PATH.

    Raises:
        DatabaseError: the URL cannot be used.
    """
    path = sqlite_path(url)
    return PostgresCopies(url, programs) if path is None else SqliteCopies(path)
