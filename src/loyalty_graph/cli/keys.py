"""Commands about the keys of an installation: which there are, and how a new one takes over."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.options import JsonOption
from loyalty_graph.cli.output import console, print_json
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.usecases import keys
from loyalty_graph.usecases.keys import Key, Kind

KIND_WIDTH, NAME_WIDTH = 11, 30
FOLLOWS = {
    Kind.PASS: "New passes use it; those in phones keep theirs for life.",
    Kind.LINK: "New links use it; those of before work for their week.",
    Kind.MEMBER: "`token member` uses it; tokens of before work to their end.",
    Kind.CHECKPOINT: "It signs the next checkpoint; the public part of the last one stays.",
}

app = typer.Typer(
    help="Show the keys that are made here, never the secrets, and make new ones.",
    invoke_without_command=True,
)


@app.callback()
def show(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show the keys that are made here, never the secrets, and make new ones."""
    if context.invoked_subcommand is not None:
        return
    now, found = utc_now(), keys.listed(load_settings())
    if as_json:
        print_json({"keys": [asdict(one) for one in found]})
        return
    for one in found:
        console.print(_line(one, now))


@app.command()
def rotate(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="pass, link, member or checkpoint.")],
) -> None:
    """Make a new key that is used from now on; whatever customers hold stays good.

    Servers take it up by themselves.
    """
    made = keys.rotate(load_settings(), kind, now=utc_now())
    console.print(f"[green]✓[/] {kind.value}: {escape(made.name)}, {escape(made.place)}")
    console.print(f"  {FOLLOWS[kind]}")


def _line(one: Key, now: datetime) -> str:
    mark = "[green]✓[/]" if one.newest else " "
    kind, name = f"{one.kind:<{KIND_WIDTH}}", f"{one.name:<{NAME_WIDTH}}"
    return f"{mark} {kind} [bold]{escape(name)}[/] {escape(one.place)}{_age(one, now)}"


def _age(one: Key, now: datetime) -> str:
    if one.made_at is None:
        is_to_come = "/" in one.place and not Path(one.place).exists()
        return "  [dim]made at the first start[/]" if is_to_come else ""
    days = (now - one.made_at).days
    ago = "today" if days == 0 else "1 day ago" if days == 1 else f"{days:,} days ago"
    return f"  [dim]{one.made_at:%Y-%m-%d}, {ago}[/]"
