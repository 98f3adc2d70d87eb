"""How the command line prints: answers on standard output, everything else on standard error."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loyalty_graph.db import migrate, open_database

Result = TypeVar("Result")

console = Console()
errors = Console(stderr=True)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


async def in_database(url: str, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Open the database, bring it up to date, and run a command's work in it."""
    async with open_database(url):
        await migrate()
        return await work()


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each phase on a terminal, and nothing elsewhere."""
    columns = (
        TextColumn("  {task.description:<10}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done)

        yield tell
