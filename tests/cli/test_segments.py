"""Segments on the command line."""

import asyncio

import pytest

from loyalty_graph.db import open_database
from tests.cli.conftest import CommandLine
from tests.shop import PROGRAM, open_shop

NEW = {"code": "NEW", "name": "New [here]", "when": {"member": {"purchase_count": 0}}}


@pytest.fixture
def club_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a programme of one segment, and a member; the commands' default."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)

    async def make() -> None:
        async with open_database(database_url):
            shop = await open_shop({**PROGRAM, "segments": [NEW]})
            await shop.enrol()

    asyncio.run(make())
    return database_url


def test_segments_are_listed_with_the_number_of_their_members(call: CommandLine, club_url: str):
    told = call("program", "segments")

    assert told.code == 0
    lines = [line.split() for line in told.out.splitlines() if line.strip()]
    assert lines[0] == ["code", "name", "members"]
    assert lines[-1] == ["NEW", "New", "[here]", "1"]
    assert call("program", "segments", "--json").json == [
        {"code": "NEW", "name": "New [here]", "members": 1}
    ]


def test_a_programme_without_segments_says_how_to_get_some(call: CommandLine, shop_url: str):
    told = call("program", "segments")

    assert told.out == "There are no segments; a programme file names them as [[segments]].\n"
