"""Commands that prove the ledger and derive its projections again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.checkpoints import published_in
from loyalty_graph.cli.options import (
    DatabaseOption,
    JsonOption,
    ProgramOption,
    chosen_program,
    member_of,
    moment_of,
)
from loyalty_graph.cli.output import console, in_database, print_json, progress_bars, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.db.sqlite_files import look_at
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.ledger import checkpoint_keys, reads
from loyalty_graph.ledger.audit import Audit, Finding
from loyalty_graph.usecases import proof
from loyalty_graph.usecases.proof_processes import Processes

PROCESSES_MAX = 64

app = typer.Typer(
    help="Prove the points ledger, and mend what follows from it.", no_args_is_help=True
)


SinceOption = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only members with entries since, such as 2026-11-01."),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What this published checkpoint covers must be as then."),
]
ProcessesOption = Annotated[
    int, typer.Option(min=1, max=PROCESSES_MAX, metavar="N", help="So many share the work.")
]


@app.command()
def verify(  # noqa: PLR0913 - the options of one command
    member: Annotated[
        str | None,
        typer.Option(metavar="MEMBER", help="Audit one member only, by number or id."),
    ] = None,
    *,
    since: SinceOption = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Take texts and explanations on trust.")
    ] = False,
    checkpoint: CheckpointOption = None,
    processes: ProcessesOption = 1,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Work out every sum, lot, use, sequence, hash and checkpoint again; exit 1 on a difference."""
    settings = load_settings()
    url = database or settings.database_url
    if member is not None and since is not None:
        raise InvalidInputError("--member and --since exclude each other.")
    begin = None if since is None else moment_of(since)
    signatures = proof.Signatures(
        checkpoint_keys.known_keys(checkpoint_keys.key_folder(settings)),
        None if checkpoint is None else published_in(checkpoint),
    )

    async def work() -> Audit:
        program_id = await chosen_program(program)
        member_id = None if member is None else await member_of(program_id, member)
        total = 1 if member_id else await reads.accounts(program_id)
        with progress_bars() as tell:
            return await proof.verify(
                program_id,
                now=utc_now(),
                scope=proof.Scope(member_id, begin, fast=fast),
                signatures=signatures,
                progress=lambda done: tell("verify", done, total),
                helpers=Processes(url, processes) if processes > 1 else None,
            )

    if (path := sqlite_path(url)) is not None:
        look_at(path, whole=True)
    audit = run(in_database(url, work))
    _print_audit(audit, as_json=as_json)
    raise typer.Exit(1 if audit.findings else 0)


@app.command()
def rebuild(*, program: ProgramOption = None, database: DatabaseOption = None) -> None:
    """Derive balances and what is left of lots from the transfers again."""
    url = database or load_settings().database_url

    async def work() -> int:
        program_id = await chosen_program(program)
        total = await reads.accounts(program_id)
        with progress_bars() as tell:
            return await proof.rebuild(
                program_id, now=utc_now(), progress=lambda done: tell("rebuild", done, total)
            )

    changed = run(in_database(url, work))
    console.print(
        f"[green]✓[/] {changed:,} rows differed and are mended."
        if changed
        else "[green]✓[/] Nothing differed."
    )


def _print_audit(audit: Audit, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "accounts": audit.accounts,
                "transfers": audit.transfers,
                "checkpoints": audit.checkpoints,
                "differences": len(audit.findings),
                "findings": [one.as_json() for one in audit.findings],
            }
        )
        return
    for one in audit.findings:
        console.print(f"[red]✗[/] {_place(one)}: {escape(one.problem)}")
    mark = "[red]✗[/]" if audit.findings else "[green]✓[/]"
    signed = f" {_counted(audit.checkpoints, 'checkpoint')}," if audit.checkpoints else ""
    console.print(
        f"{mark} {_counted(audit.accounts, 'account')}, {_counted(audit.transfers, 'transfer')},"
        f"{signed} {_counted(len(audit.findings), 'difference')}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _place(finding: Finding) -> str:
    if finding.member_id is None:
        return f"checkpoint {finding.checkpoint}"
    place = "account" if finding.sequence is None else f"sequence {finding.sequence}"
    return f"member {finding.member_id}, {place}"
