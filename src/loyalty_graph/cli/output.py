"""How the command line prints: answers on standard output, everything else on standard error."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from loyalty_graph.db import migrate, open_database
from loyalty_graph.db.urls import connection_config, sqlite_path
from loyalty_graph.garbage import collected_rarely

Result = TypeVar("Result")
Loop = Callable[[], asyncio.AbstractEventLoop]

PROGRAM = "loyalty-graph"
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
NAME_WIDTH = 11

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def run(
    work: Coroutine[Any, Any, Result],
    *,
    loop: Loop | None = None,
    stopped: str = "Stopped.",
) -> Result:
    """Run a command's coroutine to its end; Ctrl-C ends it in good order, and says `stopped`.

    Raises:
        typer.Exit: It was interrupted.
    """
    try:
        with collected_rarely(), asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        errors.print(stopped)
        raise typer.Exit(INTERRUPTED) from None


async def in_database(
    url: str, work: Callable[[], Coroutine[Any, Any, Result]], *, create: bool = False
) -> Result:
    """Open the database, bring it up to date, and run a command's work in it."""
    async with open_database(url, create=create):
        await migrate()
        return await work()


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_named(name: str, value: str, *, to: Console = console) -> None:
    """Print one line of a list of names and values."""
    to.print(f"  [bold]{name:<{NAME_WIDTH}}[/] {escape(value)}")


def database_name(url: str) -> str:
    """Return what a person calls the database at `url`, without its password."""
    path = sqlite_path(url)
    if path is not None:
        return f"SQLite, {near(path)}"
    place = connection_config(url)["credentials"]
    return f"PostgreSQL, {place['database']} at {place['host']}:{place['port']}"


def shown_url(url: str) -> str:
    """Return a database's URL for a command line, with stars in place of its password."""
    path = sqlite_path(url)
    if path is not None:
        return f"sqlite://{near(path)}"
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:***@{place}").geturl()


def near(path: Path) -> Path:
    """Return a path as seen from here, if it lies below; else the whole path."""
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def command_line(*words: str) -> str:
    """Return a command of ours as it can be typed here, though it may not be on the PATH."""
    this = Path(sys.argv[0])
    known = shutil.which(PROGRAM)
    on_path = known is not None and Path(known).resolve() == this.resolve()
    called = PROGRAM if on_path or this.name != PROGRAM else os.path.relpath(this)
    return shlex.join([called, *words])


class _RateColumn(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each phase on a terminal, and nothing elsewhere."""
    columns = (
        TextColumn(f"  {{task.description:<{NAME_WIDTH}}}"),
        BarColumn(bar_width=32),
        TextColumn("{task.completed:>9,} of {task.total:<9,}"),
        _RateColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done)

        yield tell
