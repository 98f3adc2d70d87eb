"""The worker command: the loops of a process that serves nobody, and a stop in good order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import SIGINT, SIGTERM

from loyalty_graph import __version__
from loyalty_graph.cli.output import console, database_name, logged, print_named, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.db import migrate, open_database, running_process
from loyalty_graph.worker.duties import worker_duties
from loyalty_graph.worker.loops import running


def work(*, database: str | None) -> None:
    """Run the loops until a signal; steps in hand are finished first."""
    settings = load_settings()
    url = database or settings.database_url

    async def until_stopped() -> None:
        async with open_database(url):
            await migrate()
            process = running_process(f"worker {__version__}", clock=utc_now)
            duties = running(worker_duties(settings, clock=utc_now))
            async with process, duties, signalled() as stopped:
                console.print(f"[bold]Loyalty Graph[/] {__version__} worker")
                print_named("Database", database_name(url))
                console.print("  [dim]Ctrl-C stops; what is in hand is finished first.[/]")
                await stopped.wait()

    with logged():
        run(until_stopped())
    console.print("Stopped.")


@asynccontextmanager
async def signalled() -> AsyncIterator[asyncio.Event]:
    """Yield what SIGINT or SIGTERM sets."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, heard.set)
    try:
        yield heard
    finally:
        for number in (SIGINT, SIGTERM):
            loop.remove_signal_handler(number)
