"""Backing up and restoring: what comes back, what is refused, and what the files are."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.db import open_database, running_process
from loyalty_graph.ledger.models import AccountRow
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import backup as backups
from loyalty_graph.wallet import rollouts
from tests.cli.conftest import CommandLine
from tests.cli.test_ledger import DROPPED, tamper
from tests.conftest import BACKEND, TEMPLATE
from tests.databases import named, run_on
from tests.programs_of_postgres import folder
from tests.shop import NOON, Shop
from tests.wallet.holding import issue

__all__ = ["tamper"]
PROGRAMS = folder() if BACKEND == "postgres" else []
NUMBERS = count(1)
DATABASE = {"sqlite": "database.sqlite3", "postgres": "database.dump"}[BACKEND]


@pytest.fixture
def file(call: CommandLine, ada: Member, tmp_path: Path) -> Path:
    """A backup in which Ada has 216 points; since then she has bought once more."""
    made = tmp_path / "backups" / "monday.zip"
    done = call("backup", made, *PROGRAMS)
    assert (done.code, done.err) == (0, "")
    return made


@pytest.fixture
def database_url(server: str, template: str, tmp_path: Path) -> Iterator[str]:
    """A database that may be given another name: nobody keeps a connection to it."""
    if BACKEND == "sqlite":
        path = tmp_path / "loyalty.sqlite3"
        shutil.copy(template.removeprefix("sqlite://"), path)
        yield f"sqlite://{path}"
        return
    name = f"moved_{os.getpid()}_{next(NUMBERS)}"
    with asyncio.Runner() as runner:
        copied = f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY"
        runner.run(run_on(server, copied))
        yield named(server, name)
        runner.run(drop_like(server, f"{name}%"))


async def drop_like(server: str, like: str) -> None:
    """Drop a database, and those that were put aside for it."""
    connection = await asyncpg.connect(server)
    for row in await connection.fetch(
        "SELECT datname FROM pg_database WHERE datname LIKE $1", like
    ):
        await connection.execute(f'DROP DATABASE "{row[0]}" WITH (FORCE)')
    await connection.close()


def buys(url: str, member: Member) -> None:
    async def work() -> None:
        async with open_database(url):
            await Shop(member.program_id, NOON + timedelta(hours=2)).buy(member)

    asyncio.run(work())


def balance(url: str, member: Member) -> int:
    async def work() -> int:
        async with open_database(url):
            return (await AccountRow.get(member_id=member.id)).balance_points

    return asyncio.run(work())


def changed(file: Path, **contents: bytes) -> Path:
    """Return a copy of a backup with other files in it."""
    other = file.with_name("other.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = contents.get(name.partition(".")[0], old.read(name))
            new.writestr(name, content)
    return other


def manifest_of(file: Path) -> dict[str, object]:
    with zipfile.ZipFile(file) as archive:
        found: dict[str, object] = json.loads(archive.read("manifest.json"))
        return found


def test_a_backup_is_one_file_for_its_owner_alone(
    call: CommandLine, ada: Member, tmp_path: Path, data_dir: Path
):
    made = tmp_path / "backups" / "monday.zip"

    done = call("backup", made, *PROGRAMS)

    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first.startswith(f"✓ {made}: 1 program, 2 members, 2 purchases, 2 transfers, of 20")
    assert second == (
        "  Keys are not in it: keep a copy of the data folder's keys elsewhere, or name"
        " --with-keys."
    )
    assert [one.name for one in made.parent.iterdir()] == ["monday.zip"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    manifest = manifest_of(made)
    assert manifest["counts"] == {"program": 1, "member": 2, "purchase": 2, "transfer": 2}
    assert manifest["schema_step"] == "0001_initial"
    assert list(manifest["files"]) == [DATABASE]  # type: ignore[call-overload] # it is JSON


def test_what_was_backed_up_comes_back_and_the_rest_is_kept_aside(
    call: CommandLine, ada: Member, file: Path, database_url: str
):
    buys(database_url, ada)

    done = call("restore", file, "--replace", "--verify", "--json", *PROGRAMS)

    assert (done.code, done.err) == (0, "")
    assert done.json["restored"] is True
    assert done.json["audits"] == {"bean-club": {"accounts": 2, "transfers": 2, "differences": 0}}
    assert balance(database_url, ada) == 216
    aside = done.json["aside"]
    assert ".before-20" in aside if BACKEND == "sqlite" else "_before_20" in aside
    old = f"sqlite://{aside}" if BACKEND == "sqlite" else named(database_url, aside)
    assert balance(old, ada) == 324
    assert call("ledger", "verify").code == 0


def test_a_database_with_members_is_not_replaced_unasked(
    call: CommandLine, ada: Member, file: Path, database_url: str
):
    buys(database_url, ada)

    done = call("restore", file, *PROGRAMS)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "BACKUP The database holds 2 members; --replace puts it aside and restores all the same.\n"
    )
    assert balance(database_url, ada) == 324


def test_an_empty_place_is_filled(
    call: CommandLine, ada: Member, file: Path, database_url: str, tmp_path: Path
):
    if BACKEND == "sqlite":
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "loyalty.sqlite3").touch()
        place = f"sqlite://{tmp_path / 'new' / 'loyalty.sqlite3'}"
    else:
        name = urlsplit(database_url).path.removeprefix("/")
        asyncio.run(run_on(named(database_url, "postgres"), f"CREATE DATABASE {name}_new"))
        place = named(database_url, f"{name}_new")

    done = call("restore", file, "--database", place, *PROGRAMS)

    assert (done.code, done.err) == (0, "")
    assert "1 program, 2 members, 2 purchases, 2 transfers, of 20" in done.out
    assert "What was there before" not in done.out
    assert balance(place, ada) == 216


def test_a_backup_of_damaged_books_says_so_and_is_not_restored_as_proven(
    call: CommandLine, ada: Member, tamper: Callable[..., None], tmp_path: Path, database_url: str
):
    tamper(DROPPED, "UPDATE transfer SET points = points + 1 WHERE sequence = 2")

    made = call("backup", tmp_path / "bad.zip", "--verify", *PROGRAMS)
    done = call("restore", tmp_path / "bad.zip", "--replace", "--verify", *PROGRAMS)

    assert made.code == 1
    assert "✗ bean-club: 2 accounts, 2 transfers, " in made.out
    assert done.code == 1
    assert done.out.endswith("✗ The books differ; nothing was restored.\n")
    assert [*tmp_path.glob("*before-*")] == []


def test_a_backup_can_be_proven_as_it_is_made(call: CommandLine, ada: Member, tmp_path: Path):
    done = call("backup", tmp_path / "one.zip", "--verify", "--json", *PROGRAMS)

    assert (done.code, done.err) == (0, "")
    assert done.json["audits"] == {"bean-club": {"accounts": 2, "transfers": 2, "differences": 0}}
    assert done.json["backup"]["counts"]["transfer"] == 2


def test_a_file_that_is_there_is_not_written_over(call: CommandLine, file: Path):
    before = file.read_bytes()

    done = call("backup", file, *PROGRAMS)

    assert (done.code, done.err) == (1, f"BACKUP {file} is there already; name another file.\n")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("case", "contents", "message"),
    [
        ("the database", {"database": b"something else"}, "is damaged: database"),
        ("the manifest", {"manifest": b"{}"}, "is no backup that this version can read"),
    ],
)
def test_a_changed_backup_is_refused(
    call: CommandLine, file: Path, case: str, contents: dict[str, bytes], message: str
):

    done = call("restore", changed(file, **contents), "--replace", *PROGRAMS)

    assert (done.code, done.out) == (1, "")
    assert message in done.err


def with_manifest(file: Path, **changes: object) -> Path:
    told = {**manifest_of(file), **changes}
    return changed(file, manifest=json.dumps(told).encode())


def test_a_backup_with_strange_names_is_refused(call: CommandLine, file: Path, tmp_path: Path):
    strange = {"bytes": 1, "sha256": "0"}
    other = with_manifest(file, files={"keys/../../../evil": strange})

    done = call("restore", other, "--replace", *PROGRAMS)

    assert done.code == 1
    assert "is no backup of ours: it holds 'keys/../../../evil'." in done.err


def test_the_other_database_s_backup_is_refused(call: CommandLine, file: Path):
    other = {"sqlite": "postgres", "postgres": "sqlite"}[BACKEND]

    done = call("restore", with_manifest(file, database=other), "--replace", *PROGRAMS)

    assert done.code == 1
    assert "it cannot be restored to" in done.err


@pytest.mark.sqlite
def test_a_folder_is_made_for_a_database_that_is_new(
    call: CommandLine, ada: Member, file: Path, tmp_path: Path
):
    place = f"sqlite://{tmp_path / 'machine' / 'new' / 'loyalty.sqlite3'}"

    done = call("restore", file, "--database", place)

    assert done.code == 0
    assert "What was there before" not in done.out
    assert balance(place, ada) == 216
    assert [one.name for one in (tmp_path / "machine" / "new").iterdir()] == ["loyalty.sqlite3"]


def test_what_other_tools_restored_is_prepared_and_proven(
    call: CommandLine, ada: Member, tamper: Callable[..., None]
):
    done = call("after-restore", "--as-of", "2026-11-01")
    log = call("audit", "--json")
    tamper(DROPPED, "UPDATE transfer SET points = points + 1 WHERE sequence = 2")
    proven = call("after-restore", "--verify")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("✓ ")
    assert done.out.endswith(" can be run on.\n")
    assert proven.code == 1
    assert "✗ bean-club: 2 accounts, 2 transfers, " in proven.out
    assert log.code == 0


@pytest.mark.sqlite
def test_a_folder_that_cannot_be_made_is_named(call: CommandLine, file: Path):
    done = call("restore", file, "--database", "sqlite:///proc/nowhere/x.sqlite3")

    assert (done.code, done.out) == (1, "")
    assert done.err == "BACKUP /proc/nowhere cannot be written: No such file or directory.\n"


@pytest.mark.parametrize("case", ["no file", "no archive", "no folder"])
def test_what_is_no_backup_is_said_to_be_none(
    call: CommandLine, ada: Member, tmp_path: Path, case: str
):
    file = tmp_path / "backup.zip"
    if case == "no archive":
        file.write_bytes(b"hello")
    words = ("backup", "/proc/nowhere/x.zip") if case == "no folder" else ("restore", file)

    done = call(*words, *(["--replace"] if words[0] == "restore" else []), *PROGRAMS)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("BACKUP ")
    assert done.err.count("\n") == 1


def test_nothing_is_replaced_under_those_who_run(
    call: CommandLine, ada: Member, file: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    async def killed() -> None:
        """Leave the row of a process behind."""
        async with open_database(database_url):
            running = running_process("serve 1", clock=utc_now)
            await running.__aenter__()
            monkeypatch.setattr("loyalty_graph.db.migrating.processes._Process.leave", gone)
            await running.__aexit__(None, None, None)

    async def gone(_: object) -> None:
        return

    asyncio.run(killed())
    no_backup = call("restore", file.with_name("none.zip"), *PROGRAMS)
    no_leave = call("restore", file, *PROGRAMS)
    refused = call("restore", file, "--replace", *PROGRAMS)
    seconds, watch = count(0, 25), backups.Watch
    monkeypatch.setattr(backups, "Watch", lambda: watch(clock=lambda: next(seconds)))
    monkeypatch.setattr(backups, "ASKED_EVERY_S", 0)
    waited = call("restore", file, "--replace", "--wait", *PROGRAMS)

    assert no_backup.err.endswith("none.zip cannot be read: No such file or directory.\n")
    assert no_leave.err.startswith("BACKUP The database holds 2 members; --replace")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("BACKUP These run on the database: serve 1 on ")
    assert "End them; with --wait, one that was killed counts as ended after" in refused.err
    assert waited.code == 0
    assert waited.err.startswith("These run on the database: serve 1 on ")
    assert waited.err.count("\n") == 1


def test_keys_are_in_it_when_asked_for_and_are_put_back_where_there_are_none(
    call: CommandLine, ada: Member, data_dir: Path, tmp_path: Path
):
    assert call("ledger", "checkpoint").code == 0
    (data_dir / "secret.key").write_text("s" * 64)
    signing = data_dir / "checkpoint-keys" / "0001.pem"
    pem = signing.read_bytes()
    assert call("keys", "rotate", "pass").code == 0
    ring = data_dir / "pass-keys" / "0001.key"
    key = ring.read_bytes()
    assert call("backup", tmp_path / "one.zip", "--with-keys", *PROGRAMS).code == 0
    signing.unlink()
    shutil.rmtree(ring.parent)
    (data_dir / "secret.key").write_text("t" * 64)

    done = call("restore", tmp_path / "one.zip", "--replace", *PROGRAMS)

    assert done.code == 0
    assert (signing.read_bytes(), ring.read_bytes()) == (pem, key)
    assert stat.S_IMODE(signing.stat().st_mode) == 0o600
    assert (data_dir / "secret.key").read_text() == "t" * 64
    assert "  2 keys put back.\n" in done.out
    assert f"  ! {data_dir / 'secret.key'} is another than in the backup, and stays.\n" in done.out


def test_keys_that_cannot_be_put_back_leave_the_database_as_it_was(
    call: CommandLine, ada: Member, data_dir: Path, tmp_path: Path
):
    assert call("ledger", "checkpoint").code == 0
    assert call("backup", tmp_path / "one.zip", "--with-keys", *PROGRAMS).code == 0
    assert call("purchase", ada.number, "84.20").code == 0
    before = call("member", "show", ada.number, "--json").json
    shutil.rmtree(data_dir / "checkpoint-keys")
    (data_dir / "checkpoint-keys").write_text("in the way")

    done = call("restore", tmp_path / "one.zip", "--replace", *PROGRAMS)

    assert done.code == 1
    assert f"{data_dir / 'checkpoint-keys'} cannot be written: " in done.err
    assert call("member", "show", ada.number, "--json").json == before


KILLED = """
import os, sys
from loyalty_graph.cli import main
from loyalty_graph.db.copies.{kind} import {made}
async def killed(*_, **__):
    os.kill(os.getpid(), 9)
{made}.put_in_place = killed
main()
"""


@pytest.mark.chaos
def test_a_restore_that_is_killed_leaves_what_was_there(
    call: CommandLine, ada: Member, file: Path, database_url: str
):
    buys(database_url, ada)
    kind, made = {"sqlite": ("sqlite", "MadeSqlite"), "postgres": ("postgres", "MadePostgres")}[
        BACKEND
    ]
    words = [sys.executable, "-c", KILLED.format(kind=kind, made=made), "restore", file]

    killed = subprocess.run([*words, "--replace", *PROGRAMS], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert balance(database_url, ada) == 324
    assert call("ledger", "verify").code == 0
    assert call("restore", file, "--replace", *PROGRAMS).code == 0
    assert balance(database_url, ada) == 216


@pytest.mark.sqlite
def test_a_wal_file_of_another_database_is_never_taken_for_ours(
    call: CommandLine, ada: Member, file: Path, database_url: str
):
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0])
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE stray (x)")
        wal = path.with_name(f"{path.name}-wal").read_bytes()
        shm = path.with_name(f"{path.name}-shm").read_bytes()
    path.with_name(f"{path.name}-wal").write_bytes(wal)
    path.with_name(f"{path.name}-shm").write_bytes(shm)

    done = call("restore", file, "--replace", "--json", *PROGRAMS)

    assert done.code == 0
    assert Path(f"{done.json['aside']}-wal").read_bytes() == wal
    with closing(sqlite3.connect(path)) as raw:
        tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_master")}
    assert "stray" not in tables
    assert balance(database_url, ada) == 216


@pytest.mark.sqlite
def test_a_damaged_database_is_replaced_when_asked_for(
    call: CommandLine, ada: Member, file: Path, database_url: str
):
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0])
    path.write_bytes(b"\xa5" * 8192)

    refused = call("restore", file)
    done = call("restore", file, "--replace")

    assert refused.code == 1
    assert refused.err.startswith("BACKUP The database is damaged; --replace puts it aside")
    assert done.code == 0
    assert balance(database_url, ada) == 216


@pytest.mark.sqlite
def test_a_database_that_is_missing_or_damaged_is_not_backed_up(
    call: CommandLine, ada: Member, tmp_path: Path, database_url: str
):
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0])
    missing = call("backup", tmp_path / "x.zip", "--database", f"sqlite://{tmp_path}/none.sqlite3")
    path.write_bytes(b"\xa5" * 8192)

    damaged = call("backup", tmp_path / "x.zip")

    assert missing.err == f"DATABASE There is no database {tmp_path}/none.sqlite3.\n"
    assert damaged.err.startswith("DATABASE_DAMAGED ")
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.sqlite
def test_a_backup_that_does_not_fit_leaves_nothing(
    call: CommandLine, ada: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "small"

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loyalty_graph.usecases.backup_files._pack", full)
    done = call("backup", folder / "x.zip")

    assert (done.code, done.err) == (
        1,
        f"BACKUP {folder}/x.zip cannot be written: No space left on device.\n",
    )
    assert [*folder.iterdir()] == []


@pytest.mark.postgres
def test_missing_programs_are_named_with_what_to_do(
    call: CommandLine, ada: Member, tmp_path: Path, database_url: str
):
    parts = urlsplit(database_url)
    secret = parts._replace(netloc=f"postgres:hush@{parts.netloc.rpartition('@')[2]}").geturl()

    done = call("backup", tmp_path / "x.zip", "--programs", tmp_path, "--database", secret)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"BACKUP There is no pg_dump in {tmp_path}. Install the client")
    assert "docs/operations.md" in done.err
    assert "hush" not in done.err


@pytest.mark.postgres
def test_programs_that_are_too_old_are_told_with_what_to_do(
    call: CommandLine, ada: Member, tmp_path: Path
):
    program, file = tmp_path / "pg_dump", tmp_path / "x.zip"
    program.write_text(
        "#!/bin/sh\necho 'pg_dump: error: aborting because of server version mismatch' >&2\nfalse\n"
    )
    program.chmod(0o755)

    done = call("backup", file, "--programs", tmp_path)

    assert (done.code, done.out) == (1, "")
    assert "server version mismatch. Install the client programs" in done.err
    assert not file.exists()


@pytest.mark.postgres
@pytest.mark.parametrize("command", [("backup", "x.zip"), ("after-restore",)])
def test_a_server_that_is_away_is_named_as_by_other_commands(
    call: CommandLine, tmp_path: Path, command: tuple[str, ...]
):
    away = "postgres://nobody@127.0.0.1:9/shop"

    done = call(*command, *PROGRAMS[: 2 * (len(command) - 1)], "--database", away)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("DATABASE_AWAY The database shop at 127.0.0.1:9 cannot be used: ")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("command", "why"),
    [("doctor", "No connection to the database in time"), ("backup", "no answer")],
)
def test_a_server_that_does_not_answer_is_told_in_a_sentence(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, why: str
):
    monkeypatch.setattr("loyalty_graph.db.copies.postgres.CONNECT_TIMEOUT_S", 0.1)
    arguments = [tmp_path / "x.zip", *PROGRAMS] if command == "backup" else []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        away = f"postgres://nobody@127.0.0.1:{port}/shop?connect_timeout_s=1"

        done = call(command, *arguments, "--database", away)

    assert done.code == 1
    assert f"shop at 127.0.0.1:{port} cannot be used: {why}" in done.out + done.err
    assert ".." not in (done.out + done.err).partition("cannot be used")[2]


@pytest.mark.postgres
def test_a_password_is_no_word_of_a_command_line(
    call: CommandLine, ada: Member, tmp_path: Path, database_url: str
):
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@" >&2\necho "for $PGUSER: ${#PGPASSWORD}" >&2\nexit 1\n')
    program.chmod(0o755)
    parts = urlsplit(database_url)
    secret = parts._replace(netloc=f"postgres:hush@{parts.netloc.rpartition('@')[2]}").geturl()

    done = call("backup", tmp_path / "x.zip", "--programs", tmp_path, "--database", secret)

    assert done.code == 1
    assert done.err.startswith("BACKUP pg_dump failed: --format=custom")
    assert done.err.endswith("for postgres: 4\n")
    assert "hush" not in done.err


@pytest.mark.postgres
def test_a_database_somebody_has_open_keeps_its_place(
    call: CommandLine, ada: Member, file: Path, database_url: str
):
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database_url))
        done = call("restore", file, "--replace", *PROGRAMS)
        runner.run(connection.close())

    assert done.code == 1
    assert "is being accessed by other users" in done.err
    assert balance(database_url, ada) == 216


@pytest.mark.postgres
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_other_databases_are_left_alone(
    call: CommandLine, file: Path, database_url: str, tmp_path: Path, command: str
):
    name = urlsplit(database_url).path.removeprefix("/")
    other = named(database_url, f"{name}_other")
    asyncio.run(run_on(named(database_url, "postgres"), f"CREATE DATABASE {name}_other"))
    given = file if command == "restore" else tmp_path / "x.zip"

    empty = call("backup", tmp_path / "y.zip", "--database", other, *PROGRAMS)
    asyncio.run(run_on(other, "CREATE TABLE recipes (x int)"))
    strange = call(command, given, "--database", other, *PROGRAMS)
    away = call(command, given, "--database", named(database_url, "nowhere"), *PROGRAMS)

    assert empty.err == "DATABASE The database is empty; there is nothing to back up.\n"
    assert strange.err.startswith("DATABASE_NOT_OURS ")
    assert away.err.startswith("DATABASE The database nowhere at ")


def test_cards_that_follow_and_those_that_are_held_up_are_told_of(
    call: CommandLine, ada: Member, database_url: str, tmp_path: Path
):
    async def hold_up() -> None:
        async with open_database(database_url):
            await issue(Shop(ada.program_id), ada)
            await rollouts.start(ada.program_id, "a new look", now=NOON)
            await rollouts.pause(ada.program_id, now=NOON)

    asyncio.run(hold_up())
    assert call("backup", tmp_path / "one.zip", *PROGRAMS).code == 0

    done = call("restore", tmp_path / "one.zip", "--replace", *PROGRAMS)

    assert done.code == 0
    assert done.out.splitlines()[2:] == [
        "  The cards of 1 member follow when a worker runs.",
        "  ! Cards of bean-club wait: `loyalty-graph pass resume` lets them follow.",
    ]
