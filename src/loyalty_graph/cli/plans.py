"""How the command line shows what a programme file changes."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.markup import escape

from loyalty_graph.cli.output import console
from loyalty_graph.usecases.program_changes import NOUNS, Change, ChangeKind
from loyalty_graph.usecases.program_versions import Plan
from loyalty_graph.usecases.program_words import human

WIDTH_MAX = 110
HEADINGS = {part: NOUNS[part] for part in ("program", "branding")}
MARKS = {
    ChangeKind.NEW: "[green]+[/]",
    ChangeKind.CHANGED: "[yellow]~[/]",
    ChangeKind.GONE: "[red]-[/]",
}


def print_plan(plan: Plan) -> None:
    """Print what is different, part by part, and what that means for cards."""
    for part, found in groupby(plan.changes, key=lambda change: change.part):
        heading = HEADINGS.get(part, human(part).capitalize())
        console.print(f"\n  [bold]{escape(heading)}[/]")
        for change in found:
            _print_change(change, heading)
    if plan.reach:
        console.print("\n  [bold]Members now[/]")
    for code, number in plan.reach.items():
        console.print(f"    Segment [bold]{code}[/] holds {number:,}.")
    if plan.cards:
        console.print(f"\n  [bold]Cards[/]\n{_wrapped(_about_cards(plan), ahead='    ')}")


def counted(changes: Sequence[Change]) -> str:
    """Return how many changes of each kind there are, such as: 2 new, 1 changed."""
    kinds = [change.kind for change in changes]
    told = [f"{kinds.count(kind)} {kind.lower()}" for kind in ChangeKind if kind in kinds]
    return ", ".join(told) or "nothing is different"


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    return {
        "program": plan.slug,
        "compared_with": plan.version or None,
        "changes": [{**asdict(one), "sentence": one.sentence} for one in plan.changes],
        "reach": dict(plan.reach),
        "cards": {"changed": list(plan.cards), "members": plan.card_holders},
    }


def _print_change(change: Change, heading: str) -> None:
    told = _head(change).removeprefix(f"{heading}: ")
    head = _wrapped(told, ahead="      ").removeprefix("      ")
    subject = escape(change.subject)
    console.print(f"    {MARKS[change.kind]} {head.replace(subject, f'[bold]{subject}[/]', 1)}")
    if change.details:
        console.print(f"[dim]{_wrapped('; '.join(change.details), ahead='        ')}[/]")


def _head(change: Change) -> str:
    """Return the sentence without what there is to say of something new: that follows below."""
    if change.kind is ChangeKind.CHANGED:
        return change.sentence
    verb = "is new" if change.kind is ChangeKind.NEW else "is gone"
    return f"{change.subject} {verb}{f': {change.text}' if change.text else ''}"


def _about_cards(plan: Plan) -> str:
    shown = " and ".join(filter(None, (", ".join(plan.cards[:-1]), *plan.cards[-1:])))
    if not plan.card_holders:
        return f"They show it ({shown}); nobody holds one yet."
    who = "1 member" if plan.card_holders == 1 else f"{plan.card_holders:,} members"
    return f"They show it ({shown}): a roll-out brings it to the cards of {who}."


def _wrapped(text: str, *, ahead: str) -> str:
    width = min(console.width, WIDTH_MAX)
    lines: Iterator[str] = iter(
        textwrap.wrap(
            text,
            width,
            initial_indent=ahead,
            subsequent_indent=ahead,
            break_on_hyphens=False,
        )
    )
    return "\n".join(escape(line) for line in lines)
