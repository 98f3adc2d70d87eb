"""The migrate command: brings the database up to date, and says how far it is."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption
from loyalty_graph.cli.output import console, database_name, errors, print_json, print_named, run
from loyalty_graph.config import load_settings
from loyalty_graph.db import Watch, contract, migrate, open_database, standing
from loyalty_graph.db.errors import OlderProcessesError
from loyalty_graph.db.migrating.course import Standing

app = typer.Typer()

ASKED_EVERY_S = 1.0
STATES = {"APPLIED": "green", "RUNNING": "yellow", "PENDING": "yellow", "UNKNOWN": "red"}


@app.command("migrate")
def bring_up_to_date(
    *,
    contracts: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Take also what older versions need; refused while their processes run.",
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="With --contract: wait until they have ended or are silent."),
    ] = False,
    only_show: Annotated[
        bool, typer.Option("--status", help="Change nothing; show how far the database is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Show it as JSON.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Bring the database up to date; older versions may go on running, until --contract.

    It may be stopped at any time: the next run goes on where this one was.
    """
    url = database or load_settings().database_url
    steps = run(_bring(url, contracts=contracts, wait=wait, only_show=only_show))
    if as_json:
        print_json({"steps": [asdict(step) for step in steps]})
        return
    print_named("Database", database_name(url))
    for step in steps:
        filled = f", {step.filled:,} rows filled" if step.phase == "backfill" else ""
        colour = STATES[step.state]
        console.print(
            f"  [{colour}]{step.state.lower():<8}[/] {escape(step.name)} ({step.phase}{filled})"
        )


async def _bring(url: str, *, contracts: bool, wait: bool, only_show: bool) -> list[Standing]:
    async with open_database(url, create=not only_show):
        if not only_show:
            await (_contract(wait=wait) if contracts else migrate(progress=_tell))
        return await standing()


async def _contract(*, wait: bool) -> None:
    said, watch = "", Watch()
    while True:
        try:
            await contract(watch=watch, progress=_tell)
        except OlderProcessesError as error:
            if not wait:
                raise
            if error.message != said:
                said = error.message
                errors.print(escape(said))
            await asyncio.sleep(ASKED_EVERY_S)
        else:
            return


def _tell(name: str) -> None:
    errors.print(f"  {escape(name)}")
