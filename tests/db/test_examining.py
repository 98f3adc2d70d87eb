"""What the open database says of itself."""

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.db.examining import Setting, examine


@pytest.mark.sqlite
@pytest.mark.usefixtures("database")
async def test_a_file_has_the_settings_of_our_writer_and_no_clock():
    found = await examine()

    assert found.version.startswith("SQLite 3.")
    assert found.settings == (
        Setting("journal_mode", "wal", ("wal",)),
        Setting("synchronous", "2", ("2",)),
        Setting("foreign_keys", "1", ("1",)),
        Setting("recursive_triggers", "1", ("1",)),
    )
    assert (found.clock, found.connections) == (None, None)


@pytest.mark.postgres
@pytest.mark.usefixtures("database")
async def test_a_server_tells_its_settings_its_clock_and_its_connections():
    before = utc_now()

    found = await examine()

    assert found.version.startswith("PostgreSQL ")
    told = {one.name: (one.value, one.is_right) for one in found.settings}
    assert told["synchronous_commit"] == ("on", True)
    assert told["fsync"] == ("off", False)  # The tests' own server is in a hurry.
    assert found.clock is not None
    assert abs((found.clock - before).total_seconds()) < 60
    assert found.connections is not None
    used, most = found.connections
    assert 0 < used < most
