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
)
from loyalty_graph.cli.output import console, in_database, print_json, progress_bars, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.ledger import checkpoint_keys, reads
from loyalty_graph.ledger.audit import Audit, Finding
from loyalty_graph.usecases import proof

ledger_app = typer.Typer(
    help="Prove the points ledger, and mend what follows from it.", no_args_is_help=True
)


CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A checkpoint that was published: what it covers must be unchanged."
    ),
]


@ledger_app.command()
def verify(
    member: Annotated[
        str | None,
        typer.Option(metavar="MEMBER", help="Audit one member only, by number or id."),
    ] = None,
    *,
    checkpoint: CheckpointOption = None,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Work out every sum, lot, use, sequence, hash and checkpoint again; exit 1 on a difference."""
    settings = load_settings()
    url = database or settings.database_url
    published = None if checkpoint is None else published_in(checkpoint)
    keys = checkpoint_keys.known_keys(checkpoint_keys.key_folder(settings))

    async def work() -> Audit:
        program_id = await chosen_program(program)
        member_id = None if member is None else await member_of(program_id, member)
        total = 1 if member_id else await reads.accounts(program_id)
        with progress_bars() as tell:
            return await proof.verify(
                program_id,
                now=utc_now(),
                member_id=member_id,
                published=published,
                keys=keys,
                progress=lambda done: tell("verify", done, total),
            )

    audit = run(in_database(url, work))
    _print_audit(audit, as_json=as_json)
    raise typer.Exit(1 if audit.findings else 0)


@ledger_app.command()
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
                "differences": len(audit.findings),
                "findings": [one.as_json() for one in audit.findings],
            }
        )
        return
    for one in audit.findings:
        console.print(f"[red]✗[/] {_place(one)}: {escape(one.problem)}")
    mark = "[red]✗[/]" if audit.findings else "[green]✓[/]"
    console.print(
        f"{mark} {audit.accounts:,} accounts, {audit.transfers:,} transfers,"
        f" {len(audit.findings):,} differences"
    )


def _place(finding: Finding) -> str:
    if finding.member_id is None:
        return f"checkpoint {finding.checkpoint}"
    place = "account" if finding.sequence is None else f"sequence {finding.sequence}"
    return f"member {finding.member_id}, {place}"
