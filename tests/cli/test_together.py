"""Commands that run as several processes. The installed program runs."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_serving import address_in, lines_up_to, until_refused

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(database_url: str, data_dir: Path) -> Iterator[Start]:
    """Starts the installed program; it and its processes are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, **settings: str) -> "subprocess.Popen[str]":
        of_test = {"LOYALTY_DATABASE_URL": database_url, "LOYALTY_DATA_DIR": str(data_dir)}
        process = subprocess.Popen(
            [PROGRAM, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **of_test, **settings},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def begun_by(process: "subprocess.Popen[str]") -> list[int]:
    """Return the ids of the processes that do the work of a command."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [
        int(pid)
        for pid, parent, words in rows
        if int(parent) == process.pid and "spawn_main" in words
    ]


@pytest.mark.chaos
@pytest.mark.postgres
def test_servers_share_a_port_and_outlive_each_other_but_not_the_first_process(start: Start):
    process = start("serve", "--workers", "2", "--port", "0")
    banner = lines_up_to(process, "Ctrl-C stops")
    address = address_in(banner)
    one, _ = begun_by(process)

    os.kill(one, signal.SIGKILL)
    assert process.stderr is not None
    lost = process.stderr.readline()
    with urllib.request.urlopen(f"{address}/readyz", timeout=30) as answer:  # noqa: S310 - ours
        assert answer.status == 200
    process.kill()
    host, port = address.removeprefix("http://").split(":")
    until_refused((host, int(port)))

    assert [banner.count(word) for word in ("Loyalty Graph 0.1.0\n", "Ctrl-C")] == [1, 1]
    assert "  Processes   2\n" in banner
    assert "was killed by SIGKILL; another one begins" in lost


@pytest.mark.chaos
@pytest.mark.postgres
def test_workers_say_once_what_they_work_on_and_stop_together(start: Start):
    process = start("worker", "--processes", "2")
    banner = lines_up_to(process, "Ctrl-C stops")

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert banner.startswith("Loyalty Graph 0.1.0 worker\n  Database    PostgreSQL, ")
    assert [banner.count(word) for word in ("Database", "Processes   2\n")] == [1, 1]
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


@pytest.mark.chaos
@pytest.mark.postgres
def test_signing_settings_that_do_not_fit_are_told_once(start: Start):
    process = start("serve", "--workers", "3", "--port", "0", LOYALTY_TEAM_IDENTIFIER="ABCDE12345")

    out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (1, "")
    assert err.startswith("CERTIFICATE Apple's signing needs all of LOYALTY_APPLE_CERTIFICATE")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("case", "words"),
    [("serve", ("serve", "--workers", "2")), ("worker", ("worker", "--processes", "2"))],
)
def test_processes_that_would_wait_for_one_file_are_refused(
    call: CommandLine, tmp_path: Path, case: str, words: tuple[str, ...]
):
    done = call(*words, "--database", f"sqlite://{tmp_path}/shop.sqlite3")

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"SETTINGS {words[1]} 2 needs PostgreSQL: SQLite has one writer, so more processes would"
        " only wait for each other. Name a server in LOYALTY_DATABASE_URL, or leave it at 1.\n"
    )
    assert list(tmp_path.iterdir()) == []
