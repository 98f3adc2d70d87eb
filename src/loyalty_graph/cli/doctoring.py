"""The doctor command: what is well, what is not, and what to do."""

from collections import Counter
from dataclasses import asdict

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption, JsonOption
from loyalty_graph.cli.output import console, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.usecases.doctor import examine
from loyalty_graph.usecases.doctor_checks import Check, State

app = typer.Typer()

WIDTH = 24
MARKS = {
    State.OK: "[green]✓[/]",
    State.WARNING: "[yellow]![/]",
    State.FAULT: "[red]✗[/]",
    State.SKIPPED: "[dim]-[/]",
}


@app.command()
def doctor(*, as_json: JsonOption = False, database: DatabaseOption = None) -> None:
    """Look at settings, certificates, database, queues and books; exit 1 when there is a fault."""
    settings = load_settings()
    url = database or settings.database_url

    async def look() -> list[Check]:
        found = []
        async for check in examine(settings, url=url, clock=utc_now):
            found.append(check)
            if not as_json:
                _print(check)
        return found

    checks = run(look())
    counts = Counter(check.state for check in checks)
    if as_json:
        print_json(
            {
                "faults": counts[State.FAULT],
                "warnings": counts[State.WARNING],
                "checks": [asdict(check) for check in checks],
            }
        )
    else:
        console.print(_summed_up(counts))
    raise typer.Exit(1 if counts[State.FAULT] else 0)


def _print(check: Check) -> None:
    console.print(
        f"{MARKS[check.state]} [bold]{escape(check.name):<{WIDTH}}[/] {escape(check.found)}"
    )
    if check.advice:
        console.print(f"  → {escape(check.advice)}")


def _summed_up(counts: Counter[State]) -> str:
    faults, warnings = counts[State.FAULT], counts[State.WARNING]
    if not faults and not warnings:
        return "\nEverything is well."
    said = [
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((faults, "fault"), (warnings, "warning"))
        if number
    ]
    return f"\n[bold]{', '.join(said)}.[/]"
