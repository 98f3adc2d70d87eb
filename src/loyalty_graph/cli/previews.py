"""The command that draws a card without a phone."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption, ProgramOption, chosen_program, member_of
from loyalty_graph.cli.output import console, in_database, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError, TemplateError
from loyalty_graph.wallet import service
from loyalty_graph.wallet.desk import open_desk
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.locales import FALLBACK, known_locale
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.preview.samples import in_tier, sample_face
from loyalty_graph.wallet.service import Platform

app = typer.Typer()


@app.command("preview")
def draw_card(  # noqa: PLR0913 - each is an option of the command line
    template: Annotated[str, typer.Argument(metavar="NAME", help="A template: store-card, ...")],
    *,
    member: Annotated[
        str | None,
        typer.Option(metavar="M", help="Whose card: number, e-mail, ... (default: a sample)"),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = Path("card.svg"),
    platform: Annotated[
        Platform, typer.Option(case_sensitive=False, help="Whose wallet.")
    ] = Platform.APPLE,
    side: Annotated[
        Side, typer.Option(case_sensitive=False, help="Which side of it.")
    ] = Side.FRONT,
    locale: Annotated[
        str | None, typer.Option(metavar="LOCALE", help="Such as ar-EG. (default: the member's)")
    ] = None,
    tier: Annotated[str | None, typer.Option(metavar="TIER", help="As if in this tier.")] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Draw a card as a phone shows it, and write it to a file (SVG)."""
    settings = load_settings()
    now = utc_now()
    desk = open_desk(settings, now=now)
    if template not in desk.printers:
        raise TemplateError(
            f"There is no card template {template}; there are {', '.join(desk.printers)}."
        )
    printer = desk.printers[template]
    face = sample_face(printer.template, locale=locale or FALLBACK, now=now)
    if member is not None:
        work = partial(_face_of, member, program, now=now)
        face = run(in_database(database or settings.database_url, work))
    face = replace(face, locale=known_locale(locale)) if locale else face
    face = in_tier(face, tier) if tier else face
    svg = preview(face, printer, platform=platform, side=side)
    try:
        output.write_text(svg)
    except OSError as error:
        raise InvalidInputError(f"{output} cannot be written: {error.strerror}.") from error
    console.print(f"[green]✓[/] {escape(str(output))}, {len(svg.encode()):,} bytes")


async def _face_of(member: str, program: str | None, *, now: datetime) -> CardFace:
    program_id = await chosen_program(program)
    member_id = await member_of(program_id, member)
    return (await service.faces(program_id, [member_id], now=now))[member_id]
