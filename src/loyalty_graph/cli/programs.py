"""Commands about programmes: plan a file, apply it, look back, go back."""

from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from loyalty_graph.cli.options import DatabaseOption, JsonOption, ProgramOption, chosen_program
from loyalty_graph.cli.output import command_line, console, in_database, print_json, run
from loyalty_graph.cli.plans import counted, plan_json, print_plan
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.programs import reads
from loyalty_graph.programs.reads import StoredVersion
from loyalty_graph.usecases import program_file, program_versions
from loyalty_graph.usecases.program_schema import json_schema
from loyalty_graph.usecases.program_text import text_of
from loyalty_graph.usecases.program_versions import ApplyProgram, Draft, Plan, ProgramApplied
from loyalty_graph.wallet.templates import template_folders

CALLER = "cli"
Result = TypeVar("Result")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A programme file (TOML).")]
ExpectedOption = Annotated[
    int | None,
    typer.Option(
        "--expected-version",
        min=0,
        metavar="N",
        help="Refuse when another version is in force by now; 0: when there is one at all.",
    ),
]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="Why; the history keeps it.")]

app = typer.Typer(
    help="Programmes as files: plan, apply, look back, go back.", no_args_is_help=True
)


@app.command()
def check(file: FileArgument) -> None:
    """Say what is wrong with a programme file, without a database."""
    found = _draft(file).file
    lists = {
        "rule": found.earning.rules,
        "offer": found.earning.offers,
        "benefit": found.benefits,
        "tier": found.tiers.levels if found.tiers else (),
        "plan": found.subscription_plans,
        "segment": found.segments,
        "reward": found.rewards,
    }
    told = [
        f"{len(one)} {name}{'' if len(one) == 1 else 's'}" for name, one in lists.items() if one
    ]
    name = escape(found.program.name)
    console.print(f"[green]✓[/] {name} ({found.program.slug}): {', '.join(told) or 'sound'}.")


