"""The command that shows the pass certificates: which one signs, and what is wrong with others."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer
from rich.markup import escape

from loyalty_graph.alarms import Alarm, present
from loyalty_graph.cli.options import DatabaseOption, JsonOption
from loyalty_graph.cli.output import console, errors, in_database, near, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import DatabaseError
from loyalty_graph.wallet.apple.certificates import Candidate, newest
from loyalty_graph.wallet.apple.signers import look_of

app = typer.Typer()

HEAD = ("file", "pass type", "team", "valid until", "days left", "")


@app.command()
def certs(*, as_json: JsonOption = False, database: DatabaseOption = None) -> None:
    """Show the pass certificates, and which one signs; exit 1 when one has expired or fails."""
    now = utc_now()
    settings = load_settings()
    candidates = look_of(settings)(now)
    signer = newest(candidates)
    shown = [
        {**_shown(one, now=now), "signs": signer is not None and one.signer is signer}
        for one in candidates
    ]
    alarms = _alarms(database or settings.database_url)
    if as_json:
        print_json({"certificates": shown, "alarms": [asdict(one) for one in alarms]})
    else:
        _print(shown)
        for one in alarms:
            console.print(f"[red]![/] {escape(one.message)} [dim](since {one.since:%Y-%m-%d})[/]")
    raise typer.Exit(1 if any(one.fault for one in candidates) else 0)


def _alarms(url: str) -> Sequence[Alarm]:
    """Return what is wrong, as the database knows it; nothing where there is none yet."""
    try:
        return run(in_database(url, present))
    except DatabaseError as error:
        errors.print(f"[yellow]{escape(error.message)} Alarms are not shown.[/]")
        return ()


def _shown(one: Candidate, *, now: datetime) -> dict[str, Any]:
    identity, until = one.identity, one.valid_until
    return {
        "file": None if one.path is None else str(near(one.path)),
        "subject": one.subject,
        "pass_type": identity.pass_type_identifier if identity else None,
        "team": identity.team_identifier if identity else None,
        "issuer": one.issuer,
        "valid_until": until,
        "days_left": (until - now).days if until else None,
        "fault": one.fault,
    }


def _print(shown: Sequence[dict[str, Any]]) -> None:
    rows = [HEAD, *(_row(one) for one in shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    console.print(f"  [bold]{lines[0]}[/]")
    for one, line in zip(shown, lines[1:], strict=True):
        mark = "[red]✗[/]" if one["fault"] else "[green]✓[/]" if one["signs"] else " "
        console.print(f"{mark} {escape(line)}")
        if one["subject"]:
            console.print(f"  [dim]{escape(one['subject'])}, issued by {escape(one['issuer'])}[/]")
        if one["fault"]:
            console.print(f"  [red]{escape(one['fault'])}[/]")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    until = f"{one['valid_until']:%Y-%m-%d}" if one["valid_until"] else "-"
    left = "-" if one["days_left"] is None else str(one["days_left"])
    names = (one["file"], one["pass_type"], one["team"])
    return *(name or "-" for name in names), until, left, "signs" if one["signs"] else ""
