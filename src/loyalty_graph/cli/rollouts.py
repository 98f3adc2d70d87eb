"""Commands about roll-outs: how far a change of the look has come, and letting it rest."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from uuid import UUID

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption, JsonOption, ProgramOption, chosen_program
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.wallet import rollouts
from loyalty_graph.wallet.rollouts import Rollout, RolloutState

app = typer.Typer()

Result = TypeVar("Result")

MARKS = {
    RolloutState.RUNNING: "[cyan]>[/]",
    RolloutState.PAUSED: "[yellow]=[/]",
    RolloutState.DONE: "[green]✓[/]",
    RolloutState.SUPERSEDED: "[dim]-[/]",
}


@app.command("rollouts")
def show(
    *, as_json: JsonOption = False, program: ProgramOption = None, database: DatabaseOption = None
) -> None:
    """Show how far changes of the look have come, the newest first."""
    found = _do(rollouts.progress, program, database)
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    for one in found:
        _print(one)
    if not found:
        console.print("Nothing was rolled out yet.")


@app.command()
def pause(*, program: ProgramOption = None, database: DatabaseOption = None) -> None:
    """Let the roll-out that is under way rest."""
    _print(_do(partial(rollouts.pause, now=utc_now()), program, database))


@app.command()
def resume(*, program: ProgramOption = None, database: DatabaseOption = None) -> None:
    """Let the roll-out that rests go on."""
    _print(_do(partial(rollouts.resume, now=utc_now()), program, database))


def _do(
    what: Callable[[UUID], Awaitable[Result]], program: str | None, database: str | None
) -> Result:
    async def work() -> Result:
        return await what(await chosen_program(program))

    return run(in_database(database or load_settings().database_url, work))


def _print(rollout: Rollout) -> None:
    mark, done = MARKS[rollout.state], f"{rollout.marked:,} of {rollout.total:,} members"
    began = f"{rollout.begun_at:%Y-%m-%d %H:%M} UTC"
    console.print(f"{mark} {began}  {rollout.state.lower():<10}  {done}  {escape(rollout.reason)}")


def _as_json(rollout: Rollout) -> dict[str, object]:
    return {
        "id": str(rollout.id),
        "reason": rollout.reason,
        "state": rollout.state,
        "members": rollout.total,
        "marked": rollout.marked,
        "begun_at": rollout.begun_at.isoformat(),
        "ended_at": rollout.ended_at.isoformat() if rollout.ended_at else None,
    }
