"""Loading programme files."""

import asyncio
from pathlib import Path

import pytest

from loyalty_graph.db import open_database
from loyalty_graph.programs.models import ProgramVersion
from tests.cli.conftest import PRESET, CommandLine


def versions(url: str) -> list[int]:
    async def read() -> list[int]:
        async with open_database(url):
            return [row.version for row in await ProgramVersion.all().order_by("version")]

    return asyncio.run(read())


def test_each_load_is_the_next_version(call: CommandLine, database_url: str):
    first = call("program", "load", PRESET, "--database", database_url)
    second = call("program", "load", PRESET, "--database", database_url)

    assert first.out == "✓ Corner Grocer Rewards: version 1 is in force.\n"
    assert second.out == "✓ Corner Grocer Rewards: version 2 is in force.\n"
    assert versions(database_url) == [1, 2]


@pytest.mark.parametrize(
    ("case", "change", "place"),
    [
        (
            "a wrong word",
            ('currency = "USD"', 'currency = "XYZ"'),
            "program.currency: XYZ is no cur",
        ),
        ("a key nobody knows", ("accept_days", "akzept_days"), "program.akzept_days: "),
        ("no TOML", ("[program]", "[program"), "is no TOML: "),
        (
            "another currency later",
            ('currency = "USD"', 'currency = "EUR"'),
            "INVALID_INPUT A progr",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded_names_the_place_and_changes_nothing(
    call: CommandLine,
    shop_url: str,
    tmp_path: Path,
    *,
    case: str,
    change: tuple[str, str],
    place: str,
):
    file = tmp_path / "club.toml"
    text = PRESET.read_text()
    assert text.count(change[0]) == 1
    file.write_text(text.replace(*change))

    done = call("program", "load", file)

    assert (done.code, done.out) == (1, "")
    assert place in done.err
    assert done.err.count("\n") == 1
    assert versions(shop_url) == [1]
