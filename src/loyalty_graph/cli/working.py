"""The worker command: the loops of a process that serves nobody, and a stop in good order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from loyalty_graph import __version__, logs
from loyalty_graph.cli.metering import metered, with_metrics_port
from loyalty_graph.cli.output import console, database_name, print_named, run
from loyalty_graph.cli.together import do_together, refuse_one_file
from loyalty_graph.cli.tracing import traced
from loyalty_graph.cli.waiting import opened, signalled
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, load_settings
from loyalty_graph.db import migrate, open_database, running_process
from loyalty_graph.worker.duties import worker_duties
from loyalty_graph.worker.loops import running


def work(*, database: str | None, processes: int = 1, metrics_port: int | None = None) -> None:
    """Run the loops until a signal; steps in hand are finished first."""
    settings = with_metrics_port(load_settings(), metrics_port)
    url = database or settings.database_url
    refuse_one_file(url, processes, option="--processes")

    def announce() -> None:
        if processes > 1:
            print_named("Processes", str(processes))
        console.print("  [dim]Ctrl-C stops; what is in hand is finished first.[/]")

    if processes == 1:
        _work(settings, url, is_first=True, ready=announce)
        console.print("Stopped.")
    else:
        do_together(
            partial(_work, settings, url),
            processes,
            announce=announce,
            log_format=settings.log_format,
        )


def _work(settings: Settings, url: str, *, is_first: bool, ready: Callable[[], None]) -> None:
    async def until_stopped() -> None:
        async with AsyncExitStack() as stack:
            if not await opened(
                lambda: stack.enter_async_context(_duties(settings, url)), signalled
            ):
                return
            stopped = await stack.enter_async_context(signalled())
            if is_first:
                console.print(f"[bold]Loyalty Graph[/] {__version__} worker")
                print_named("Database", database_name(url))
            await stack.enter_async_context(metered(settings, clock=utc_now))
            ready()
            await stopped.wait()

    with logs.written(settings.log_format), traced(settings):
        run(until_stopped())


@asynccontextmanager
async def _duties(settings: Settings, url: str) -> AsyncIterator[None]:
    async with open_database(url):
        await migrate()
        process = running_process(f"worker {__version__}", clock=utc_now)
        async with process, running(worker_duties(settings, clock=utc_now)):
            yield
