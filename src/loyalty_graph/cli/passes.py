"""Commands about pass files: build one, verify one, show what one holds."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.x509 import Certificate
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
from loyalty_graph.wallet.apple import logs
from loyalty_graph.wallet.apple.checking import describe, verify_pass_file
from loyalty_graph.wallet.apple.development_ca import DEVELOPMENT_FOLDER, development_root
from loyalty_graph.wallet.apple.signing import read_certificate
from loyalty_graph.wallet.desk import open_desk
from loyalty_graph.wallet.templates import SECTIONS, STYLE

app = typer.Typer(
    help="Wallet cards: files, drawings, certificates, roll-outs.", no_args_is_help=True
)
DEVELOPMENT_NOTE = (
    "Signed by the development CA: phones will not add it. Apple's certificate is named in"
    " LOYALTY_APPLE_CERTIFICATE, _KEY and _ISSUER."
)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A pass file (.pkpass).")]


@app.command()
def build(
    member: MemberArgument,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = Path("card.pkpass"),
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Sign a member's card for the present balance, and write it to a file."""
    settings = load_settings()
    now = utc_now()
    desk = open_desk(settings, now=now)

    async def work() -> bytes:
        program_id = await chosen_program(program)
        member_id = await member_of(program_id, member)
        return await desk.pass_of(program_id, member_id, now=now)

    data = run(in_database(database or settings.database_url, work))
    try:
        output.write_bytes(data)
    except OSError as error:
        raise InvalidInputError(f"{output} cannot be written: {error.strerror}.") from error
    console.print(f"[green]✓[/] {escape(str(output))}, {len(data):,} bytes")
    if desk.development:
        errors.print(f"[yellow]{DEVELOPMENT_NOTE}[/]")


@app.command()
def verify(
    file: FileArgument,
    *,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The trusted root certificate, PEM or DER. (default: the development CA's)",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check archive, manifest, signature, chain and content; exit 1 when a check fails."""
    data = _read(file)
    report = verify_pass_file(data, trusted_root=trusted_root(root), now=utc_now())
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
            console.print(f"{mark} {one.name}{reason}")
    raise typer.Exit(0 if report.passed else 1)


@app.command()
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
    title = f"{card.get('description', '')}  serial {card.get('serialNumber', '')}"
    console.print(f"[bold]{escape(title)}[/]")
    for label, value in _fields(card):
        console.print(f"  {escape(f'{label:<16}')} {escape(value)}")
    signed: datetime = described["signed_at"]
    note = " (development CA)" if described["development"] else ""
    signer = escape(described["signer"])
    console.print(f"  [dim]signed {signed:%Y-%m-%d %H:%M:%S} UTC by {signer}{note}[/]")
    for name, size in described["files"].items():
        console.print(f"  [dim]{escape(f'{name:<16}')} {size:>8,} bytes[/]")


@app.command("logs")
def show_logs(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Only lines that hold it.")] = "",
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=logs.ROWS_MAX, metavar="N", help="At most so many.")
    ] = 100,
    database: DatabaseOption = None,
) -> None:
    """Show what phones said went wrong, the newest last; tokens are not in it."""

    async def work() -> list[tuple[datetime, str]]:
        return [(row.logged_at, row.message) for row in await logs.search(text, limit=limit)]

    found = run(in_database(database or load_settings().database_url, work))
    for logged_at, message in found:
        console.print(f"[dim]{logged_at:%Y-%m-%d %H:%M:%S}[/] {escape(message)}")
    if not found:
        console.print("No phone said anything like it." if text else "No phone said anything.")


def _fields(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield label and value of what a card shows; what is shaped otherwise is passed over."""
    style = card.get(STYLE)
    for section in SECTIONS:
        entries = style.get(section) if isinstance(style, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield str(entry.get("label", "")), str(entry.get("value", ""))


def trusted_root(path: Path | None) -> Certificate:
    """Return the root that passes must lead to: one that was named, or the development CA's.

    Raises:
        InvalidInputError: None was named, and there is no development CA here.
    """
    if path is not None:
        return read_certificate(path)
    folder = load_settings().data_dir / DEVELOPMENT_FOLDER
    if not folder.exists():
        raise InvalidInputError("There is no development CA here; name the root with --root.")
    return development_root(folder)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}.") from error
