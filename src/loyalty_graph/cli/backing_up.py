"""Commands that back the database up, and restore it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from loyalty_graph.cli.options import DatabaseOption, JsonOption, moment_of
from loyalty_graph.cli.output import console, database_name, errors, near, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.usecases import backup as backups
from loyalty_graph.usecases.backup import Place, Restored, differs
from loyalty_graph.usecases.backup_files import Manifest
from loyalty_graph.usecases.restoring import Prepared

app = typer.Typer()

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until those who run have ended or are silent.")
]
ProgramsOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where pg_dump and pg_restore are. (default: PATH)"),
]


@app.command()
def backup(
    file: FileArgument,
    *,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Also the keys of the data folder; guard the file.")
    ] = False,
    proven: Annotated[
        bool, typer.Option("--verify", help="Restore it aside, and work all books out again.")
    ] = False,
    programs: ProgramsOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Write the database, as it is at one moment, into a file; the servers go on meanwhile.

    With --verify: exit 1 when the books of the copy differ.
    """
    place = _place(database, programs)

    async def work() -> tuple[Manifest, dict[str, Audit]]:
        manifest = await backups.backup(place, file, with_keys=with_keys, now=utc_now())
        return manifest, await backups.verify(place, file, now=utc_now()) if proven else {}

    manifest, audits = run(work())
    if as_json:
        print_json({**_told(manifest), **_proven(audits)})
    else:
        console.print(f"[green]✓[/] {escape(str(file))}: {_words(manifest)}")
        _print_audits(audits)
        if not with_keys:
            console.print(
                "  Keys are not in it: keep a copy of the data folder's keys elsewhere, or name"
                " --with-keys."
            )
    raise typer.Exit(1 if differs(audits) else 0)


@app.command()
def restore(  # noqa: PLR0913 - the options of one command
    file: FileArgument,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there are members; they are put aside.")
    ] = False,
    wait: WaitOption = False,
    proven: Annotated[
        bool,
        typer.Option("--verify", help="Work all books out again before; exit 1 if they differ."),
    ] = False,
    programs: ProgramsOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Put a backup in the place of the database; stop all servers and workers before.

    The database that was there is kept aside. All cards are brought to what was restored.
    """
    place = _place(database, programs)

    async def work() -> Restored:
        await backups.refuse_at_once(place, file, replace=replace)
        await backups.until_nobody_runs(place, wait=wait, tell=_tell)
        return await backups.restore(place, file, replace=replace, audit=proven, now=utc_now())

    done = run(work())
    if as_json:
        print_json(
            {
                **_told(done.manifest),
                **_proven(done.audits),
                "restored": done.in_place,
                "aside": done.aside,
                "keys": done.keys,
                "other_keys": done.other_keys,
                **asdict(done.prepared),
            }
        )
    else:
        _print_audits(done.audits)
        _print_restored(done, database_name(place.url))
    raise typer.Exit(0 if done.in_place else 1)


@app.command()
def after_restore(
    *,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="From when the database is, for the audit log."),
    ] = None,
    wait: WaitOption = False,
    proven: Annotated[
        bool, typer.Option("--verify", help="Work all books out again; exit 1 if they differ.")
    ] = False,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Bring phones and listeners to a database that other tools have restored, before it is run.

    `restore` does it by itself.
    """
    place = _place(database, None)
    made_at = utc_now() if as_of is None else moment_of(as_of)

    async def work() -> tuple[Prepared, dict[str, Audit]]:
        await backups.until_nobody_runs(place, wait=wait, tell=_tell)
        return await backups.adopt(place, made_at=made_at, audit=proven, now=utc_now())

    prepared, audits = run(work())
    if as_json:
        print_json({**_proven(audits), **asdict(prepared)})
    else:
        _print_audits(audits)
        console.print(f"[green]✓[/] {escape(database_name(place.url))} can be run on.")
        _print_prepared(prepared)
    raise typer.Exit(1 if differs(audits) else 0)


def _tell(message: str) -> None:
    errors.print(escape(message))


def _place(database: str | None, programs: Path | None) -> Place:
    settings = load_settings()
    return Place(settings, database or settings.database_url, programs)


def _told(manifest: Manifest) -> dict[str, Any]:
    return {"backup": manifest.model_dump(mode="json")}


def _proven(audits: dict[str, Audit]) -> dict[str, Any]:
    return {
        "audits": {
            slug: {
                "accounts": one.accounts,
                "transfers": one.transfers,
                "differences": len(one.findings),
            }
            for slug, one in audits.items()
        }
    }


def _words(manifest: Manifest) -> str:
    counts = ", ".join(_counted(count, name) for name, count in manifest.counts.items())
    return f"{counts}, of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_audits(audits: dict[str, Audit]) -> None:
    for slug, one in audits.items():
        mark = "[red]✗[/]" if one.findings else "[green]✓[/]"
        console.print(
            f"{mark} {escape(slug)}: {_counted(one.accounts, 'account')},"
            f" {_counted(one.transfers, 'transfer')}, {_counted(len(one.findings), 'difference')}"
        )


def _print_restored(done: Restored, name: str) -> None:
    if not done.in_place:
        console.print("[red]✗[/] The books differ; nothing was restored.")
        return
    console.print(f"[green]✓[/] {escape(name)}: {_words(done.manifest)}")
    if done.aside is not None:
        aside = Path(done.aside)
        shown = near(aside) if aside.is_absolute() else aside
        console.print(
            f"  What was there before is {escape(str(shown))}; remove it when all is well."
        )
    if done.keys:
        console.print(f"  {_counted(done.keys, 'key')} put back.")
    for one in done.other_keys:
        console.print(f"  [yellow]![/] {escape(one)} is another than in the backup, and stays.")
    _print_prepared(done.prepared)


def _print_prepared(prepared: Prepared) -> None:
    if prepared.card_holders:
        console.print(
            f"  The cards of {_counted(prepared.card_holders, 'member')} follow when a worker runs."
        )
    for slug in prepared.paused:
        console.print(
            f"  [yellow]![/] Cards of {escape(slug)} wait: `loyalty-graph pass resume` lets them"
            " follow."
        )
