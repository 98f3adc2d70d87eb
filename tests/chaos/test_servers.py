"""The servers of a town: whether they run is asked of them."""

import pytest

from chaos.servers import postgres


@pytest.mark.chaos
async def test_a_server_is_started_where_it_has_given_up_and_only_there():
    async with postgres() as server:
        await server.stop()
        await server.ensure_running()
        [(begun,)] = await server.rows(BEGUN)

        await server.ensure_running()

        assert [tuple(row) for row in await server.rows(BEGUN)] == [(begun,)]


BEGUN = "SELECT pg_postmaster_start_time()"
