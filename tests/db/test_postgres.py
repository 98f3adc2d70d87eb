"""What our PostgreSQL backend does beside curing the hazards."""

import asyncpg
import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import DBConnectionError, OperationalError

from chaos.proxy import Proxy, postgres_target, through
from loyalty_graph.db import connection, open_database, transaction
from loyalty_graph.db.outages import DatabaseTimeoutError
from loyalty_graph.db.postgres import translated
from loyalty_graph.errors import DatabaseError
from tests.db.stage import amounts, set_amount

pytestmark = pytest.mark.postgres


async def setting(name: str) -> str:
    return (await connection().execute_query_dict(f"SHOW {name}"))[0][name]


async def plan(statement: str) -> str:
    rows = await connection().execute_query_dict(f"EXPLAIN {statement}")
    return "\n".join(row["QUERY PLAN"] for row in rows)


async def test_the_connections_say_who_they_are_and_compile_nothing(database: BaseDBAsyncClient):
    assert await setting("application_name") == "loyalty-graph"
    assert await setting("jit") == "off"


@pytest.mark.usefixtures("pair")
async def test_look_ups_in_a_transaction_use_the_index_even_of_an_empty_table():
    look_up = "SELECT p.* FROM unnest('{1,2,3}'::int[]) AS wanted (id) JOIN pair p USING (id)"

    await connection().execute_query("ANALYZE pair")

    assert "Seq Scan" in await plan(look_up)
    assert "Seq Scan" not in await transaction(plan)(look_up)
    assert await setting("enable_seqscan") == "on"


@pytest.mark.usefixtures("pair")
async def test_t9_a_transaction_can_be_serializable_and_is_run_again():
    tries = []

    @transaction
    async def skewed() -> None:
        tries.append(1)
        await connection().execute_query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        first = (await amounts())[0]
        if len(tries) == 1:  # Another one changes what this one has read.
            await outside.execute_query("UPDATE pair SET amount = 5 WHERE id = 1")
        await set_amount(1, first + 1)

    outside = connection()
    await skewed()

    assert len(tries) == 2
    assert await amounts() == [0, 6] or await amounts() == [6, 0]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), DatabaseTimeoutError),
        (ConnectionRefusedError("refused"), DBConnectionError),
        (asyncpg.TooManyConnectionsError("sorry"), DBConnectionError),
        (asyncpg.InterfaceError("pool is closing"), DBConnectionError),
        (asyncpg.InternalClientError("cannot switch to state 11"), DBConnectionError),
        (asyncpg.InterfaceError("another operation is in progress"), OperationalError),
    ],
)
def test_errors_of_the_driver_become_tortoises(error: Exception, kind: type[Exception]):
    assert type(translated(error)) is kind


async def refusal(url: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as refused:
        async with open_database(url):
            pass
    return refused.value


async def test_a_server_that_is_not_there_is_away(server: str):
    async with Proxy(postgres_target(server)) as proxy:
        proxy.refuse()
        nobody = await refusal(through(server, proxy))

    assert nobody.code == "DATABASE_AWAY"
    assert "Connect call failed" in nobody.message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (asyncpg.CannotConnectNowError("the system is starting up"), "the system is starting up"),
        (TimeoutError(), "No connection to the database in time."),
    ],
    ids=repr,
)
async def test_a_server_that_is_starting_or_silent_is_away(
    server: str, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
):
    async def connect(*_arguments: object, **_settings: object) -> None:
        raise error

    monkeypatch.setattr("asyncpg.connect_utils._connect", connect)
    refused = await refusal(server)

    assert refused.code == "DATABASE_AWAY"
    assert message in refused.message


@pytest.mark.parametrize(
    ("place", "other", "message"),
    [
        ("/postgres?", "/nowhere?", 'database "nowhere" does not exist'),
        ("//postgres:", "//stranger:", 'role "stranger" does not exist'),
    ],
)
async def test_a_server_that_refuses_us_is_not_away(
    server: str, place: str, other: str, message: str
):
    refused = await refusal(server.replace(place, other))

    assert refused.code == "DATABASE"
    assert message in refused.message
