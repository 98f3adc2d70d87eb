"""JSON that is kept and returned as a whole, in as few bytes as it was written with."""

from typing import Any

from tortoise.fields import JSONField


class JSONText(JSONField[Any]):
    """A JSON column that PostgreSQL keeps as text, in little more than half the room of `jsonb`.

    For the large tables, whose documents are written once and read as a whole. `->` works as on
    `jsonb`; comparing two documents does not.
    Source: https://www.postgresql.org/docs/current/datatype-json.html
    """

    class _db_postgres:  # noqa: N801 - the name that Tortoise looks for
        SQL_TYPE = "JSON"
