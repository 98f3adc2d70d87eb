"""The command that records what a member did beside buying."""

import secrets
from typing import Annotated, Any

import typer

from loyalty_graph.cli.options import (
    DatabaseOption,
    JsonOption,
    MemberArgument,
    ProgramOption,
    chosen_program,
    reference_of,
)
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.earning.activities import Hindrance
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import BY_ITSELF, ActivityKind, Deed, one_network
from loyalty_graph.usecases import activities

CALLER = "cli"
KEY_BYTES = 16
NOTHING = {
    Hindrance.NO_RULE: "the programme has no rule for it",
    Hindrance.NOT_OPEN: "its rule is not open now",
    Hindrance.NOT_FOR_MEMBER: "its rule is for others",
    Hindrance.CONDITION: "its rule's condition does not hold",
    Hindrance.NEEDS_PROOF: "its rule asks for a proof",
    Hindrance.COUNTED_ALREADY: "it counts once, and did",
    Hindrance.COOLDOWN: "it came too soon after the last one",
    Hindrance.ANOTHER_RULE: "another rule counts in its place",
    Hindrance.CAP: "its rule gave the member all it may",
    Hindrance.BUDGET: "its rule gave all it may",
}
KINDS = tuple(one for one in ActivityKind if one not in BY_ITSELF)

app = typer.Typer(help="Activities: record what a member did beside buying.", no_args_is_help=True)


def _kind(word: str) -> ActivityKind:
    try:
        return ActivityKind(word)
    except ValueError as error:
        raise typer.BadParameter(f"{word!r} is none of {', '.join(KINDS)}.") from error


@app.command()
def record(  # noqa: PLR0913 - each is an option of the command
    member: MemberArgument,
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help=f"What the member did: {', '.join(KINDS)}."),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of CUSTOM: what, such as WORKOUT_DONE.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="NETWORK", help="Of a follow or a share: where.")
    ] = None,
    proof: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What shows it, such as an order.")
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="STORE", help="Where it happened.")] = None,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Record something a member did now, and say what it earned, or why nothing."""
    now, key = utc_now(), secrets.token_hex(KEY_BYTES)
    deed = Deed(_kind(kind), name, None if network is None else one_network(network), proof, store)

    async def work() -> dict[str, Any]:
        program_id = await chosen_program(program)
        version = await programs.in_force(program_id, now, now=now)
        command = activities.RecordActivity(CALLER, key, reference_of(member), deed, now)
        [done] = await activities.record(program_id, [command], now=now)
        if isinstance(done, LoyaltyError):
            raise done
        points = version.settings.points
        return {
            "activity": str(done.activity_id),
            "points": done.points,
            "reason": done.reason,
            "balance": done.balance_points,
            "unit": points.unit_one if done.points == 1 else points.unit_other,
        }

    done = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json(done)
    elif done["reason"]:
        console.print(f"[green]✓[/] Recorded; it earned nothing: {NOTHING[done['reason']]}.")
    else:
        console.print(
            f"[green]✓[/] {done['points']:+,} {done['unit']}; the balance is {done['balance']:,}."
        )
