"""Commands about what is signed: checkpoints and their keys."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from loyalty_graph.cli.options import (
    DatabaseOption,
    JsonOption,
    MemberArgument,
    ProgramOption,
    chosen_program,
    member_of,
)
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.ledger import checkpoint_keys, member_proof
from loyalty_graph.ledger.checkpoints import BYTES_MAX, Signed, key_id, read
from loyalty_graph.usecases import checkpoints

app = typer.Typer()


@app.command("checkpoint")
def make(
    *,
    publish: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there too, for others to keep."),
    ] = None,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Sign where all chains stand: what is before that cannot be changed unseen any more."""
    settings = load_settings()
    url = database or settings.database_url

    async def work() -> Signed:
        program_id = await chosen_program(program)
        keys = checkpoint_keys.key_folder(settings)
        return await checkpoints.make(program_id, now=utc_now(), keys=keys)

    signed = run(in_database(url, work))
    if publish is not None:
        write_file(publish, signed.document + b"\n")
    if as_json:
        print_json(signed.as_json())
        return
    one = signed.checkpoint
    console.print(
        f"[green]✓[/] Checkpoint {one.number}: {one.heads:,} accounts, {one.transfers:,} transfers,"
        f" signed with key {key_id(one.public_key)}"
    )
    if publish is not None:
        console.print(f"  Keep {escape(str(publish))} where nobody who runs this can change it.")


@app.command()
def proof(
    member: MemberArgument,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")
    ] = Path("proof.json"),
    checkpoint: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Under this one. (default: the newest)"),
    ] = None,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write a member's history with its place under a checkpoint, for an outsider to check.

    examples/check_proof.py does so without Loyalty Graph.
    """
    url = database or load_settings().database_url

    async def work() -> dict[str, Any]:
        program_id = await chosen_program(program)
        member_id = await member_of(program_id, member)
        return await member_proof.prove(program_id, member_id, number=checkpoint)

    found = run(in_database(url, work))
    write_file(output, orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    console.print(
        f"[green]✓[/] {escape(str(output))}: {len(found['entries']):,} entries,"
        f" place {found['place'] + 1:,} of {found['checkpoint']['heads']:,}"
        f" under checkpoint {found['checkpoint']['number']}"
    )


@app.command("rotate-key")
def rotate_key() -> None:
    """Sign checkpoints with a new key from now on; the old one's public part is kept."""
    key = checkpoint_keys.replace_key(checkpoint_keys.key_folder(load_settings()))
    name = key_id(checkpoint_keys.public_part(key))
    console.print(f"[green]✓[/] Checkpoints are signed with key {name} from now on.")


def published_in(path: Path) -> Signed:
    """Return the checkpoint that a file holds.

    Raises:
        InvalidInputError: The file cannot be read.
        CheckpointFileError: It is not a checkpoint.
    """
    try:
        with path.open("rb") as file:
            return read(file.read(BYTES_MAX))
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}.") from error


def write_file(path: Path, content: bytes) -> None:
    """Write what was asked for.

    Raises:
        InvalidInputError: The file cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error
