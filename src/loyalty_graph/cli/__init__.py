"""The command line: reads arguments, calls one use case, prints the answer.

A command is loaded when it is asked for: all together take more than a second.
"""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from loyalty_graph import __version__
from loyalty_graph.cli.failing import failures_told
from loyalty_graph.cli.options import DatabaseOption, MetricsPortOption, processes_option
from loyalty_graph.cli.output import PROGRAM

COMMANDS = {
    "demo": "demo",
    "migrate": "migrating",
    "doctor": "doctoring",
    "backup": "backing_up",
    "restore": "backing_up",
    "after-restore": "backing_up",
    "purchase": "purchases",
    "story": "stories",
    "audit": "auditing",
}
"""The module of each command."""
GROUPS = {
    "activity": ("activities",),
    "balances": ("balances",),
    "purchases": ("purchase_imports",),
    "device": ("device",),
    "jobs": ("jobs",),
    "keys": ("keys",),
    "ledger": ("ledger", "checkpoints"),
    "member": ("members", "persons"),
    "pass": ("passes", "previews", "rollouts", "certificates"),
    "program": ("programs", "presets", "backtests", "segments"),
    "rates": ("rates",),
    "report": ("reports",),
    "sandbox": ("sandbox",),
    "schema": ("schema",),
    "token": ("tokens",),
}
"""The modules of each group of commands; the first one says what the group is for."""


class _Commands(TyperGroup):
    def __init__(self, *, commands: dict[str, Any], **settings: Any) -> None:
        later: dict[str, Any] = dict.fromkeys([*COMMANDS, *GROUPS])
        super().__init__(commands={**later, **commands}, **settings)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _made(cmd_name)
        return super().get_command(ctx, cmd_name)


def _made(name: str) -> Any:
    if name in COMMANDS:
        return typer.main.get_group(_app_of(COMMANDS[name])).commands[name]
    group, *others = (typer.main.get_group(_app_of(module)) for module in GROUPS[name])
    for other in others:
        group.commands.update(other.commands)
    group.name = name
    return group


def _app_of(module: str) -> typer.Typer:
    found = import_module(f"{__name__}.{module}").app
    assert isinstance(found, typer.Typer), "each module of commands has one"
    return found


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Loyalty Graph: a points ledger, a GraphQL API, and wallet cards.

    Settings are environment variables that begin with LOYALTY_; the README lists them.
    """


@app.command()
def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Where to listen. (default: LOYALTY_HOST, 127.0.0.1)"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="The next one if it is in use; 0 for any. (default: LOYALTY_PORT, 8000)",
        ),
    ] = None,
    workers: Annotated[int, processes_option("serve")] = 1,
    database: DatabaseOption = None,
    metrics_port: MetricsPortOption = None,
) -> None:
    """Serve the API until stopped; requests in hand are finished first."""
    from loyalty_graph.cli import serving

    serving.serve(
        host=host, port=port, database=database, workers=workers, metrics_port=metrics_port
    )


@app.command()
def worker(
    *,
    processes: Annotated[int, processes_option("work")] = 1,
    database: DatabaseOption = None,
    metrics_port: MetricsPortOption = None,
) -> None:
    """Do what nobody asks for, such as numbering facts, until stopped.

    `serve` does it too, unless LOYALTY_WORKER is off. Any number of workers may run.
    """
    from loyalty_graph.cli import working

    working.work(database=database, processes=processes, metrics_port=metrics_port)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; an expected failure is one line on standard error and exit code 1."""
    with failures_told():
        app(prog_name=PROGRAM)
