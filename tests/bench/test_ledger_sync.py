"""The levels that purchases are measured at on SQLite."""

from pathlib import Path

import pytest

from bench.ledger_sync import LEVELS, level, set_level
from loyalty_graph.db import open_database


@pytest.mark.parametrize("wanted", LEVELS)
async def test_the_writer_has_the_level_that_is_set(tmp_path: Path, wanted: str):
    async with open_database(f"sqlite://{tmp_path / 'books.sqlite3'}"):
        await set_level(wanted)

        assert await level() == LEVELS[wanted]


async def test_the_product_waits_for_the_disk(tmp_path: Path):
    async with open_database(f"sqlite://{tmp_path / 'books.sqlite3'}"):
        assert await level() == LEVELS["FULL"]
