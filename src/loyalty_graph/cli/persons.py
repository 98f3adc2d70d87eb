"""Commands about a person behind a member: locked, unlocked, exported, forgotten."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.markup import escape

from loyalty_graph.cli.options import (
    DatabaseOption,
    MemberArgument,
    ProgramOption,
    chosen_program,
    reference_of,
)
from loyalty_graph.cli.output import console, errors, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings, secret_key
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import reads
from loyalty_graph.members import service as members
from loyalty_graph.usecases import erasing, exporting, locking

app = typer.Typer()

CALLER = "cli"
PRIVATE = 0o600

ReasonOption = Annotated[
    str, typer.Option(metavar="TEXT", help="Why, for those who look at it later.")
]


@app.command()
def lock(
    member: MemberArgument,
    *,
    reason: ReasonOption,
    may_earn: Annotated[
        bool, typer.Option("--may-earn", help="Points are still earned; spent after the lock.")
    ] = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Suspend a member for a reason: nothing can be spent until somebody unlocks.

    Locking somebody locked changes the lock.
    """
    number = _set_lock(member, reason, may_earn=may_earn, program=program, database=database)
    told = "earns, but cannot spend" if may_earn else "neither earns nor spends"
    console.print(f"[green]✓[/] Member {number} is locked: {told}.")


@app.command()
def unlock(
    member: MemberArgument,
    *,
    reason: ReasonOption,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Let a locked member earn and spend again."""
    number = _set_lock(member, reason, may_earn=None, program=program, database=database)
    console.print(f"[green]✓[/] Member {number} may earn and spend again.")


def _set_lock(
    member: str, reason: str, *, may_earn: bool | None, program: str | None, database: str | None
) -> str:
    """Set or lift a lock; return the member's number."""
    now = utc_now()

    async def work() -> str:
        program_id, wanted = await chosen_program(program), reference_of(member)
        key = f"lock-{new_id(now)}"
        command = locking.SetLock(CALLER, key, wanted, reason, may_earn)
        done = await locking.set_lock(program_id, command, now=now)
        return (await reads.members(program_id, [done.member_id]))[done.member_id].number

    return run(in_database(database or load_settings().database_url, work))


@app.command()
def export(
    member: MemberArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to. (default: here)"),
    ] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write everything that is kept of a member as JSON, for the member to take along.

    The file can be read by its owner only. That it was asked for is noted.
    """

    async def work() -> str:
        program_id = await chosen_program(program)
        _, data = await exporting.export(program_id, reference_of(member), now=utc_now())
        return data

    data = orjson.loads(run(in_database(database or load_settings().database_url, work)))
    if output is None:
        print_json(data)
        return
    _write_private(output, orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    rows = sum(map(len, data["tables"].values()))
    console.print(
        f"[green]✓[/] {escape(str(output))}: all that is kept of the member,"
        f" {rows:,} rows of {len(data['tables'])} tables."
    )


def _write_private(path: Path, content: bytes) -> None:
    """Write what nobody else on this machine may read.

    Raises:
        InvalidInputError: The file cannot be written.
    """
    try:
        path.touch(mode=PRIVATE)
        path.chmod(PRIVATE)
        path.write_bytes(content)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error


@app.command()
def erase(
    member: MemberArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Forget a person for good; the membership ends, the books stay whole and still verify.

    Name, addresses, texts and links go; ids, points, amounts and moments stay. Afterwards only the
    member's id finds what is left. There is no way back.
    """
    settings = load_settings()
    url = database or settings.database_url
    if not yes:
        name, points = run(in_database(url, lambda: _who(program, member)))
        lost = f"; at least {points:,} points will be forfeited" if points else ""
        errors.print(f"This forgets member {name} for good{lost}. There is no way back.")
        if not _agreed():
            errors.print("Nothing was changed.")
            raise typer.Exit(1)

    async def work() -> erasing.MemberErased:
        program_id, now = await chosen_program(program), utc_now()
        command = erasing.EraseMember(
            CALLER, f"erase-{new_id(now)}", reference_of(member), secret_key(settings)
        )
        return await erasing.erase(program_id, command, now=now)

    done = run(in_database(url, work))
    console.print(
        f"[green]✓[/] {done.member_id} is forgotten; {done.forfeited_points:,} points forfeited."
    )


def _agreed() -> bool:
    """Ask whether to go on; no answer is a no."""
    try:
        return errors.input("Go on? \\[y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        errors.print()
        return False


async def _who(program: str | None, member: str) -> tuple[str, int]:
    """Return a member's number and the points that would be forfeited; unused codes add theirs.

    Raises:
        NotFoundError: There is no such member.
    """
    program_id = await chosen_program(program)
    found = await members.find(program_id, reference_of(member))
    balances = await ledger.balances(program_id, [found.id], now=utc_now())
    had = balances[found.id]
    return found.number, had.balance + had.held + had.pending
