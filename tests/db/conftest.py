"""The table `pair` for the tests of `db`."""

import pytest

from loyalty_graph.db import opening


@pytest.fixture
async def pair(database_url: str, monkeypatch: pytest.MonkeyPatch):
    """An open database with two rows, (1, 0) and (2, 0), which transactions keep equal."""
    from tests.db.models import Pair

    others = [module for module in opening.MODEL_MODULES if module != Pair.__module__]
    monkeypatch.setattr(opening, "MODEL_MODULES", [*others, Pair.__module__])
    async with opening.open_database(database_url) as client:
        await client.execute_script("DROP TABLE IF EXISTS pair")
        await client.execute_script(
            "CREATE TABLE pair (id INT PRIMARY KEY, amount INT NOT NULL);"
            "INSERT INTO pair VALUES (1, 0), (2, 0);"
        )
        yield client
