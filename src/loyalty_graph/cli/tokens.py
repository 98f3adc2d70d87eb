"""Commands about tokens: of partners, of staff, and for development of members."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from loyalty_graph.cli.options import (
    DatabaseOption,
    JsonOption,
    MemberArgument,
    ProgramOption,
    chosen_program,
    member_of,
)
from loyalty_graph.cli.output import console, errors, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.identity import issuance
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import sign_in
from loyalty_graph.identity.rules import TOKEN_RANDOM_BYTES, Role, Scope, TokenMode
from loyalty_graph.programs import service as programs

DAYS_MAX = 36_500
MINUTES_MAX = 60 * 24 * 30

app = typer.Typer(help="Tokens of partners, staff and members.", no_args_is_help=True)


@app.command()
def create(  # noqa: PLR0913 - each is an option of the command
    partner: Annotated[
        str, typer.Argument(metavar="PARTNER", help="Whose token: a name, made if new.")
    ],
    *,
    scope: Annotated[
        list[str],
        typer.Option(metavar="SCOPE", help=f"What it may do, repeatable: {', '.join(Scope)}."),
    ],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What it is for, such as 'till 7'.")
    ] = "cli",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=DAYS_MAX, metavar="DAYS", help="Stop working after so long."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="STORE", help="The only store it may act for. (default: any)"),
    ] = None,
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
            store=store,
        )
        return made.text

    _print_once(run(in_database(database or load_settings().database_url, work)))


@app.command("partner")
def cap_partner(
    name: Annotated[str, typer.Argument(help="Which partner: a name, made if new.")],
    *,
    daily_points: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="What its calls may issue in a day of the programme. (default: any points)",
        ),
    ] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Let a partner issue at most so many points in a day, whichever of its tokens it uses."""
    now = utc_now()

    async def work() -> None:
        program_id = await chosen_program(program)
        partner = await identity.partner_named(program_id, name, now=now)
        await issuance.cap(program_id, partner.id, daily_points, now=now)

    run(in_database(database or load_settings().database_url, work))
    told = "any points" if daily_points is None else f"at most {daily_points} points"
    console.print(f"[green]✓[/] {escape(name)} may issue {told} in a day.")


@app.command()
def owner(
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Whose token: a name, made if new.")
    ] = "owner",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=DAYS_MAX, metavar="DAYS", help="Stop working after so long."),
    ] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a token of a programme's owner, who may do everything in it, and print it, once."""
    _make_for_staff(name, Role.OWNER, days=days, program=program, database=database)


@app.command()
def staff(
    name: Annotated[str, typer.Argument(help="Whose token: a name, made if new.")],
    *,
    role: Annotated[
        Role,
        typer.Option(
            help=(
                "An AGENT serves members, a MANAGER also approves what agents do and changes the "
                "programme, an AUDITOR reads. Somebody known keeps the role."
            )
        ),
    ] = Role.AGENT,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=DAYS_MAX, metavar="DAYS", help="Stop working after so long."),
    ] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a token of somebody who runs a programme, and print it, once."""
    _make_for_staff(name, role, days=days, program=program, database=database)


def _make_for_staff(
    name: str, role: Role, *, days: int | None, program: str | None, database: str | None
) -> None:
    now = utc_now()

    async def work() -> str:
        program_id = await chosen_program(program)
        staff = await identity.staff_named(program_id, name, role, now=now)
        is_sandbox = await programs.is_sandbox(program_id)
        made = await identity.create_staff_token(
            staff,
            mode=TokenMode.TEST if is_sandbox else TokenMode.LIVE,
            randomness=secrets.token_bytes(TOKEN_RANDOM_BYTES),
            now=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        return made.text

    _print_once(run(in_database(database or load_settings().database_url, work)))


@app.command()
def member(
    ref: MemberArgument,
    *,
    minutes: Annotated[
        int,
        typer.Option(min=1, max=MINUTES_MAX, metavar="MINUTES", help="How long it works."),
    ] = 60,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Sign a member in, for development: print a token (JWT) that makes its bearer this member."""
    settings = load_settings()

    async def work() -> str:
        program_id = await chosen_program(program)
        member_id = await member_of(program_id, ref)
        version = await programs.in_force(program_id, utc_now(), now=utc_now())
        return sign_in(
            settings,
            program=version.settings.slug,
            subject=str(member_id),
            now=utc_now(),
            life=timedelta(minutes=minutes),
        )

    text = run(in_database(database or settings.database_url, work))
    errors.print("Signed with the development key; it works where LOYALTY_MEMBER_ISSUERS is unset.")
    typer.echo(text)


def _print_once(text: str) -> None:
    errors.print("Keep it safe; it cannot be shown again.")
    typer.echo(text)


@app.command("list")
def list_tokens(
    *, as_json: JsonOption = False, program: ProgramOption = None, database: DatabaseOption = None
) -> None:
    """List tokens by what may be shown of them."""
    now = utc_now()

    async def work() -> list[dict[str, Any]]:
        tokens = await identity.list_tokens(await chosen_program(program))
        return [
            {
                "id": str(token.id),
                "partner": token.partner and token.partner.name,
                "staff": token.staff and token.staff.name,
                "role": token.staff and token.staff.role,
                "name": token.name,
                "token": f"{token.prefix}…{token.last_four}",
                "scopes": token.scopes,
                "store": token.store,
                "daily_points": token.daily_points,
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
        whose = escape(f"{row['partner'] or row['staff']} / {row['name']}")
        console.print(f"{row['id']}  {row['token']}  {whose}  {_state(row, now=now)}")
    if not rows:
        errors.print("There are no tokens yet; `loyalty-graph token create` makes one.")


def _state(row: dict[str, Any], *, now: datetime) -> str:
    if row["revoked_at"]:
        return "[red]revoked[/]"
    if row["expires_at"] and row["expires_at"] <= now:
        return "[red]expired[/]"
    if row["role"]:
        return str(row["role"]).lower()
    place = [f"at {escape(row['store'])}"] if row["store"] else []
    cap = row["daily_points"]
    return " ".join([*row["scopes"], *place, *([] if cap is None else [f"{cap} points a day"])])


@app.command()
def revoke(
    token: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id, as `token list` shows it.")
    ],
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
