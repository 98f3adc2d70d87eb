"""The command line: reads arguments, calls one use case, prints the answer."""

import sys
from typing import Annotated

import typer

from loyalty_graph import __version__
from loyalty_graph.cli.demo import demo
from loyalty_graph.cli.ledger import ledger_app
from loyalty_graph.cli.members import member_app
from loyalty_graph.cli.output import errors
from loyalty_graph.cli.passes import pass_app
from loyalty_graph.cli.programs import program_app
from loyalty_graph.cli.schema import schema_app
from loyalty_graph.cli.tokens import token_app
from loyalty_graph.errors import LoyaltyError

app = typer.Typer(
    help="Loyalty Graph: a points ledger, a GraphQL API, and wallet cards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.add_typer(ledger_app, name="ledger")
app.add_typer(member_app, name="member")
app.add_typer(pass_app, name="pass")
app.add_typer(program_app, name="program")
app.add_typer(schema_app, name="schema")
app.add_typer(token_app, name="token")


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 picks a free one.")] = None,
    database: Annotated[str | None, typer.Option(help="The database's URL.")] = None,
) -> None:
    """Serve the API until stopped; requests in hand are finished first."""
    from loyalty_graph.cli import serving

    serving.serve(host=host, port=port, database=database)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; an expected failure is one line on standard error and exit code 1."""
    try:
        app()
    except LoyaltyError as error:
        errors.print(f"[bold red]{error.code}[/] {error.message}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
