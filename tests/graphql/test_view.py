import logging

import orjson
import pytest
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect
from strawberry.http.exceptions import WebSocketDisconnected

from loyalty_graph.graphql.view import BODY_BYTES_MAX
from loyalty_graph.graphql.websocket import TextWebSocket
from tests.graphql.conftest import CUPBOARD, NOON, PARTNER, ended, view_of

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
GREETING = "query ($n: String!) { greeting(name: $n) }"
NOT_AN_OBJECT = "The body must be a JSON object; one request, one operation."


def test_a_query_is_answered(client: TestClient):
    answer = client.post(
        "/", json={"query": "query ($n: String!) { greeting(name: $n) }", "variables": {"n": "Ada"}}
    )

    assert answer.status_code == 200
    assert answer.json() == {"data": {"greeting": "hello Ada"}}
    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Accept, Authorization"


def test_a_named_operation_is_chosen(client: TestClient):
    answer = client.post(
        "/", json={"query": "query A { greeting } query B { asked }", "operationName": "A"}
    )

    assert answer.json() == {"data": {"greeting": "hello world"}}


def test_a_query_may_come_by_get(client: TestClient):
    answer = client.get(
        "/",
        params={"query": "query ($n: String!) { greeting(name: $n) }", "variables": '{"n":"Ada"}'},
    )

    assert answer.json() == {"data": {"greeting": "hello Ada"}}


@pytest.mark.parametrize("accept", [JSON, "*/*", ""])
def test_older_clients_get_json_and_200(client: TestClient, accept: str):
    answer = client.post("/", json={"query": "{ nothing }"}, headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert set(answer.json()) == {"errors"}


def message(text: str) -> dict[str, object]:
    return {"errors": [{"message": text, "extensions": {"code": "BAD_REQUEST"}}]}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "Unable to parse request body as JSON"),
        (b"", "Unable to parse request body as JSON"),
        (b"\xff", "Unable to parse request body as JSON"),
        (b'"text"', NOT_AN_OBJECT),
        (b"null", NOT_AN_OBJECT),
        (b"[]", NOT_AN_OBJECT),
        (
            b'[{"query":"{ greeting }"}]',
            "The body must be a JSON object; one request, one operation.",
        ),
        (b"{}", "No GraphQL query found in the request"),
        (b'{"query":7}', "`query` must be text or null."),
        (b'{"query":"{ greeting }","operationName":7}', "`operationName` must be text or null."),
        (b'{"query":"{ greeting }","variables":[]}', "`variables` must be an object or null."),
        (b'{"query":"{ greeting }","extensions":""}', "`extensions` must be an object or null."),
    ],
)
def test_a_body_that_is_no_operation_is_refused(client: TestClient, body: bytes, complaint: str):
    answer = client.post("/", content=body, headers={"Content-Type": JSON})

    assert answer.status_code == 400
    assert answer.json() == message(complaint)


@pytest.mark.parametrize(
    "query",
    ["{", "{ nothing }", GREETING, "query A { greeting } query B { asked }"],
)
def test_a_request_error_is_a_4xx_without_data(client: TestClient, query: str):
    answer = client.post("/", json={"query": query})

    assert answer.status_code == 400
    assert set(answer.json()) == {"errors"}
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


def test_an_answer_with_errors_in_it_is_200_with_data(client: TestClient):
    answer = client.post("/", json={"query": "{ refused }"})

    assert answer.status_code == 200
    assert answer.json()["data"] == {"refused": None}


def test_an_answer_that_is_null_by_an_error_keeps_its_data(client: TestClient):
    answer = client.post("/", json={"query": "{ cups(first: 0) { totalCount } }"})

    assert answer.status_code == 200
    assert answer.json()["data"] is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(client: TestClient, method: str):
    answer = client.request(method, "/")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


