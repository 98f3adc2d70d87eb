"""The database: how it is opened, and the only door to transactions.

Above this package nobody imports `tortoise.transactions` or knows which database it is, except
for set-based statements that ask `connection().capabilities.dialect`.
"""

from loyalty_graph.db.gathering import Gatherer
from loyalty_graph.db.migrating.course import contract, migrate, pending, standing
from loyalty_graph.db.migrating.processes import running_process
from loyalty_graph.db.migrating.watching import Watch
from loyalty_graph.db.opening import open_database, when_reachable
from loyalty_graph.db.outages import (
    OUTAGES,
    RETRY_AFTER_S,
    TRY_AGAIN,
    in_one_line,
    is_unavailable,
    log_failure,
    outage_log,
)
from loyalty_graph.db.pooling import PoolUse, pool_use
from loyalty_graph.db.storage import StorageError, Trouble
from loyalty_graph.db.transactions import (
    after_commit,
    assert_in_transaction,
    assert_may_begin,
    connection,
    in_transaction_now,
    savepoint,
    storage,
    transaction,
)

__all__ = [
    "OUTAGES",
    "RETRY_AFTER_S",
    "TRY_AGAIN",
    "Gatherer",
    "PoolUse",
    "StorageError",
    "Trouble",
    "Watch",
    "after_commit",
    "assert_in_transaction",
    "assert_may_begin",
    "connection",
    "contract",
    "in_one_line",
    "in_transaction_now",
    "is_unavailable",
    "log_failure",
    "migrate",
    "open_database",
    "outage_log",
    "pending",
    "pool_use",
    "running_process",
    "savepoint",
    "standing",
    "storage",
    "transaction",
    "when_reachable",
]
