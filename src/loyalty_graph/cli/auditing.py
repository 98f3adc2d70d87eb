"""The command that shows the audit log: who changed what, from what to what, and why."""

import re
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from loyalty_graph.cli.options import (
    DatabaseOption,
    JsonOption,
    ProgramOption,
    chosen_program,
    member_of,
    moment_of,
)
from loyalty_graph.cli.output import console, errors, in_database, print_json, run
from loyalty_graph.config import load_settings
from loyalty_graph.identity import audit, reads
from loyalty_graph.identity.reads import Actor
from loyalty_graph.members import reads as members

app = typer.Typer()

LIMIT_DEFAULT, LIMIT_MAX = 20, 1_000
KIND_WIDTH = 26
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ID_CHARACTERS = 8
UNNAMED = {"cli": "the command line"}


ActorOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Only by this partner or one of the staff, or by cli or an id."
    ),
]
MemberOption = Annotated[
    str | None,
    typer.Option(
        metavar="MEMBER", help="Only of this member: a number, e-mail, phone, external id or id."
    ),
]
AboutOption = Annotated[
    str | None,
    typer.Option(
        metavar="THING",
        help="Only about program, rates or ledger; or token, partner, import …, with :ID for one.",
    ),
]
SinceOption = Annotated[
    str | None, typer.Option(metavar="MOMENT", help="Only since then, such as 2026-11-01.")
]
LimitOption = Annotated[
    int, typer.Option(min=1, max=LIMIT_MAX, help="At most so many, the newest.")
]


@app.command("audit")
def show(  # noqa: PLR0913 - each is an option of the command
    *,
    actor: ActorOption = None,
    member: MemberOption = None,
    about: AboutOption = None,
    since: SinceOption = None,
    limit: LimitOption = LIMIT_DEFAULT,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show who of the staff, which partner or operator changed what and why, the newest first.

    What a shop sells is in the ledger; what members do for themselves is their own business.
    """

    async def work() -> list[dict[str, Any]]:
        program_id = await chosen_program(program)
        wanted = audit.Wanted(
            actors=None if actor is None else await _callers(program_id, actor),
            member_id=None if member is None else await member_of(program_id, member),
            about=about,
            since=None if since is None else moment_of(since),
        )
        await audit.keep_all()
        found = await audit.page(program_id, wanted, limit=limit)
        return await _shown(program_id, found)

    rows = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json([{name: row[name] for name in row if name != "number"} for row in rows])
        return
    for row in rows:
        _print(row)
    if not rows:
        errors.print("Nothing like that was changed.")
    elif len(rows) == limit:
        errors.print(f"[dim]There may be more: --limit {limit * 2} shows them.[/]")


async def _callers(program_id: UUID, text: str) -> list[str]:
    """Return the callers that a command line names.

    Raises:
        NotFoundError: Nobody has this name.
    """
    if text in UNNAMED or ":" in text:
        return [text]
    return await reads.callers(program_id, text)


async def _shown(program_id: UUID, found: list[audit.Entry]) -> list[dict[str, Any]]:
    actors = await reads.actors(program_id, [one.actor for one in found])
    ids = sorted({one.member_id for one in found if one.member_id})
    known = await members.members(program_id, ids)
    return [
        {
            **asdict(one),
            "id": str(one.id),
            "member_id": one.member_id and str(one.member_id),
            "by": _name(who),
            "number": known[one.member_id].number if one.member_id in known else None,
        }
        for one, who in zip(found, actors, strict=True)
    ]


def _name(who: Actor) -> str:
    if who.name:
        return who.name
    return UNNAMED.get(who.kind) or f"{who.kind} {_said(who.id or '')}".strip()


def _print(row: dict[str, Any]) -> None:
    whom = f"member {row['number']}" if row["number"] else _short(row["about"])
    why = f"  [dim]“{escape(row['reason'])}”[/]" if row["reason"] else ""
    console.print(
        f"[dim]{row['at']:%Y-%m-%d %H:%M}[/]  [bold]{escape(row['kind']):<{KIND_WIDTH}}[/]"
        f" {escape(whom)}  [dim]by[/] {escape(row['by'])}{why}"
    )
    changes = _changes(row["before"] or {}, row["after"] or {})
    if changes:
        console.print(f"{'':<18}{escape(changes)}")


def _short(about: str) -> str:
    """Return what an entry is about, of an id only the end: those of one day begin alike."""
    noun, _, name = about.partition(":")
    return f"{noun} {_said(name)}" if name else noun


def _changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return what was and what is, name by name; what is in both alike is left out."""
    told = []
    for name in [*after, *(one for one in before if one not in after)]:
        if name in before and name in after:
            if before[name] != after[name]:
                told.append(f"{name} {_said(before[name])} → {_said(after[name])}")
        elif after.get(name) is not None:
            told.append(f"{name} {_said(after[name])}")
        elif before.get(name) is not None:
            told.append(f"{name} was {_said(before[name])}")
    return ", ".join(told)


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    text = str(value)
    return f"…{text[-ID_CHARACTERS:]}" if ID.fullmatch(text) else text
