"""Database URLs: what an operator writes, as the connection dict Tortoise takes."""

import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from loyalty_graph.errors import DatabaseError

SQLITE_EXAMPLE = "sqlite:///var/lib/loyalty/loyalty.sqlite3 or sqlite://./loyalty.sqlite3"
POSTGRES_EXAMPLE = "postgres://user:password@host:5432/name"
SQLITE_NUMBERS = ("cache_mb", "readers", "max_pages")
POSTGRES_NUMBERS = ("pool_size", "command_timeout_s", "connect_timeout_s", "pool_wait_s")
POSTGRES_PORT = 5432
ENCRYPTIONS = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SYSTEM_ROOTS = "system"


def connection_config(url: str) -> dict[str, Any]:
    """Return `{"engine": ..., "credentials": {...}}` for a SQLite or PostgreSQL URL.

    SQLite: `sqlite:///absolute/path`, `sqlite://./relative`, with `?cache_mb=64` (size of the page
    cache), `?readers=4` and `?max_pages=262144` (the file never grows beyond so many pages of 4
    KiB; what would not fit is refused as by a full disk). PostgreSQL: `postgres://` or
    `postgresql://`, a socket's folder as `?host=/folder`, with `?pool_size=20`,
    `?command_timeout_s=10` (how long a statement may take), `?connect_timeout_s=5` and
    `?pool_wait_s=5` (how long to wait for a connection that is free). `?sslmode=verify-full` and
    `?sslrootcert=/ca.pem` mean what they mean to PostgreSQL's own programs, but that without
    `sslrootcert` the system's certificate authorities are believed.

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


def encryption_environment(url: str) -> dict[str, str]:
    """Return the environment in which PostgreSQL's own programs encrypt as a URL says.

    Raises:
        DatabaseError: the URL cannot be used.
    """
    mode, roots = _encryption(dict(parse_qsl(_split(url)[0].query)))
    found = {"PGSSLMODE": mode, "PGSSLROOTCERT": roots}
    return {name: value for name, value in found.items() if value is not None}


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
            **_ssl(*_encryption(query)),
            **_numbers(query, POSTGRES_NUMBERS),
        },
    }


def _encryption(query: dict[str, str]) -> tuple[str | None, str | None]:
    """Take out of a URL's query how connections are encrypted, and which roots are believed."""
    mode, roots = query.pop("sslmode", None), query.pop("sslrootcert", None)
    if mode not in (None, *ENCRYPTIONS):
        raise DatabaseError(f"sslmode in the database URL is one of {', '.join(ENCRYPTIONS)}.")
    if mode == "verify-full":
        return mode, roots or SYSTEM_ROOTS
    if (mode == "verify-ca") != (roots is not None):
        raise DatabaseError(
            "In the database URL sslmode=verify-ca needs sslrootcert, the file of the certificates"
            " to believe, which is of use with verify-ca and verify-full alone."
        )
    return mode, roots


def _ssl(mode: str | None, roots: str | None) -> dict[str, Any]:
    """Return what the driver asks for; a connection through a socket's folder is never encrypted.

    Source: asyncpg, `connect`: given a name, it would look for roots in the home folder alone.
    """
    if mode is None or roots is None:
        return {} if mode is None else {"ssl": mode}
    try:
        context = ssl.create_default_context(cafile=None if roots == SYSTEM_ROOTS else roots)
    except OSError as error:  # So are those of ssl.
        raise DatabaseError(
            f"sslrootcert in the database URL names no certificates in PEM: {error}."
        ) from error
    context.check_hostname = mode == "verify-full"
    return {"ssl": context}


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
