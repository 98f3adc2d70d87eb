"""Commands about partners' API tokens."""

import secrets
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from loyalty_graph.cli.ledger import DatabaseOption, JsonOption, ProgramOption, chosen_program
from loyalty_graph.cli.output import console, errors, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TOKEN_RANDOM_BYTES, Scope, TokenMode
from loyalty_graph.programs import service as programs

token_app = typer.Typer(help="API tokens of partners.", no_args_is_help=True)


@token_app.command()
def create(
    partner: Annotated[str, typer.Argument(help="Whose token: a partner's name, made if new.")],
    *,
    scope: Annotated[
        list[str], typer.Option(help=f"What it may do, repeatable: {', '.join(Scope)}.")
    ],
    name: Annotated[str, typer.Option(help="What it is for, such as 'till 7'.")] = "cli",
    days: Annotated[int | None, typer.Option(min=1, help="Stops working after so long.")] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a token and print it, once; only its hash is kept."""
    now = utc_now()

    async def work() -> str:
        program_id = await chosen_program(program)
        owner = await identity.partner_named(program_id, partner, now=now)
        is_sandbox = await programs.is_sandbox(program_id)
        made = await identity.create_token(
            program_id,
            owner.id,
            name=name,
            scopes=scope,
            mode=TokenMode.TEST if is_sandbox else TokenMode.LIVE,
            randomness=secrets.token_bytes(TOKEN_RANDOM_BYTES),
            now=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        return made.text

    text = run(in_database(database or load_settings().database_url, work))
    errors.print("Keep it safe; it cannot be shown again.")
    typer.echo(text)


@token_app.command("list")
def list_tokens(
    *, as_json: JsonOption = False, program: ProgramOption = None, database: DatabaseOption = None
) -> None:
    """List tokens by what may be shown of them."""

    async def work() -> list[dict[str, object]]:
        tokens = await identity.list_tokens(await chosen_program(program))
        return [
            {
                "id": str(token.id),
                "partner": token.partner.name,
                "name": token.name,
                "token": f"{token.prefix}…{token.last_four}",
                "scopes": token.scopes,
                "last_used_at": token.last_used_at,
                "expires_at": token.expires_at,
                "revoked_at": token.revoked_at,
            }
            for token in tokens
        ]

    rows = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else " ".join(row["scopes"])  # type: ignore[arg-type] # scopes are a list of text
        console.print(
            f"{row['id']}  {row['token']}  {row['partner']} / {row['name']}  {state}",
            highlight=False,
            soft_wrap=True,
        )


@token_app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="The token's id, as `token list` shows it.")],
    *,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Stop a token from working, from now on."""
    try:
        token_id = UUID(token)
    except ValueError as error:
        raise InvalidInputError(
            f"{token} is no token id; `loyalty-graph token list` shows them."
        ) from error

    async def work() -> None:
        await identity.revoke_token(await chosen_program(program), token_id, now=utc_now())

    run(in_database(database or load_settings().database_url, work))
    console.print("[green]✓[/] The token is revoked.")
