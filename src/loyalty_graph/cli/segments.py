"""The command that says which segments a programme has, and how many members are in each."""

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from loyalty_graph.cli.options import DatabaseOption, JsonOption, ProgramOption, chosen_program
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.segments import reads
from loyalty_graph.segments.rules import SegmentSettings

app = typer.Typer()


@app.command()
def segments(
    *,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """List the segments, and how many members are in each now."""

    async def work() -> list[tuple[SegmentSettings, int]]:
        return await reads.sizes(await chosen_program(program), now=utc_now())

    found = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json([{"code": one.code, "name": one.name, "members": n} for one, n in found])
        return
    if not found:
        console.print(escape("There are no segments; a programme file names them as [[segments]]."))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("code")
    table.add_column("name")
    table.add_column("members", justify="right")
    for one, size in found:
        table.add_row(one.code, escape(one.name), f"{size:,}")
    console.print(table, soft_wrap=False)
