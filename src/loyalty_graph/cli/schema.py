"""The command that prints the API's schema."""

import typer

app = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)


@app.command("print")
def print_schema() -> None:
    """Print the schema in GraphQL's own language."""
    from loyalty_graph.graphql.schema import SCHEMA

    typer.echo(SCHEMA.as_str())


@app.command()
def permissions() -> None:
    """Print who may ask for what, as docs/permissions.md holds it."""
    from loyalty_graph.graphql.matrix import document
    from loyalty_graph.graphql.schema import SCHEMA

    typer.echo(document(SCHEMA._schema), nl=False)
