"""What the open database says of itself: its version, its clock, and settings that lose data."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loyalty_graph.db.transactions import connection

WANTED_OF_POSTGRES = {
    # Off, a crash of the machine loses or breaks what was acknowledged.
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
    # Off, tables of queues grow without end.
    "autovacuum": ("on",),
    "server_encoding": ("UTF8",),
}
WANTED_OF_SQLITE = {
    "journal_mode": ("wal",),
    "synchronous": ("2",),
    "foreign_keys": ("1",),
    "recursive_triggers": ("1",),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the database that must have one of some values."""

    name: str
    value: str
    wanted: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether it has one of them."""
        return self.value in self.wanted


@dataclass(frozen=True, slots=True)
class Examined:
    """What a database says of itself.

    Attributes:
        version: Which product, and which version of it.
        settings: Those on which durability rests.
        clock: The moment by its own clock; None where it has none of its own.
        connections: How many are open on the whole server, and how many may be; None on SQLite.
    """

    version: str
    settings: tuple[Setting, ...]
    clock: datetime | None = None
    connections: tuple[int, int] | None = None


async def examine() -> Examined:
    """Ask the open database about itself; nothing is written."""
    current = connection()
    if current.capabilities.dialect == "sqlite":
        return await _sqlite(current)
    return await _postgres(current)


async def _sqlite(current: Any) -> Examined:
    settings = []
    async with current.acquire_connection() as writer:  # A reader has other settings.
        [[version]] = await writer.execute_fetchall("SELECT sqlite_version()")
        for name, wanted in WANTED_OF_SQLITE.items():
            [[value]] = await writer.execute_fetchall(f"PRAGMA {name}")
            settings.append(Setting(name, str(value), wanted))
    return Examined(f"SQLite {version}", tuple(settings))


async def _postgres(current: Any) -> Examined:
    [asked] = await current.execute_query_dict(
        "SELECT current_setting('server_version') AS version, clock_timestamp() AS clock,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,"
        " current_setting('max_connections')::int AS most"
    )
    names = list(WANTED_OF_POSTGRES)
    rows = await current.execute_query_dict(
        "SELECT name, setting FROM pg_settings WHERE name = ANY($1) ORDER BY name", [names]
    )
    settings = [
        Setting(row["name"], row["setting"], WANTED_OF_POSTGRES[row["name"]]) for row in rows
    ]
    return Examined(
        f"PostgreSQL {asked['version']}",
        tuple(settings),
        asked["clock"].astimezone(UTC),
        (asked["used"], asked["most"]),
    )
