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
    assert second.out.splitlines() == [
        "✓ Corner Grocer Rewards: version 2 is in force.",
        "  Nothing is different from the version before.",
    ]
    assert versions(database_url) == [1, 2]


def test_a_load_says_what_is_different_now(call: CommandLine, shop_url: str, tmp_path: Path):
    file = tmp_path / "club.toml"
    text = PRESET.read_text()
    assert text.count("accept_days = 365") == text.count('terms = """') == 1
    file.write_text(text.replace("accept_days = 365", "accept_days = 90"))

    told = call("program", "load", file)
    back = call("program", "load", PRESET, "--json")

    assert told.out.splitlines()[1:] == ["  program.accept_days: 365 → 90"]
    assert back.json == {
        "program": "corner-grocer",
        "version": 3,
        "changes": [{"place": "program.accept_days", "before": 90, "after": 365}],
    }


def test_the_first_load_differs_from_nothing(call: CommandLine, database_url: str):
    done = call("program", "load", PRESET, "--json", "--database", database_url)

    assert done.json == {"program": "corner-grocer", "version": 1, "changes": None}


def test_what_is_new_and_what_is_gone_is_told(call: CommandLine, shop_url: str, tmp_path: Path):
    file = tmp_path / "club.toml"
    support = 'support = "Ask at any till of the Corner Grocer."'
    assert PRESET.read_text().count(support) == 1
    file.write_text(PRESET.read_text().replace(support, ""))

    gone = call("program", "load", file)
    back = call("program", "load", PRESET)

    said = "Ask at any till of the Corner Grocer."
    assert gone.out.splitlines()[1:] == [f"  program.branding.support: gone, was {said}"]
    assert back.out.splitlines()[1:] == [f"  program.branding.support: {said} (new)"]


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