def test_a_mutation_by_get_is_not_allowed(client: TestClient):
    answer = client.get("/", params={"query": "mutation { fill(number: 1) { cup { number } } }"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("accept", ["image/png", "application/xml;q=1", f"{JSON};q=0"])
def test_a_client_that_takes_none_of_our_types_is_told_them(client: TestClient, accept: str):
    answer = client.post("/", json={"query": "{ greeting }"}, headers={"Accept": accept})

    assert answer.status_code == 406
    assert answer.json() == message(f"Accept {GRAPHQL} or {JSON}.")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/jsonx", "application/graphql", ""]
)
def test_a_body_of_another_type_is_not_read(client: TestClient, content_type: str):
    answer = client.post(
        "/", content=b'{"query":"{ greeting }"}', headers={"Content-Type": content_type}
    )

    assert answer.status_code == 415
    assert answer.json() == message(f"Send the body as {JSON}.")


def test_a_body_has_at_most_a_million_bytes(client: TestClient):
    start, end = b'{"query":"{ greeting }","variables":{"x":"', b'"}}'
    filling = BODY_BYTES_MAX - len(start) - len(end)

    fits = client.post("/", content=start + b"x" * filling + end, headers={"Content-Type": JSON})
    too_large = client.post(
        "/", content=start + b"x" * (filling + 1) + end, headers={"Content-Type": JSON}
    )

    assert fits.status_code == 200
    assert too_large.status_code == 413
    assert too_large.json() == message("The body is larger than 1000000 bytes.")


def test_a_token_says_who_asks(client: TestClient):
    query = {"query": "{ asked secret }"}

    answer = client.post("/", json=query, headers={"Authorization": "bearer good"})

    assert answer.json() == {
        "data": {"asked": "PARTNER at 2026-11-22T12:00:00+00:00", "secret": "42"}
    }


def test_without_a_token_nobody_asks(client: TestClient):
    answer = client.post("/", json={"query": "{ asked }"})

    assert answer.json() == {"data": {"asked": "NOBODY at 2026-11-22T12:00:00+00:00"}}


@pytest.mark.parametrize(
    ("authorization", "complaint"),
    [
        ("Bearer bad", "This API token is not known."),
        ("Bearer", "Send the token as Authorization: Bearer lg_live_..."),
        ("Basic YTpi", "Send the token as Authorization: Bearer lg_live_..."),
        ("", "Send the token as Authorization: Bearer lg_live_..."),
    ],
)
def test_a_token_that_is_not_valid_is_a_401(client: TestClient, authorization: str, complaint: str):
    answer = client.post(
        "/", json={"query": "{ greeting }"}, headers={"Authorization": authorization}
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "errors": [{"message": complaint, "extensions": {"code": "UNAUTHENTICATED"}}]
    }


def test_a_failure_of_ours_is_masked_and_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
):
    answer = client.post(
        "/",
        json={"query": "{ greeting }"},
        headers={"Authorization": "Bearer broken", "X-Request-Id": "till-7-0042"},
    )

    assert answer.status_code == 500
    assert answer.json() == {
        "errors": [
            {
                "message": "Something went wrong on our side; it is logged as request till-7-0042.",
                "extensions": {"code": "INTERNAL", "requestId": "till-7-0042"},
            }
        ]
    }
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "Request till-7-0042 failed"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "line%0aend", "ümlaut-ümlaut"])
def test_a_request_id_unfit_for_a_log_is_replaced(client: TestClient, given: str):
    answer = client.post(
        "/", json={"query": "{ greeting }"}, headers={"X-Request-Id": given.encode()}
    )

    assert len(answer.headers["x-request-id"]) == 16
    assert int(answer.headers["x-request-id"], 16) >= 0


def test_a_browser_sees_the_editor(client: TestClient):
    answer = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert 'id="graphiql"' in answer.text


def test_a_program_that_asks_nothing_by_get_is_told_so(client: TestClient):
    answer = client.get("/")

    assert answer.status_code == 400
    assert answer.json() == message("No GraphQL query found in the request")


def test_a_query_may_be_answered_as_an_event_stream(client: TestClient):
    answer = client.post(
        "/", json={"query": "{ greeting }"}, headers={"Accept": "text/event-stream"}
    )

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == (
        'event: next\r\ndata: {"data":{"greeting":"hello world"}}\r\n\r\n'
        "event: complete\r\ndata: \r\n\r\n"
    )


async def test_a_client_that_goes_away_while_sending_is_no_failure(
    caplog: pytest.LogCaptureFixture,
):
    view = view_of(CUPBOARD)
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    await view(scope, receive, send)

    assert caplog.records == []


