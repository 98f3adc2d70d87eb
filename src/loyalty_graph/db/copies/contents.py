"""What a copy of a database holds, and what stands where one is to be restored."""

from dataclasses import dataclass

from loyalty_graph.db.sqlite_files import PROCESS_TABLE, RECORD_TABLE

COUNTED = ("program", "member", "purchase", "transfer")
NEWEST_STEP = f'SELECT max("name") FROM "{RECORD_TABLE}"'  # noqa: S608 - a name of our own
PROCESSES = f'SELECT "name", "id", "until_ms" FROM "{PROCESS_TABLE}"'  # noqa: S608 - the same


@dataclass(frozen=True, slots=True)
class Contents:
    """How far a copied database has come, and how many rows of each of `COUNTED` it holds."""

    step: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands where a database is to be restored.

    Attributes:
        is_there: Whether there is anything at all.
        members: How many it holds; None when that cannot be read, because it is damaged.
        processes: What each process that says it runs there is called, and what it wrote last.
    """

    is_there: bool = False
    members: int | None = 0
    processes: dict[str, int] | None = None


def counting(table: str) -> str:
    """Return the query of how many rows a table has."""
    return f'SELECT count(*) FROM "{table}"'  # noqa: S608 - a name of our own
