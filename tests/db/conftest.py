"""The table `pair` for the tests of `db`."""

import pytest

from loyalty_graph.db import opening
from tests.db.models import Pair
from tests.db.stage import make_pair


@pytest.fixture
async def pair(database_url: str, monkeypatch: pytest.MonkeyPatch):
    """An open database with two rows, (1, 0) and (2, 0), which transactions keep equal."""
    others = [module for module in opening.MODEL_MODULES if module != Pair.__module__]
    monkeypatch.setattr(opening, "MODEL_MODULES", [*others, Pair.__module__])
    async with opening.open_database(database_url) as client:
        await make_pair(client)
        yield client
