"""A command that runs as several processes."""

from collections.abc import Callable
from functools import partial

import typer

from loyalty_graph import logs
from loyalty_graph.cli.failing import failures_told
from loyalty_graph.cli.output import console, run
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.errors import SettingsError
from loyalty_graph.processes import Work, run_together


def refuse_one_file(url: str, count: int, *, option: str) -> None:
    """Do nothing if so many processes can share the database at `url`.

    Raises:
        SettingsError: It is an SQLite file, and they are several.
    """
    if count > 1 and sqlite_path(url) is not None:
        raise SettingsError(
            f"{option} {count} needs PostgreSQL: SQLite has one writer, so more processes would"
            " only wait for each other. Name a server in LOYALTY_DATABASE_URL, or leave it at 1."
        )


def do_together(
    work: Work,
    count: int,
    *,
    announce: Callable[[], None],
    log_format: logs.Format | None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Do `work` in so many processes until a signal; `announce` when all are under way.

    `stopping` is called when they are told to stop.

    Raises:
        typer.Exit: It could not be done; it was said why.
    """
    with logs.written(log_format):
        was_done = run(
            run_together(partial(_one, work), count, announce=announce, stopping=stopping)
        )
    if not was_done:
        raise typer.Exit(1)
    console.print("Stopped.")


def _one(work: Work, *, is_first: bool, ready: Callable[[], None]) -> None:
    with failures_told():
        work(is_first=is_first, ready=ready)
