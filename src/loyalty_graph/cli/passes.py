"""Commands about pass files: build one, verify one, show what one holds."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from loyalty_graph.cli.ledger import (
    DatabaseOption,
    JsonOption,
    ProgramOption,
    chosen_program,
    member_of,
)
from loyalty_graph.cli.output import console, errors, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import data_folder, load_settings
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.wallet import service
from loyalty_graph.wallet.checking import describe, verify_pass_file
from loyalty_graph.wallet.desk import DEVELOPMENT_FOLDER, open_desk
from loyalty_graph.wallet.development_ca import development_root
from loyalty_graph.wallet.signing import read_certificate

pass_app = typer.Typer(help="Pass files for Apple Wallet.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="A pass file (.pkpass).")]


@pass_app.command()
def build(
    member: Annotated[str, typer.Argument(help="A member number or id.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to.")] = Path("card.pkpass"),
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Sign a member's card for the present balance, and write it to a file."""
    settings = load_settings()
    now = utc_now()
    desk = open_desk(settings, now=now)

    async def work() -> bytes:
        program_id: UUID = await chosen_program(program)
        member_id = await member_of(program_id, member)
        serials = await service.issue(program_id, [member_id], now=now)
        return (await desk.files(program_id, serials, now=now))[member_id]

    data = run(in_database(database or settings.database_url, work))
    output.write_bytes(data)
    console.print(f"[green]✓[/] {escape(str(output))}, {len(data):,} bytes", highlight=False)
    if desk.development:
        errors.print(DEVELOPMENT_NOTE, highlight=False)


DEVELOPMENT_NOTE = (
    "[yellow]Signed by the development CA: phones will not add it. Give Apple's certificate in"
    " LOYALTY_APPLE_CERTIFICATE, _KEY and _ISSUER.[/]"
)


@pass_app.command()
def verify(
    file: FileArgument,
    *,
    root: Annotated[
        Path | None, typer.Option(help="The trusted root (PEM or DER); default: development's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check archive, manifest, signature, chain and content; exit 1 when a check fails."""
    trusted = (
        read_certificate(root)
        if root
        else development_root(data_folder(load_settings()) / DEVELOPMENT_FOLDER)
    )
    report = verify_pass_file(_read(file), trusted_root=trusted, now=utc_now())
    if as_json:
        print_json(
            {
                "passed": report.passed,
                "checks": [
                    {"name": one.name, "passed": one.passed, "reason": one.reason}
                    for one in report.checks
                ],
            }
        )
    else:
        for one in report.checks:
            mark = "[green]✓[/]" if one.passed else "[red]✗[/]"
            reason = f": {escape(one.reason)}" if one.reason else ""
            console.print(f"{mark} {one.name}{reason}", highlight=False)
    raise typer.Exit(0 if report.passed else 1)


@pass_app.command()
def show(file: FileArgument, *, as_json: JsonOption = False) -> None:
    """Print what a pass file says of itself; nothing is verified."""
    try:
        described = describe(_read(file))
    except ValueError as error:
        raise InvalidInputError(f"{file} is no pass file: {error}.") from error
    if as_json:
        print_json(described)
        return
    card = described["card"]
    console.print(f"[bold]{escape(card['description'])}[/]  serial {card['serialNumber']}")
    for part in ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields"):
        for entry in card["storeCard"].get(part, ()):
            console.print(f"  {escape(entry.get('label', '')):<16} {escape(entry['value'])}")
    signed: datetime = described["signed_at"]
    note = " (development CA)" if described["development"] else ""
    console.print(f"  [dim]signed {signed:%Y-%m-%d %H:%M:%S} UTC by {described['signer']}{note}[/]")
    files: dict[str, Any] = described["files"]
    for name, size in files.items():
        console.print(f"  [dim]{name:<16} {size:>8,} bytes[/]", highlight=False)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}.") from error
