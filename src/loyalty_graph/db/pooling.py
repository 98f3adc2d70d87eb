"""How busy the connections of this process are."""

from dataclasses import dataclass
from typing import Any, cast

from tortoise.connection import get_connections

from loyalty_graph.db.transactions import CONNECTION_NAME


@dataclass(frozen=True, slots=True)
class PoolUse:
    """The connections of this process at one moment, and how many callers wait for one."""

    in_use: int
    idle: int
    most: int
    waiting: int


def pool_use() -> PoolUse:
    """Return how busy the connections are; nothing is asked of the database.

    It is called outside of transactions.
    """
    client: Any = get_connections().get(CONNECTION_NAME)
    return PoolUse(*cast("tuple[int, int, int, int]", client.pool_use()))
