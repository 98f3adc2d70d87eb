"""Failures that pass by themselves: a caller may try again, with the same idempotency key."""

import sqlite3

from tortoise.exceptions import DBConnectionError, OperationalError

SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# serialization_failure, deadlock_detected, lock_not_available
CONFLICTS = {"40001", "40P01", "55P03"}
# query_canceled: by the server's statement_timeout, or by its operator.
CANCELLED = "57014"


class DatabaseTimeoutError(OperationalError):
    """The database did not answer in time, or no connection to it became free."""


class OutcomeUnknownError(DBConnectionError):
    """The connection was lost after COMMIT was sent: it may have been done or not."""


def is_conflict(error: BaseException) -> bool:
    """Return whether the database undid a transaction because of another one."""
    return (
        _sqlstate(error) in CONFLICTS
        # The low byte is the primary code; the rest says which kind of busy.
        or getattr(_cause(error), "sqlite_errorcode", -1) & 0xFF in SQLITE_BUSY
    )


def is_lost(error: BaseException) -> bool:
    """Return whether the connection was lost, and nothing of its transaction was kept."""
    return isinstance(error, DBConnectionError) and not isinstance(error, OutcomeUnknownError)


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether the database could not do its work now: nobody's mistake, and it may pass.

    Whether something was kept is unknown; the idempotency key decides when it is tried again.
    """
    return isinstance(error, (DBConnectionError, OperationalError)) and (
        isinstance(error, (DBConnectionError, DatabaseTimeoutError))
        or is_conflict(error)
        or _sqlstate(error) == CANCELLED
    )


def _cause(error: BaseException) -> object:
    return error.args[0] if error.args else None


def _sqlstate(error: BaseException) -> str | None:
    state: str | None = getattr(_cause(error), "sqlstate", None)
    return state
