"""Options that several commands share, and what they mean."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import NUMBER_DIGITS, Reference, ReferenceKind
from loyalty_graph.programs import service as programs

PROCESSES_MAX = 64

DatabaseOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The database. (default: LOYALTY_DATABASE_URL)"),
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        metavar="PORT",
        help="A port of its own for /metrics, /healthz and /readyz, on this machine only; the next"
        " one if it is in use. (default: LOYALTY_METRICS_PORT, none)",
    ),
]
ProgramOption = Annotated[
    str | None,
    typer.Option(metavar="SLUG", help="The programme, where there are several."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what it would do; write nothing.")
]
RowsArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A file that ends in .csv, .jsonl or .ndjson.")
]


MemberArgument = Annotated[
    str, typer.Argument(help="A member number, e-mail, phone (+49…), external id or id.")
]


def processes_option(what_they_do: str) -> Any:
    """Return the option that says how many processes do it."""
    help_text = f"How many processes {what_they_do}; more than one needs PostgreSQL."
    return typer.Option(min=1, max=PROCESSES_MAX, metavar="N", help=help_text)


async def chosen_program(slug: str | None) -> UUID:
    """Return the programme a command is about.

    Raises:
        NotFoundError: There is no such programme.
        InvalidInputError: None was named, and there is not just one.
    """
    return await (programs.only_program() if slug is None else programs.find(slug))


def reference_of(text: str) -> Reference:
    """Return what a command line says of a member, told apart by its form."""
    if "@" in text:
        kind = ReferenceKind.EMAIL
    elif text.startswith("+"):
        kind = ReferenceKind.PHONE
    elif len(digits := text.replace(" ", "")) == NUMBER_DIGITS and digits.isdecimal():
        kind = ReferenceKind.NUMBER
    else:
        kind = ReferenceKind.ID if _is_id(text) else ReferenceKind.EXTERNAL_ID
    return members.reference(kind, text)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def member_of(program_id: UUID, text: str) -> UUID:
    """Return the member whom a command names.

    Raises:
        InvalidInputError: The text can be no such name.
        NotFoundError: There is no such member.
    """
    return (await members.find(program_id, reference_of(text))).id


def moment_of(text: str) -> datetime:
    """Return the moment that a command names; where it says no zone, it is UTC.

    Raises:
        InvalidInputError: The text names no moment.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{text} is no moment; write 2026-11-01 or 2026-11-01T08:00+01:00."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
