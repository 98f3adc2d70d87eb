"""Callers who go away in the middle, or whose bytes trickle, behind a real socket."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from chaos.proxy import HOST, RESET_ON_CLOSE, Pace, Proxy
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.models import Purchase
from tests.api import receipt
from tests.conftest import BACKEND
from tests.served import Served, served

RECORD = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    replayed purchase { points } userErrors { code } } }"""
LIMIT_S = 30
QUARTER = 64
"""Bytes in a piece of a request that trickles."""


@pytest.fixture
def shop(database_url: str, data_dir: Path) -> Iterator[Served]:
    """A shop whose server has one connection to the database, where that can be said."""
    one = "&pool_size=1" if BACKEND == "postgres" else ""
    with served(database_url + one, data_dir) as running:
        yield running


@pytest.fixture
def ada(shop: Served) -> Member:
    return shop.run(shop.shop.enrol())


@pytest.fixture
def proxy(shop: Served) -> Iterator[Proxy]:
    with start_blocking_portal() as portal:
        proxy = Proxy((HOST, port_of(shop)))
        portal.call(proxy.__aenter__)
        yield proxy
        portal.call(proxy.__aexit__)


def port_of(shop: Served) -> int:
    return int(shop.address.rpartition(":")[2])


@pytest.fixture
def token(shop: Served) -> str:
    return shop.token("admin")


async def purchases() -> int:
    return await Purchase.all().count()


def request(token: str, body: bytes) -> bytes:
    head = (
        "POST /graphql HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


def body_of(given: dict[str, Any]) -> bytes:
    return json.dumps({"query": RECORD, "variables": {"input": given}}).encode()


@contextmanager
def called(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port), timeout=LIMIT_S) as line:
        yield line


def answer_on(line: socket.socket) -> tuple[int, Any]:
    response = http.client.HTTPResponse(line)
    response.begin()
    return response.status, json.loads(response.read())


def recorded(shop: Served, whole: bytes) -> dict[str, Any]:
    """Ask in good order and return what was answered."""
    with called(port_of(shop)) as line:
        line.sendall(whole)
        status, answer = answer_on(line)
    assert status == 200
    found: dict[str, Any] = answer["data"]["recordPurchase"]
    return found


@pytest.mark.parametrize("part", ["head", "half", "whole"])
@pytest.mark.parametrize("manner", ["closed", "reset"])
def test_a_caller_who_goes_away_is_counted_once_when_he_comes_back(
    shop: Served, ada: Member, token: str, part: str, manner: str, capfd: pytest.CaptureFixture[str]
):
    body = body_of(receipt(ada))
    whole = request(token, body)
    sent = {"head": -len(body), "half": -len(body) // 2, "whole": None}[part]

    with called(port_of(shop)) as line:
        line.sendall(whole[:sent])
        if manner == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    answer = recorded(shop, whole)

    assert answer["purchase"] == {"points": 108}
    assert answer["userErrors"] == []
    assert answer["replayed"] is False or part == "whole"
    assert shop.run(purchases()) == 1
    assert shop.run(shop.shop.balance(ada)) == 108
    assert "Traceback" not in capfd.readouterr().err


def test_a_caller_who_sends_slowly_keeps_no_connection_to_the_database(
    shop: Served, ada: Member, token: str
):
    slow, fast = (request(token, body_of(receipt(ada))) for _ in range(2))

    with called(port_of(shop)) as line:
        line.sendall(slow[:-1])
        between = recorded(shop, fast)
        line.sendall(slow[-1:])
        status, answer = answer_on(line)

    assert between["purchase"] == {"points": 108}
    assert (status, answer["data"]["recordPurchase"]["purchase"]) == (200, {"points": 108})


def test_a_caller_who_does_not_read_keeps_no_connection_to_the_database(
    shop: Served, ada: Member, token: str
):
    large = json.dumps(
        {"query": "{ __schema { types { name description fields { name description } } } }"}
    ).encode()

    with called(port_of(shop)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(request(token, large))
        begun = line.recv(12)
        between = recorded(shop, request(token, body_of(receipt(ada))))

    assert begun == b"HTTP/1.1 200"
    assert between["purchase"] == {"points": 108}


def test_bytes_that_trickle_both_ways_arrive(ada: Member, token: str, proxy: Proxy):
    proxy.slow(Pace(piece_bytes=QUARTER, pause_s=0.001))

    with called(proxy.port) as line:
        line.sendall(request(token, body_of(receipt(ada))))
        status, answer = answer_on(line)

    assert (status, answer["data"]["recordPurchase"]["purchase"]) == (200, {"points": 108})


def test_an_answer_that_got_lost_on_its_way_is_given_again(
    shop: Served, ada: Member, token: str, proxy: Proxy, capfd: pytest.CaptureFixture[str]
):
    whole = request(token, body_of(receipt(ada)))
    proxy.cut_answer(b"recordPurchase", after_bytes=20)

    with called(proxy.port) as line:
        line.sendall(whole)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            answer_on(line)
    again = recorded(shop, whole)

    assert again == {"replayed": True, "purchase": {"points": 108}, "userErrors": []}
    assert shop.run(shop.shop.balance(ada)) == 108
    assert "Traceback" not in capfd.readouterr().err
