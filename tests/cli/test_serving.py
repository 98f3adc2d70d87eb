"""Serving: ports, addresses, requests in hand, and a stop by signal. The installed program runs."""

import asyncio
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.cli.listening import address_of, listen
from loyalty_graph.db import open_database
from loyalty_graph.errors import SettingsError
from tests.cli.conftest import CommandLine

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    """Starts a server of the installed program; it is killed at the end, if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, **settings: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [PROGRAM, *words, "--database", database_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **settings},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def lines_up_to(process: "subprocess.Popen[str]", wanted: str) -> str:
    """Read what a server prints, up to a line with `wanted`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if wanted in line:
            return seen
    assert process.stderr is not None
    raise AssertionError(seen + process.stderr.read())


def address_in(text: str) -> str:
    [address] = re.findall(r"(http://\S+)/graphql\n", text)
    return str(address)


def get(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own server's
        return answer.status, answer.read()


def test_it_says_what_runs_and_stops_in_good_order(start: Start):
    process = start("serve", "--port", "0")
    banner = lines_up_to(process, "Ctrl-C stops")
    address = address_in(banner)

    assert banner.startswith("Loyalty Graph 0.1.0\n  Database    ")
    assert "  Signing     development CA; phones will not add these passes\n" in banner
    assert "  Pushes      none; Apple knows no passes of the development CA." in banner
    assert get(f"{address}/healthz") == (200, b'{"status":"ok"}')
    assert get(f"{address}/readyz") == (200, b'{"status":"ready"}')

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="alone"),
        pytest.param(
            ("--workers", "2"), id="together", marks=[pytest.mark.postgres, pytest.mark.chaos]
        ),
    ],
)
def test_a_request_in_hand_is_finished_before_it_stops(start: Start, words: tuple[str, ...]):
    process = start("serve", "--port", "0", *words)
    host, port = address_in(lines_up_to(process, "Ctrl-C stops")).removeprefix("http://").split(":")
    body = json.dumps({"query": "{ version }"}).encode()
    head = (
        "POST /graphql HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
    )

    with socket.create_connection((host, int(port)), timeout=30) as client:
        # The server asks for the rest once the application reads it: the request is in hand then.
        client.sendall("\r\n".join([*head, "", ""]).encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        process.send_signal(signal.SIGTERM)
        until_refused((host, int(port)))
        client.sendall(body)
        answer = b"".join(iter(lambda: client.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'{"data":{"version":"0.1.0"}}' in answer
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(start: Start):
    process = start("serve", "--port", "0")
    host, port = address_in(lines_up_to(process, "Ctrl-C stops")).removeprefix("http://").split(":")
    size = 10_000_000
    head = (
        "POST /graphql HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {size}",
        "Expect: 100-continue",
    )

    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall("\r\n".join([*head, "", ""]).encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        with suppress(ConnectionError):
            client.sendall(b"x" * size)
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert get(f"http://{host}:{port}/healthz")[0] == 200


def until_refused(place: tuple[str, int]) -> None:
    """Wait until a server takes no more connections."""
    while True:
        try:
            socket.create_connection(place, timeout=30).close()
        except ConnectionError:
            return


def link_in(text: str) -> str:
    [link] = re.findall(r"curl -so card.pkpass (\S+)\n", text)
    return str(link)


def status_of(url: str) -> int:
    try:
        return get(url)[0]
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def asked(text: str) -> dict[str, Any]:
    """Do what the printed curl command does, and return the answer."""
    [command] = re.findall(r"curl -s (\S+/graphql .*)\n", text)
    url, _, token, _, kind, _, body = shlex.split(command)
    headers = dict(one.split(": ") for one in (token, kind))
    request = urllib.request.Request(url, body.encode(), headers)  # noqa: S310 - our own server's
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        found: dict[str, Any] = json.load(answer)
    return found


async def change(url: str, statement: str) -> None:
    async with open_database(url) as client:
        await client.execute_script(statement)


@pytest.mark.slow
def test_the_demo_gives_out_a_card_whose_link_is_never_logged(start: Start, database_url: str):
    process = start("demo", "--households", "1", "--port", "0")
    text = lines_up_to(process, "Ctrl-C stops")
    link = link_in(text)
    secret = link.rpartition("/")[2]

    answer = asked(text)
    status, card = get(link)
    forged = status_of(f"{link}x")
    asyncio.run(change(database_url, "ALTER TABLE pass RENAME TO lost"))
    broken = status_of(link)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert answer["data"]["member"]["firstName"] == "Household"
    assert set(answer) == {"data"}
    assert link.startswith(f"{address_in(text)}/passes/")
    assert (status, card[:4], forged, broken) == (200, b"PK\3\4", 403, 500)
    assert (process.returncode, out) == (0, "Stopped.\n")
    assert "Traceback" in err, "the failure itself is logged"
    assert secret not in err


@pytest.mark.sqlite
@pytest.mark.slow
@pytest.mark.usefixtures("uncounted")
def test_each_start_of_the_demo_has_a_fresh_token_and_the_older_ones_stop(
    start: Start, call: CommandLine, database_url: str
):
    tokens, pages = [], []
    for _ in range(3):
        process = start("demo", "--households", "1", "--port", "0")
        text = lines_up_to(process, "Ctrl-C stops")
        tokens += re.findall(r"Token +(lg_test_\S+)\n", text)
        pages += re.findall(r"Cards +http://[^/]+(/c/\S+)\n", text)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    listed = call("token", "list", "--json", "--database", database_url).json
    assert len(set(tokens)) == 3
    assert (len(pages), len(set(pages))) == (3, 1), "a page opens after the next start as well"
    assert [one["revoked_at"] is None for one in listed] == [False, False, True]
    assert [one["token"][-4:] for one in listed] == [token[-4:] for token in tokens]


@pytest.mark.sqlite
@pytest.mark.usefixtures("uncounted")
def test_a_served_demo_prints_nothing_but_json_on_standard_output(start: Start):
    process = start("demo", "--json", "--households", "1", "--port", "0")
    assert process.stderr is not None
    assert process.stdout is not None
    for line in process.stderr:
        if "Ctrl-C stops" in line:
            break
    process.send_signal(signal.SIGTERM)

    out, err = process.communicate(timeout=30)

    assert json.loads(out)["members"] == 1
    assert (process.returncode, err) == (0, "Stopped.\n")


@pytest.mark.sqlite
@pytest.mark.usefixtures("uncounted")
def test_ctrl_c_ends_a_replay_on_a_terminal_without_a_traceback(database_url: str):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "demo", "--once", "--database", database_url],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        # Who runs the tests in the background has Ctrl-C ignored, and so had its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )
    os.close(theirs)
    seen = b""
    while not re.search(rb"[1-9][\d,]* of 3", seen):
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    # Reading a terminal that everybody has left fails on Linux.
    with suppress(OSError):
        while part := os.read(ours, 4096):
            seen += part
    os.close(ours)

    assert process.wait(timeout=30) == 130
    text = seen.decode()
    assert text.endswith("Stopped; the next start replays from the beginning.\r\n")
    assert "Traceback" not in text
    assert "\x1b[1mLoyalty Graph" in text, "a terminal gets colours"
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h"), "the cursor is shown again"


@contextmanager
def taken() -> Iterator[int]:
    """Yield a port that is in use, and has another above it."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_a_port_in_use_is_told_and_the_next_one_taken(capsys: pytest.CaptureFixture[str]):
    with taken() as port, listen("127.0.0.1", port) as listener:
        found = listener.getsockname()[1]

        assert port < found < port + 20
        assert capsys.readouterr().out == f"Port {port} is in use; taking {found}.\n"
        assert address_of(listener) == f"http://127.0.0.1:{found}"


def test_of_two_servers_on_one_port_the_second_takes_another():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port) as second:
            assert second.getsockname()[1] != port


def test_when_no_port_is_free_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("loyalty_graph.cli.listening.PORTS_TRIED", 1)

    with taken() as port, pytest.raises(SettingsError, match=f"Ports {port} to {port} are in use"):
        listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named():
    with pytest.raises(SettingsError, match=r"Cannot listen on 192\.0\.2\.1, port 8000: "):
        listen("192.0.2.1", 8000)


@pytest.mark.parametrize(
    ("host", "name"),
    [("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")],  # noqa: S104 - how it is named, not opened
)
def test_an_address_is_one_that_can_be_opened_here(host: str, name: str):
    try:
        listener = listen(host, 0)
    except SettingsError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert address_of(listener) == f"http://{name}:{listener.getsockname()[1]}"


def test_signing_settings_that_do_not_fit_stop_it_at_once(
    call: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_TEAM_IDENTIFIER", "ABCDE12345")

    done = call("serve", "--port", "0", "--database", database_url)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("CERTIFICATE Apple's signing needs all of LOYALTY_APPLE_CERTIFICATE")
    assert done.err.count("\n") == 1
