"""Database URLs."""

import ssl

import pytest

from loyalty_graph.db.urls import connection_config, encryption_environment
from loyalty_graph.errors import DatabaseError


@pytest.mark.parametrize(
    ("case", "url", "credentials"),
    [
        ("absolute", "sqlite:///var/lib/a.sqlite3", {"file_path": "/var/lib/a.sqlite3"}),
        ("four slashes", "sqlite:////var/lib/a.db", {"file_path": "/var/lib/a.db"}),
        ("relative", "sqlite://./a.sqlite3", {"file_path": "a.sqlite3"}),
        ("escaped", "sqlite:///srv/my%20shop.db", {"file_path": "/srv/my shop.db"}),
        (
            "settings",
            "sqlite:///a.db?cache_mb=64&readers=4",
            {"file_path": "/a.db", "cache_mb": 64, "readers": 4},
        ),
    ],
)
def test_a_sqlite_url_names_a_file(case: str, url: str, credentials: dict[str, object]):
    assert connection_config(url) == {
        "engine": "loyalty_graph.db.sqlite",
        "credentials": credentials,
    }


@pytest.mark.parametrize(
    ("case", "url", "credentials"),
    [
        (
            "whole",
            "postgres://ada:p%40ss@db.example:5433/loyalty",
            {"host": "db.example", "port": 5433, "user": "ada", "password": "p@ss"},
        ),
        (
            "short",
            "postgresql://db.example/loyalty",
            {"host": "db.example", "port": 5432, "user": None, "password": None},
        ),
        (
            "socket",
            "postgres://postgres@/loyalty?host=/run/postgresql",
            {"host": "/run/postgresql", "port": 5432, "user": "postgres", "password": None},
        ),
        (
            "settings",
            "postgres://ada@db/loyalty?pool_size=5&command_timeout_s=10",
            {
                "host": "db",
                "port": 5432,
                "user": "ada",
                "password": None,
                "pool_size": 5,
                "command_timeout_s": 10,
            },
        ),
        (
            "encrypted",
            "postgres://ada@db/loyalty?sslmode=require",
            {"host": "db", "port": 5432, "user": "ada", "password": None, "ssl": "require"},
        ),
    ],
)
def test_a_postgres_url_names_a_server(case: str, url: str, credentials: dict[str, object]):
    assert connection_config(url) == {
        "engine": "loyalty_graph.db.postgres",
        "credentials": {**credentials, "database": "loyalty"},
    }


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "begins with sqlite:// or postgres://"),
        ("mysql://ada:hush@db/loyalty", "begins with sqlite:// or postgres://"),
        ("/var/lib/a.sqlite3", "begins with sqlite:// or postgres://"),
        ("sqlite://", "names no database file"),
        ("sqlite:///var/lib/", "names no database file"),
        ("sqlite://:memory:", "in memory"),
        ("sqlite:///a.db?cache=64", "unknown part cache; known are cache_mb, readers"),
        ("sqlite:///a.db?cache_mb=much", "cache_mb in the database URL must be a whole number"),
        ("sqlite:///a.db?readers=0", "readers in the database URL must be a whole number above 0"),
        ("postgres://ada:hush@db", "names no database;"),
        ("postgres://ada:hush@/loyalty", "names no host;"),
        ("postgres://ada:hush@db:hush/loyalty", "cannot be read"),
        ("postgres://ada:hush@[db/loyalty", "cannot be read"),
        ("postgres://ada:hush@db/loyalty?hush=1&ssl=0", "unknown part"),
        ("postgres://ada:hush@db/loyalty?sslmode=yes", "sslmode in the database URL is one of dis"),
        ("postgres://ada:hush@db/loyalty?sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert"),
        ("postgres://ada:hush@db/loyalty?sslrootcert=/a.pem", "with verify-ca and verify-full"),
        (
            "postgres://ada:hush@db/loyalty?sslmode=verify-full&sslrootcert=/absent.pem",
            "sslrootcert in the database URL names no certificates in PEM: ",
        ),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_shows_no_password(url: str, reason: str):
    with pytest.raises(DatabaseError, match=reason) as refusal:
        connection_config(url)

    assert "ada" not in refusal.value.message


def test_without_a_file_the_system_says_whom_to_believe():
    url = "postgres://ada@db/loyalty?sslmode=verify-full"

    context = connection_config(url)["credentials"]["ssl"]

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert encryption_environment(url) == {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system"}
