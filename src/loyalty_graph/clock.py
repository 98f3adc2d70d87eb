"""The only reader of the clock; everything below a door takes `now` as an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this module is the clock
