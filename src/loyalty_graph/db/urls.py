"""Database URLs: what an operator writes, as the connection dict Tortoise takes."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from loyalty_graph.errors import DatabaseError

SQLITE_EXAMPLE = "sqlite:///var/lib/loyalty/loyalty.sqlite3 or sqlite://./loyalty.sqlite3"
POSTGRES_EXAMPLE = "postgres://user:password@host:5432/name"
SQLITE_NUMBERS = ("cache_mb", "readers", "max_pages")
POSTGRES_NUMBERS = ("pool_size", "command_timeout_s", "connect_timeout_s", "pool_wait_s")
POSTGRES_PORT = 5432


def connection_config(url: str) -> dict[str, Any]:
    """Return `{"engine": ..., "credentials": {...}}` for a SQLite or PostgreSQL URL.

    SQLite: `sqlite:///absolute/path`, `sqlite://./relative`, with `?cache_mb=64` (size of the page
    cache), `?readers=4` and `?max_pages=262144` (the file never grows beyond so many pages of 4
    KiB; what would not fit is refused as by a full disk). PostgreSQL: `postgres://` or
    `postgresql://`, a socket's folder as `?host=/folder`, with `?pool_size=20`,
    `?command_timeout_s=10` (how long a statement may take), `?connect_timeout_s=5` and
    `?pool_wait_s=5` (how long to wait for a connection that is free).

    Raises:
        DatabaseError: the URL cannot be used; the message never shows a password.
    """
    scheme = url.partition("://")[0].lower()
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in ("postgres", "postgresql"):
        return _postgres(url)
    raise DatabaseError(
        f"A database URL begins with sqlite:// or postgres://, for example {SQLITE_EXAMPLE}"
        f" or {POSTGRES_EXAMPLE}."
    )


def sqlite_path(url: str) -> Path | None:
    """Return the file a URL names, or None when it names no SQLite database.

    Raises:
        DatabaseError: the URL cannot be used.
    """
    path = connection_config(url)["credentials"].get("file_path")
    return None if path is None else Path(path)


def _sqlite(url: str) -> dict[str, Any]:
    path, _, query = url.partition("://")[2].partition("?")
    path = re.sub("^/+", "/", unquote(path))
    if path == ":memory:":
        raise DatabaseError(
            "A database in memory cannot be shared by our connections; name a file."
        )
    if not path or path.endswith("/"):
        raise DatabaseError(f"The URL names no database file; write for example {SQLITE_EXAMPLE}.")
    return {
        "engine": "loyalty_graph.db.sqlite",
        "credentials": {
            "file_path": str(Path(path)),
            **_numbers(dict(parse_qsl(query)), SQLITE_NUMBERS),
        },
    }


def _postgres(url: str) -> dict[str, Any]:
    parts, port = _split(url)
    query = dict(parse_qsl(parts.query))
    credentials = {
        "host": query.pop("host", parts.hostname),
        "database": unquote(parts.path.removeprefix("/")),
    }
    for needed, value in credentials.items():
        if not value:
            raise DatabaseError(f"The URL names no {needed}; write for example {POSTGRES_EXAMPLE}.")
    return {
        "engine": "loyalty_graph.db.postgres",
        "credentials": {
            **credentials,
            "port": port,
            "user": unquote(parts.username or "") or None,
            "password": unquote(parts.password or "") or None,
            **_numbers(query, POSTGRES_NUMBERS),
        },
    }


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or POSTGRES_PORT
    except ValueError:
        # The cause would repeat a part of the URL, perhaps of the password.
        message = f"The database URL cannot be read; write for example {POSTGRES_EXAMPLE}."
        raise DatabaseError(message) from None
    return parts, port


def _numbers(query: dict[str, str], known: tuple[str, ...]) -> dict[str, int]:
    for name, value in query.items():
        if name not in known:
            raise DatabaseError(
                f"The database URL has an unknown part {name}; known are {', '.join(known)}."
            )
        if not value.isdecimal() or not int(value):
            raise DatabaseError(f"{name} in the database URL must be a whole number above 0.")
    return {name: int(value) for name, value in query.items()}