async def test_a_websocket_that_goes_away_while_we_send_ends_quietly(client: TestClient):
    class Gone:
        async def send_text(self, _text: str) -> None:
            raise WebSocketDisconnect(1006)

    socket = TextWebSocket(client.app, Gone(), Gone())

    with pytest.raises(WebSocketDisconnected):
        await socket.send_json({"type": "ping"})


def test_websocket_answers_in_text_frames_with_the_token_of_the_init(client: TestClient):
    with client.websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init", "payload": {"Authorization": "Bearer good"}})
        acknowledged = socket.receive()
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ asked }"}})
        answered = socket.receive()

    assert acknowledged == {"type": "websocket.send", "text": '{"type":"connection_ack"}'}
    assert orjson.loads(answered["text"]) == {
        "id": "1",
        "type": "next",
        "payload": {"data": {"asked": "PARTNER at 2026-11-22T12:00:00+00:00"}},
    }


@pytest.mark.parametrize("query", ["{", "{ nothing }", "{ broken }"])
def test_websocket_errors_are_told_like_others(client: TestClient, query: str):
    with client.websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init"})
        socket.receive_json()
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        answer = socket.receive_json()

    errors = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
    assert [error["extensions"]["code"] for error in errors] == [
        "INTERNAL" if query == "{ broken }" else "BAD_REQUEST"
    ]
    assert "swordfish" not in str(answer)


def test_websocket_with_a_bad_token_is_closed(client: TestClient):
    with client.websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init", "payload": {"authorization": "Bearer bad"}})
        with pytest.raises(WebSocketDisconnect) as by_init:
            socket.receive_json()
    with (
        client.websocket_connect(
            "/", subprotocols=["graphql-transport-ws"], headers={"Authorization": "Bearer bad"}
        ) as socket,
        pytest.raises(WebSocketDisconnect) as by_header,
    ):
        socket.receive_json()

    assert by_init.value.code == 4403
    assert (by_header.value.code, by_header.value.reason) == (4401, "This API token is not known.")


def test_a_websocket_is_closed_when_its_token_has_ended(client: TestClient):
    with client.websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init", "payload": {"Authorization": "Bearer good"}})
        socket.receive_json()
        ended.add(PARTNER.token_id)
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ asked }"}})
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert (closed.value.code, closed.value.reason) == (4401, "This API token was revoked.")


@pytest.mark.parametrize("frame", ['"text"', "[]", "{"])
def test_a_websocket_message_that_is_no_object_closes_it(client: TestClient, frame: str):
    with client.websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_text(frame)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert (closed.value.code, closed.value.reason) == (
        4400,
        "WebSocket message must be valid JSON",
    )


def test_each_operation_of_a_websocket_has_its_own_moment():
    moments = iter([NOON.replace(hour=hour) for hour in range(1, 6)])
    view = view_of(CUPBOARD, clock=lambda: next(moments))

    with TestClient(view).websocket_connect("/", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init"})
        socket.receive_json()
        asked = []
        for number in ("1", "2"):
            socket.send_json({"id": number, "type": "subscribe", "payload": {"query": "{ asked }"}})
            asked.append(socket.receive_json()["payload"]["data"]["asked"])
            socket.receive_json()

    assert asked == ["NOBODY at 2026-11-22T03:00:00+00:00", "NOBODY at 2026-11-22T05:00:00+00:00"]


def test_a_refused_request_is_logged_by_its_id_and_status_alone(
    client: TestClient, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="loyalty_graph")

    client.post(
        "/",
        json={"query": '{ member(email: "ada@example.com") }'},
        headers={"X-Request-Id": "till-7-0001", "Authorization": "Bearer secret"},
    )

    assert [record.getMessage() for record in caplog.records] == [
        "Request till-7-0001 was answered with 401"
    ]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param('{ greeting(name: "a\\u0000b") }', {}, id="in the document"),
        pytest.param(
            "query ($name: String!) { greeting(name: $name) }",
            {"name": "a\0b"},
            id="in a variable",
        ),
    ],
)
def test_null_characters_are_refused(client: TestClient, query: str, variables: dict[str, str]):
    answer = client.post("/", json={"query": query, "variables": variables})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "Text cannot hold null characters."
