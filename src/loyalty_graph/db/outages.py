"""Failures that pass by themselves: a caller may try again, with the same idempotency key."""

import logging
import sqlite3
import time
from collections.abc import Callable

from tortoise.exceptions import DBConnectionError, OperationalError

from loyalty_graph.db.storage import StorageError

SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# serialization_failure, deadlock_detected, lock_not_available
CONFLICTS = {"40001", "40P01", "55P03"}
OUTAGES = (DBConnectionError, OperationalError)
"""The exceptions that may be an outage: ask `is_unavailable`."""
RETRY_AFTER_S = 2
"""When a caller should ask again: an outage is over at once, or after the server has restarted."""
TRY_AGAIN = (
    "The database is not available at the moment. Try again, with the same idempotency key:"
    " nothing counts twice."
)
QUIET_S = 10.0
# query_canceled: by the server's statement_timeout, or by its operator.
CANCELLED = "57014"


_logger = logging.getLogger(__name__)


class DatabaseTimeoutError(OperationalError):
    """The database did not answer in time, or no connection to it became free."""


class TooManyWaitingError(OperationalError):
    """So many wait for the database that one more would wait in vain; nothing was begun."""


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
    return isinstance(error, OUTAGES) and (
        isinstance(
            error, (DBConnectionError, DatabaseTimeoutError, TooManyWaitingError, StorageError)
        )
        or is_conflict(error)
        or _sqlstate(error) == CANCELLED
    )


def in_one_line(error: BaseException) -> str:
    """Return what a log may say of an outage; details of the server come in lines of their own."""
    return str(error).partition("\n")[0] or type(error).__name__


class OutageLog:
    """Tells of outages in one line for many callers: everybody meets the same one.

    Args:
        clock: Tells the seconds since some moment.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._untold = 0
        self._quiet_until = clock()

    def note(self, error: BaseException) -> None:
        """Write a line, unless one was written a moment ago; then the next one counts this too."""
        self._untold += 1
        now = self._clock()
        if now >= self._quiet_until:
            _logger.warning(
                "The database is not available (callers told since the last such line: %s): %s",
                self._untold,
                in_one_line(error),
            )
            self._untold, self._quiet_until = 0, now + QUIET_S


outage_log = OutageLog()
"""The one of this process."""


def log_failure(logger: logging.Logger, error: BaseException, message: str, *args: object) -> bool:
    """Log a failure and say whether it is an outage: a line for all whom it hits.

    The rest is told by the logger of whom it happened to, as the message says, with its traceback.
    """
    if is_unavailable(error):
        outage_log.note(error)
        return True
    logger.error(message, *args, exc_info=error)
    return False


def _cause(error: BaseException) -> object:
    return error.args[0] if error.args else None


def _sqlstate(error: BaseException) -> str | None:
    state: str | None = getattr(_cause(error), "sqlstate", None)
    return state