@app.command()
def plan(
    file: FileArgument,
    *,
    expected_version: ExpectedOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Say what a programme file would change, and change nothing."""
    draft = _draft(file)
    planned = _planned(draft, expected_version, database)
    if as_json:
        print_json(plan_json(planned))
        return
    _print_planned(planned, file)


@app.command()
def apply(
    file: FileArgument,
    *,
    expected_version: ExpectedOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would change.")
    ] = False,
    note: NoteOption = "",
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Make a programme file the next version of its programme, in force from now."""
    if dry_run:
        plan(file, expected_version=expected_version, as_json=as_json, database=database)
        return
    command = ApplyProgram(_draft(file), CALLER, note, expected_version)
    _apply(command, as_json=as_json, database=database)


@app.command()
def export(
    *,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Which version. (default: the newest)")
    ] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Print the text of a version exactly as it was applied, comments included."""

    async def work() -> str:
        return await program_versions.text_of(await chosen_program(program), version)

    typer.echo(run(_in_database(work, database)), nl=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A version's number, or a file.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    *,
    program: ProgramOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Say what differs between two versions, or files."""

    async def work() -> list[Draft]:
        return [await _named(one, program) for one in (before, after)]

    one, other = run(_in_database(work, database))
    found = program_versions.compare(one, other)
    if as_json:
        print_json(plan_json(found))
        return
    console.print(f"[bold]{escape(found.name)}[/]: {escape(before)} → {escape(after)}")
    print_plan(found)
    console.print(f"\n  {counted(found.changes).capitalize()}.")


@app.command()
def copy(
    *,
    to: Annotated[str, typer.Option("--to", metavar="SLUG", help="What the sandbox is called.")],
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of which version. (default: newest)")
    ] = None,
    program: ProgramOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Make a sandbox of the same text, comments included: nothing in it is real.

    Members and purchases are not copied. A sandbox of this name gets another version.
    """

    async def work() -> ProgramApplied:
        original = await _named(version, program)
        draft = program_versions.sandbox_draft(original, slug=to, templates=_templates())
        note = f"copy of {original.file.program.slug}, {original.source.name}"
        return await program_versions.apply(ApplyProgram(draft, CALLER, note), now=utc_now())

    _print_applied(run(_in_database(work, database)), as_json=as_json)


@app.command()
def history(
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, metavar="N", help="So many.")] = 20,
    program: ProgramOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """List the versions of a programme, the newest first: when, who, why, how much."""

    async def work() -> list[StoredVersion]:
        return await reads.history(await chosen_program(program), limit=limit)

    found = run(_in_database(work, database))
    if as_json:
        print_json([_history_json(one) for one in found])
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("version", justify="right")
    for name in ("applied", "by", "changes", "note"):
        table.add_column(name, justify="right" if name == "changes" else "left")
    for one in found:
        size = "first" if one.change_count is None else str(one.change_count)
        when = f"{one.loaded_at:%Y-%m-%d %H:%M}"
        table.add_row(str(one.number), when, escape(one.actor), size, escape(one.note))
    console.print(table, soft_wrap=False)


@app.command()
def rollback(
    version: Annotated[int, typer.Argument(min=1, metavar="N", help="The version to go back to.")],
    *,
    note: NoteOption = "",
    program: ProgramOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Apply the text of an earlier version again, as a new version; nothing is erased."""

    async def work() -> ProgramApplied:
        why = f"back to version {version}{f': {note}' if note else ''}"
        command = ApplyProgram(await _named(version, program), CALLER, why)
        return await program_versions.apply(command, now=utc_now())

    _print_applied(run(_in_database(work, database)), as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of programme files, for editors."""
    print_json(json_schema(program_file.ProgramFile))


def _draft(file: Path) -> Draft:
    return program_versions.draft(text_of(file), name=str(file), templates=_templates())


def _templates() -> Collection[str]:
    return template_folders(load_settings().templates_dir)


async def _named(name: str | int | None, program: str | None) -> Draft:
    """Return the draft of a version, by its number, or of a file."""
    if isinstance(name, str) and not name.isdecimal():
        return _draft(Path(name))
    number = None if name is None else int(name)
    text = await program_versions.text_of(await chosen_program(program), number)
    told = "the newest version" if number is None else f"version {number}"
    return program_versions.draft(text, name=told, templates=_templates())


def _planned(draft: Draft, expected_version: int | None, database: str | None) -> Plan:
    async def work() -> Plan:
        return await program_versions.plan(draft, now=utc_now(), expected_version=expected_version)

    return run(_in_database(work, database))


def _apply(command: ApplyProgram, *, as_json: bool, database: str | None) -> None:
    async def work() -> ProgramApplied:
        return await program_versions.apply(command, now=utc_now())

    _print_applied(run(_in_database(work, database)), as_json=as_json)


async def _in_database(work: Callable[[], Coroutine[Any, Any, Result]], url: str | None) -> Result:
    # A first file is planned and applied where nothing is yet.
    return await in_database(url or load_settings().database_url, work, create=True)


def _print_planned(planned: Plan, file: Path) -> None:
    name = f"[bold]{escape(planned.name)}[/] ({planned.slug})"
    if planned.version:
        console.print(f"{name}: what would change after version {planned.version}")
    else:
        console.print(f"{name}: a new programme")
    print_plan(planned)
    console.print(f"\n  {counted(planned.changes).capitalize()}; nothing was stored. To apply it:")
    words = ("program", "apply", str(file), "--expected-version", str(planned.version))
    console.print(f"    {escape(command_line(*words))}")


def _print_applied(done: ProgramApplied, *, as_json: bool) -> None:
    planned = done.plan
    if as_json:
        print_json({"version": done.version, **plan_json(planned)})
        return
    name = escape(planned.name)
    console.print(f"[green]✓[/] {name} ({planned.slug}): version {done.version} is in force.")
    print_plan(planned)
    if planned.version:
        console.print(f"\n  {counted(planned.changes).capitalize()}.")


def _history_json(one: StoredVersion) -> dict[str, Any]:
    return {
        "version": one.number,
        "applied_at": one.loaded_at,
        "by": one.actor,
        "note": one.note,
        "changes": one.change_count,
    }
