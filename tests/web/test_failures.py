"""What phones, customers and Google see while the database is away, and what a lost caller does."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from tortoise.exceptions import DBConnectionError, OperationalError

from loyalty_graph.usecases.card_page import Watched
from loyalty_graph.wallet.google.desk import CALLBACK_PATH
from loyalty_graph.web.failures import TRY_AGAIN_LATER
from loyalty_graph.web.watching import CardWatch
from tests.api import Api, application
from tests.outages import database_away, fresh_outage_log
from tests.shop import NOON
from tests.wallet.google.stage import Stage
from tests.wallet.google.test_callbacks import signed
from tests.web.conftest import Linked
from tests.web.test_apple import Phone, download


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    with fresh_outage_log():
        yield


@pytest.fixture
def phone(ada: Linked) -> Phone:
    return download(ada)


DOORS = {
    "card page": lambda phone: ("GET", phone.linked.path, {}),
    "its live updates": lambda phone: ("GET", f"{phone.linked.path}/live", {}),
    "its pass": lambda phone: ("GET", f"{phone.linked.path}/pass", {}),
    "fetching a pass": lambda phone: ("GET", phone.pass_path, {"headers": phone.authorization}),
    "what changed": lambda phone: ("GET", phone.list_path, {}),
    "registering": lambda phone: (
        "POST",
        f"{phone.list_path}/{phone.serial}",
        {"headers": phone.authorization, "json": {"pushToken": "ab" * 32}},
    ),
    "unregistering": lambda phone: (
        "DELETE",
        f"{phone.list_path}/{phone.serial}",
        {"headers": phone.authorization},
    ),
    "a phone's log": lambda phone: ("POST", f"{phone.base}/log", {"json": {"logs": ["no"]}}),
    "live operations": lambda phone: (
        "POST",
        "/graphql",
        {
            "headers": {
                "Accept": "text/event-stream",
                "Authorization": f"Bearer {phone.api.token('admin')}",
            },
            "json": {"query": "subscription { eventStream { sequence } }"},
        },
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_asks_to_come_back_in_one_line_of_log(
    phone: Phone, door: str, caplog: pytest.LogCaptureFixture
):
    method, path, given = DOORS[door](phone)
    caplog.clear()
    caplog.set_level(logging.WARNING)

    with database_away():
        answer = phone.api.client.request(method, path, **given)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "10.1.2.3" not in answer.text
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


def test_a_page_says_so_in_words(ada: Linked):
    with database_away():
        answer = ada.api.client.get(ada.path)

    assert answer.text == TRY_AGAIN_LATER
    assert answer.headers["cache-control"] == "no-store"


def test_it_is_not_ready_in_one_line_of_log(api: Api, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)

    with database_away():
        answer = api.client.get("/readyz")

    assert (answer.status_code, answer.json()["because"]) == (503, "database")
    assert [record.exc_info for record in caplog.records] == [None]


def test_what_is_no_outage_is_still_our_failure(ada: Linked):
    with (
        database_away(OperationalError("no such table: member")),
        pytest.raises(OperationalError, match="no such table"),
    ):
        ada.api.client.get(ada.path)


def test_google_is_asked_to_come_back_and_a_caller_who_goes_away_leaves_no_trace(
    api: Api, ada: Linked, caplog: pytest.LogCaptureFixture
):
    stage, state = Stage(api.shop), application(api.client).state
    state.desk = replace(state.desk, google=stage.desk)
    body = signed(stage, api.run(stage.card, ada.member))
    caplog.set_level(logging.WARNING)

    with database_away():
        answer = api.client.post(CALLBACK_PATH, content=body)
    statuses = api.run(half_a_request, application(api.client))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert statuses == [400]
    assert [record.exc_info for record in caplog.records] == [None]


async def half_a_request(app: Starlette) -> list[int]:
    """Send half a callback, go away, and return the statuses of the answers nobody hears."""
    pieces = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )
    answers: list[Any] = []

    async def receive() -> Any:
        return next(pieces)

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": CALLBACK_PATH,
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    return [message["status"] for message in answers if "status" in message]


async def test_open_card_pages_end_with_one_line_of_log(caplog: pytest.LogCaptureFixture):
    async def away(_pages: object, *, now: object) -> dict[Watched, str]:
        raise DBConnectionError("away")

    watch = CardWatch(away, clock=lambda: NOON)
    watched: Any = object()

    async with asyncio.timeout(5):
        seen = [state async for state in watch.states(watched, quiet_s=5)]

    assert seen == []
    assert [record.exc_info for record in caplog.records] == [None]
