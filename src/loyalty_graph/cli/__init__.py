"""The command line: reads arguments, calls one use case, prints the answer."""

from typing import Annotated

import typer

from loyalty_graph import __version__
from loyalty_graph.cli import auditing, checkpoints, persons, rollouts
from loyalty_graph.cli.activities import activity_app
from loyalty_graph.cli.backing_up import after_restore, backup, restore
from loyalty_graph.cli.backtests import backtest
from loyalty_graph.cli.balances import balances_app
from loyalty_graph.cli.certificates import certs
from loyalty_graph.cli.demo import demo
from loyalty_graph.cli.device import device_app
from loyalty_graph.cli.doctoring import doctor
from loyalty_graph.cli.failing import failures_told
from loyalty_graph.cli.jobs import jobs_app
from loyalty_graph.cli.keys import keys_app
from loyalty_graph.cli.ledger import ledger_app
from loyalty_graph.cli.members import member_app
from loyalty_graph.cli.migrating import bring_up_to_date
from loyalty_graph.cli.options import DatabaseOption, MetricsPortOption, processes_option
from loyalty_graph.cli.output import PROGRAM
from loyalty_graph.cli.passes import pass_app
from loyalty_graph.cli.presets import show_presets
from loyalty_graph.cli.previews import draw_card
from loyalty_graph.cli.programs import program_app
from loyalty_graph.cli.purchase_imports import purchases_app
from loyalty_graph.cli.purchases import purchase
from loyalty_graph.cli.rates import rates_app
from loyalty_graph.cli.reports import report_app
from loyalty_graph.cli.sandbox import sandbox_app
from loyalty_graph.cli.schema import schema_app
from loyalty_graph.cli.segments import segments
from loyalty_graph.cli.stories import story
from loyalty_graph.cli.tokens import token_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


app.command()(demo)
app.command("migrate")(bring_up_to_date)
app.command()(doctor)
app.command()(backup)
app.command()(restore)
app.command()(after_restore)
app.command()(purchase)
app.command()(story)
app.command("audit")(auditing.show)
pass_app.command("preview")(draw_card)
app.add_typer(activity_app, name="activity")
app.add_typer(balances_app, name="balances")
app.add_typer(purchases_app, name="purchases")
app.add_typer(device_app, name="device")
pass_app.command("rollouts")(rollouts.show)
pass_app.command("pause")(rollouts.pause)
pass_app.command("resume")(rollouts.resume)
pass_app.command()(certs)
program_app.command("presets")(show_presets)
program_app.command()(backtest)
for change_person in (persons.lock, persons.unlock, persons.export, persons.erase):
    member_app.command()(change_person)
ledger_app.command("checkpoint")(checkpoints.make)
ledger_app.command()(checkpoints.proof)
ledger_app.command("rotate-key")(checkpoints.rotate_key)
app.add_typer(jobs_app, name="jobs")
app.add_typer(keys_app, name="keys")
app.add_typer(ledger_app, name="ledger")
app.add_typer(member_app, name="member")
app.add_typer(pass_app, name="pass")
program_app.command()(segments)
app.add_typer(program_app, name="program")
app.add_typer(rates_app, name="rates")
app.add_typer(report_app, name="report")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(schema_app, name="schema")
app.add_typer(token_app, name="token")


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
