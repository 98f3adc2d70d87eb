"""What a client of the API sees while the database is away, and after."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import strawberry
from anyio.from_thread import start_blocking_portal
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tortoise.exceptions import DBConnectionError, OperationalError

from chaos.proxy import Proxy, postgres_target, through
from loyalty_graph.db import TRY_AGAIN, connection, transactions
from loyalty_graph.db.outages import (
    DatabaseTimeoutError,
    OutcomeUnknownError,
    TooManyWaitingError,
)
from loyalty_graph.db.postgres import translated
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.graphql.permissions import Everybody
from loyalty_graph.graphql.schema import build_schema
from loyalty_graph.members.models import Member
from tests.api import ADMIN, Api, open_api, receipt
from tests.graphql.conftest import view_of
from tests.outages import DETAIL, database_away, fresh_outage_log

RECORD = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    replayed userErrors { code } purchase { points } } }"""
MEMBERS = "{ members(first: 1) { nodes { id } } }"
AWAY = {"errors": [{"message": TRY_AGAIN, "extensions": {"code": "UNAVAILABLE"}}]}


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    with fresh_outage_log():
        yield


def post(api: Api, query: str, variables: Any = None, accept: str = "application/json") -> Any:
    headers = {"Authorization": f"Bearer {api.token(ADMIN)}", "Accept": accept}
    body = {"query": query, "variables": variables}
    return api.client.post("/graphql", json=body, headers=headers)


def busy() -> OperationalError:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError(cause)


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
@pytest.mark.parametrize(
    "error",
    [
        translated(ConnectionRefusedError("refused")),
        translated(asyncpg.TooManyConnectionsError("sorry, too many clients already")),
        translated(asyncpg.CannotConnectNowError("the database system is starting up")),
        TooManyWaitingError("2,000 purchases wait for it already"),
        translated(asyncpg.AdminShutdownError("terminating connection")),
        translated(asyncpg.QueryCanceledError("canceling statement due to statement timeout")),
        DatabaseTimeoutError("No connection to the database in time."),
        OutcomeUnknownError("COMMIT was sent, but not answered."),
        busy(),
    ],
    ids=str,
)
def test_while_the_database_is_away_a_till_is_told_to_come_back(
    api: Api, ada: Member, monkeypatch: pytest.MonkeyPatch, error: Exception, accept: str
):
    monkeypatch.setattr(transactions, "ATTEMPTS_MAX", 1)
    given = {"input": receipt(ada)}
    before = api.everything()

    with database_away(error):
        answer = post(api, RECORD, given, accept)
    retried = post(api, RECORD, given, accept)

    assert (answer.status_code, answer.json()) == (503, AWAY)
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert before != api.everything()
    assert retried.json()["data"]["recordPurchase"] == {
        "replayed": False,
        "userErrors": [],
        "purchase": {"points": 108},
    }


@strawberry.type
class HalfQuery:
    """Answers while the database goes away."""

    @strawberry.field(extensions=[Everybody()])
    def here(self) -> str:
        return "here"

    @strawberry.field(extensions=[Everybody()])
    async def away(self) -> str | None:
        raise DBConnectionError(DETAIL)


HALF = build_schema(HalfQuery)


@pytest.fixture
def half() -> TestClient:
    return TestClient(view_of(HALF))


def test_half_an_answer_is_none(half: TestClient):
    answer = half.post("/", json={"query": "{ here away again: away }"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    [error] = answer.json().pop("errors")
    assert (error["message"], error["path"]) == (TRY_AGAIN, ["away"])
    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert set(answer.json()) == {"errors"}


def test_on_a_websocket_an_operation_ends_with_the_error_and_the_socket_stays(half: TestClient):
    with half.websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init"})
        socket.receive_json()
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ away }"}})
        told, ended = socket.receive_json(), socket.receive_json()
        socket.send_json({"id": "2", "type": "subscribe", "payload": {"query": "{ here }"}})
        after = socket.receive_json()

    [error] = told["payload"]["errors"]
    assert (error["message"], error["extensions"]) == (TRY_AGAIN, {"code": "UNAVAILABLE"})
    assert ended == {"id": "1", "type": "complete"}
    assert after["payload"] == {"data": {"here": "here"}}


def test_a_websocket_that_cannot_be_signed_in_now_is_closed_with_try_again_later(api: Api):
    token = api.token(ADMIN)
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
    with (
        api.client.websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket,
        database_away(),
    ):
        socket.send_json(init)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert (closed.value.code, closed.value.reason) == (1013, TRY_AGAIN)


def test_what_is_no_outage_still_breaks_a_websocket_loudly(half: TestClient):
    with (
        pytest.raises(RuntimeError, match="the database is gone"),
        half.websocket_connect(
            "/", subprotocols=["graphql-transport-ws"], headers={"Authorization": "Bearer broken"}
        ) as socket,
    ):
        socket.receive_json()


def test_many_callers_of_one_outage_are_one_line_in_the_log_without_its_insides(
    api: Api, caplog: pytest.LogCaptureFixture
):
    api.token(ADMIN)
    caplog.clear()
    caplog.set_level(logging.WARNING)

    with database_away():
        answers = [post(api, MEMBERS) for _ in range(3)]

    assert "10.1.2.3" not in "".join(answer.text for answer in answers)
    [record] = caplog.records
    assert record.exc_info is None
    assert record.getMessage() == (
        "The database is not available (callers told since the last such line: 1):"
        " connection to 10.1.2.3 refused"
    )


@pytest.mark.sqlite
def test_a_file_that_another_process_keeps_locked_is_told_as_an_outage(
    api: Api, ada: Member, monkeypatch: pytest.MonkeyPatch, database_url: str
):
    given = {"input": receipt(ada)}
    post(api, "{ version }")  # When the token was last used is written by another transaction.
    api.run(connection().execute_script, "PRAGMA busy_timeout=1")
    monkeypatch.setattr(transactions, "ATTEMPTS_MAX", 2)

    with closing(sqlite3.connect(sqlite_path(database_url))) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = post(api, RECORD, given)
        other.rollback()
    taken = post(api, RECORD, given)

    assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (
        503,
        {"code": "UNAVAILABLE"},
    )
    assert taken.json()["data"]["recordPurchase"]["replayed"] is False


@pytest.mark.postgres
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_purchase_whose_commit_got_no_answer_is_counted_once_when_asked_again(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch, *, is_kept: bool
):
    with (
        proxied(database_url) as (proxy, url),
        open_api(url, data_dir, monkeypatch) as api,
    ):
        ada = api.run(api.shop.at(api.now).enrol)
        given = {"input": receipt(ada)}
        post(api, "{ version }")  # When the token was last used is written by another transaction.
        (proxy.cut_answer if is_kept else proxy.cut_request)(b"COMMIT")

        lost = post(api, RECORD, given)
        found = post(api, RECORD, given)
        balance = api.run(api.shop.balance, ada)

    assert proxy.cuts == 1
    assert (lost.status_code, lost.json()["errors"][0]["extensions"]["code"]) == (
        503,
        "UNAVAILABLE",
    )
    assert found.json()["data"]["recordPurchase"] == {
        "replayed": is_kept,
        "userErrors": [],
        "purchase": {"points": 108},
    }
    assert balance == 108


@contextmanager
def proxied(url: str) -> Iterator[tuple[Proxy, str]]:
    """Run a proxy to the database in a thread of its own, whose loop outlives the application."""
    with start_blocking_portal() as portal:
        proxy = Proxy(postgres_target(url))
        portal.call(proxy.__aenter__)
        yield proxy, through(url, proxy)
        portal.call(proxy.__aexit__)
