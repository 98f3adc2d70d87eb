"""Commands about scheduled jobs: run those that are due, and show those that gave up."""

from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption
from loyalty_graph.cli.output import console, in_database, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.jobs import service
from loyalty_graph.usecases import scheduled

app = typer.Typer(help="Scheduled jobs: renewals, reviews, expiries.", no_args_is_help=True)


@app.command("run")
def run_due(
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 1000,
    database: DatabaseOption = None,
) -> None:
    """Run the jobs that are due now, once, where no worker runs them."""
    settings = load_settings()
    url = database or settings.database_url

    async def work() -> int:
        return await scheduled.runner(utc_now, settings).run_due(utc_now(), limit)

    ran = run(in_database(url, work))
    console.print(f"[green]✓[/] {ran:,} {'job was' if ran == 1 else 'jobs were'} run.")


@app.command("dead")
def show_dead(*, database: DatabaseOption = None) -> None:
    """Show the jobs that failed too often to be tried again; exit 1 when there are any."""
    url = database or load_settings().database_url
    found = run(in_database(url, service.dead))
    for job in found:
        when = f"{job.dead_at:%Y-%m-%d %H:%M} UTC" if job.dead_at else ""
        tried = f"{job.attempts} tries until {when}"
        console.print(f"[red]✗[/] {job.id} {escape(job.kind)}: {escape(job.error)}, {tried}")
    if found:
        raise typer.Exit(1)
    console.print("[green]✓[/] No job is dead.")


@app.command("retry")
def retry(
    job: Annotated[
        UUID | None, typer.Argument(metavar="ID", help="Which one; `jobs dead` shows it.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are dead.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Let a dead job be tried again, once what made it fail is mended."""
    if (job is None) != every:
        raise InvalidInputError("Name one job, or say --all.")
    url = database or load_settings().database_url
    revived = run(in_database(url, lambda: service.revive(job, now=utc_now())))
    if job is not None and not revived:
        raise NotFoundError("dead job", job, place="this database")
    console.print(f"[green]✓[/] {revived:,} {'job is' if revived == 1 else 'jobs are'} due now.")
