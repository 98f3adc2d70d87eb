"""Opens a database with Tortoise's own backend or with ours, to run a scenario on both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connections
from tortoise.context import TortoiseContext

from loyalty_graph.db.urls import connection_config

STOCK_ENGINES = {
    "loyalty_graph.db.sqlite": "tortoise.backends.sqlite",
    "loyalty_graph.db.postgres": "tortoise.backends.asyncpg",
}


@asynccontextmanager
async def opened(
    url: str, kind: str, *, fresh: bool = True, **settings: Any
) -> AsyncIterator[BaseDBAsyncClient]:
    """Open `url` with the backend that `kind` names, "stock" or "ours", with more settings."""
    apps = {"models": {"models": ["tests.db.models"], "default_connection": "default"}}
    how = engine(url, kind)
    how["credentials"].update(settings)
    config = {"connections": {"default": how}, "apps": apps}
    context = TortoiseContext()
    with context:
        await context.init(config, _enable_global_fallback=True)
    client = context.connections.get("default")
    try:
        if fresh:
            await make_pair(client)
        yield client
    finally:
        await context.close_connections()


def engine(url: str, kind: str) -> dict[str, Any]:
    config = connection_config(url)
    if kind == "stock":
        config["engine"] = STOCK_ENGINES[config["engine"]]
        config["credentials"].pop("cache_mb", None)
    return config


async def make_pair(client: BaseDBAsyncClient) -> None:
    await client.execute_script("DROP TABLE IF EXISTS pair")
    await client.execute_script(
        "CREATE TABLE pair (id INT PRIMARY KEY, amount INT NOT NULL);"
        "INSERT INTO pair VALUES (1, 0), (2, 0);"
    )


async def amounts() -> list[int]:
    rows = await present().execute_query_dict("SELECT amount FROM pair ORDER BY id")
    return [row["amount"] for row in rows]


async def set_amount(identity: int, amount: int) -> None:
    statement = f"UPDATE pair SET amount = {amount} WHERE id = {identity}"  # noqa: S608 - two ints
    await present().execute_query(statement)


async def add_row(identity: int) -> None:
    statement = f"INSERT INTO pair VALUES ({identity}, 0)"  # noqa: S608 - an int
    await present().execute_query(statement)


async def add_one_to_both() -> None:
    """Read, then write both rows: a transaction that is half done, or loses a write, shows."""
    before = (await amounts())[0]
    await set_amount(1, before + 1)
    await set_amount(2, before + 1)


def present() -> BaseDBAsyncClient:
    return get_connections().get("default")
