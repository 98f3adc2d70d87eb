"""Commands about members: look at one, suspend or close one."""

from typing import Annotated, Any

import typer
from rich.markup import escape

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
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import locks, reads
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.usecases import members as usecase
from loyalty_graph.usecases import membership

ENTRIES_SHOWN = 10

app = typer.Typer(
    help="Members: look at one, lock, close, export or forget one.", no_args_is_help=True
)


@app.command()
def show(
    member: MemberArgument,
    *,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Print who a member is, the points, and the newest entries."""
    now = utc_now()

    async def work() -> dict[str, Any]:
        program_id = await chosen_program(program)
        found = await members.find(program_id, reference_of(member))
        lock = (await locks.locks(program_id, [found.id])).get(found.id)
        balances = await ledger.balances(program_id, [found.id], now=now)
        newest = await ledger.newest_entries(program_id, [found.id], limit=ENTRIES_SHOWN)
        return {
            "id": str(found.id),
            "number": found.number,
            "status": found.status,
            "lock": lock and {"reason": lock.reason, "may_earn": lock.may_earn},
            "enrolled_at": found.enrolled_at,
            "available": balances[found.id].available,
            "balance": balances[found.id].balance,
            "entries": [
                {
                    "sequence": entry.sequence,
                    "at": entry.at,
                    "kind": entry.kind,
                    "points": entry.points,
                    "balance_after": entry.balance_after,
                }
                for entry in newest[found.id]
            ],
        }

    shown = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json(shown)
    else:
        _print(shown)


def _print(shown: dict[str, Any]) -> None:
    console.print(
        f"[bold]{shown['number']}[/]  {shown['status'].lower()}"
        f"  {shown['available']:,} points to spend",
    )
    if shown["lock"]:
        earns = "earns, but cannot spend" if shown["lock"]["may_earn"] else "cannot earn or spend"
        console.print(f"  [yellow]locked[/]: {earns}. {escape(shown['lock']['reason'])}")
    for entry in shown["entries"]:
        console.print(
            f"  {entry['sequence']:>5}  {entry['at']:%Y-%m-%d %H:%M}  {escape(entry['kind']):<9}"
            f" {entry['points']:>+10,} {entry['balance_after']:>12,}",
        )


@app.command()
def status(
    member: MemberArgument,
    becomes: Annotated[MemberStatus, typer.Argument(help="The status the member gets.")],
    *,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Suspend a member, make one active again, or close one for good: the points are forfeited."""

    async def work() -> str:
        program_id, wanted, now = await chosen_program(program), reference_of(member), utc_now()
        if becomes is MemberStatus.CLOSED:
            command = membership.CloseMember("cli", f"close-{new_id(now)}", wanted)
            done = await membership.close(program_id, command, now=now)
            closed = (await reads.members(program_id, [done.member_id]))[done.member_id]
            return f"Member {closed.number} is closed; {done.forfeited_points:,} points forfeited."
        changed = await usecase.set_status(program_id, wanted, becomes, now=now)
        return f"Member {changed.number} is {becomes.lower()}."

    done = run(in_database(database or load_settings().database_url, work))
    console.print(f"[green]✓[/] {done}")
