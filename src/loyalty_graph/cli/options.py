"""Options that several commands share, and what they mean."""

from typing import Annotated
from uuid import UUID

import typer

from loyalty_graph.members import rules as members
from loyalty_graph.members import service as member_service
from loyalty_graph.programs import service as programs

DatabaseOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The database. (default: LOYALTY_DATABASE_URL)"),
]
ProgramOption = Annotated[
    str | None,
    typer.Option(metavar="SLUG", help="The programme, where there are several."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


async def chosen_program(slug: str | None) -> UUID:
    """Return the programme a command is about.

    Raises:
        NotFoundError: There is no such programme.
        InvalidInputError: None was named, and there is not just one.
    """
    return await (programs.only_program() if slug is None else programs.find(slug))


async def member_of(program_id: UUID, text: str) -> UUID:
    """Return the member whom a command names by number or id.

    Raises:
        InvalidInputError: It is neither.
        NotFoundError: There is no such member.
    """
    is_number = len(text.replace(" ", "")) == members.NUMBER_DIGITS
    kind = members.ReferenceKind.NUMBER if is_number else members.ReferenceKind.ID
    return (await member_service.find(program_id, member_service.reference(kind, text))).id
