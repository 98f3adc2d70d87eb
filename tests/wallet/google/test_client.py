"""The client at its HTTP edge: tokens, requests, and a Google that cannot be understood."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import jwt
import pytest

from loyalty_graph.wallet.google import http
from loyalty_graph.wallet.google.account import ServiceAccount
from loyalty_graph.wallet.google.answers import Outcome
from loyalty_graph.wallet.google.client import GoogleClient, Resource
from loyalty_graph.wallet.google.http import Requests
from tests.wallet.making import NOW

URL = "http://127.0.0.1:9"
OBJECT = {"id": "1.c7", "accountName": "Ádá"}
Reply = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


class Edge:
    """Answers like Google's endpoints, from a list; `seen` keeps what was asked."""

    def __init__(self, *replies: Reply, tokens: tuple[Reply, ...] = ()) -> None:
        self.replies, self.tokens = deque(replies), deque(tokens)
        self.seen: list[httpx2.Request] = []
        self.granted = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/token":
            self.granted += 1
            return played(self.tokens, request) or granted(f"token-{self.granted}")
        self.seen.append(request)
        return played(self.replies, request) or httpx2.Response(200, json={"id": "1.c7"})


def played(replies: deque[Reply], request: httpx2.Request) -> httpx2.Response | None:
    if not replies:
        return None
    reply = replies.popleft()
    if isinstance(reply, Exception):
        raise reply
    return reply(request) if callable(reply) else reply


def granted(token: str, **changes: Any) -> httpx2.Response:
    given = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
    return httpx2.Response(200, json=given | changes)


def client_of(edge: Edge, account: ServiceAccount) -> GoogleClient:
    return GoogleClient(account, url=URL, requests=Requests(httpx2.MockTransport(edge)))


async def test_what_is_asked_is_what_google_documents(account: ServiceAccount):
    edge = Edge()
    client = client_of(edge, account)

    inserted = await client.insert(Resource.CLASS, {"id": "1.club"}, now=NOW)
    await client.patch(Resource.OBJECT, "1.c/7", {"accountName": "Ádá"}, now=NOW)
    await client.add_message("1.c7", {"body": "Hello"}, now=NOW)

    assert inserted.outcome is Outcome.DONE
    assert inserted.body == {"id": "1.c7"}
    assert [(one.method, one.url.raw_path.decode(), one.content) for one in edge.seen] == [
        ("POST", "/walletobjects/v1/loyaltyClass", b'{"id":"1.club"}'),
        ("PATCH", "/walletobjects/v1/loyaltyObject/1.c%2F7", '{"accountName":"Ádá"}'.encode()),
        (
            "POST",
            "/walletobjects/v1/loyaltyObject/1.c7/addMessage",
            b'{"message":{"body":"Hello"}}',
        ),
    ]
    assert {one.headers["authorization"] for one in edge.seen} == {"Bearer token-1"}
    assert {one.headers["content-type"] for one in edge.seen} == {"application/json"}


async def test_the_assertion_tolerates_a_clock_that_is_a_minute_ahead(account: ServiceAccount):
    forms: list[httpx2.QueryParams] = []

    def grant(request: httpx2.Request) -> httpx2.Response:
        forms.append(httpx2.QueryParams(request.content.decode()))
        return granted("token")

    await client_of(Edge(tokens=(grant,)), account).insert(Resource.OBJECT, OBJECT, now=NOW)

    [form] = forms
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})
    seconds = int(NOW.timestamp())
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert claims == {
        "iss": account.email,
        "scope": "https://www.googleapis.com/auth/wallet_object.issuer",
        "aud": account.token_url,
        "iat": seconds - 60,
        "exp": seconds - 60 + 55 * 60,
    }


async def test_a_token_is_asked_for_once_until_shortly_before_it_ends(account: ServiceAccount):
    edge = Edge()
    client = client_of(edge, account)

    await asyncio.gather(*(client.insert(Resource.OBJECT, OBJECT, now=NOW) for _ in range(5)))
    await client.insert(Resource.OBJECT, OBJECT, now=NOW + timedelta(seconds=3298))
    before = edge.granted
    await client.insert(Resource.OBJECT, OBJECT, now=NOW + timedelta(seconds=3299))

    assert (before, edge.granted) == (1, 2)
    assert edge.seen[-1].headers["authorization"] == "Bearer token-2"


async def test_a_token_google_does_not_know_any_more_is_replaced_at_once(account: ServiceAccount):
    edge = Edge(httpx2.Response(401, json={"error": {"status": "UNAUTHENTICATED"}}))

    answer = await client_of(edge, account).insert(Resource.OBJECT, OBJECT, now=NOW)

    assert answer.outcome is Outcome.DONE
    assert [one.headers["authorization"] for one in edge.seen] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_an_account_that_is_never_let_in_is_forbidden_after_one_more_try(
    account: ServiceAccount,
):
    edge = Edge(*(httpx2.Response(401, json={}) for _ in range(3)))

    answer = await client_of(edge, account).insert(Resource.OBJECT, OBJECT, now=NOW)

    assert (answer.outcome, answer.because, len(edge.seen)) == (Outcome.FORBIDDEN, "401", 2)


@pytest.mark.parametrize(
    ("reply", "because", "heard"),
    [
        (httpx2.ConnectError("down"), "ConnectError", "not done"),
        (httpx2.ReadTimeout("slow"), "ReadTimeout", "perhaps done"),
        (httpx2.RemoteProtocolError("garbage"), "RemoteProtocolError", "perhaps done"),
        (
            httpx2.Response(200, text="<html>hello"),
            "200 with something else than JSON",
            "perhaps done",
        ),
        (
            httpx2.Response(200, content=b" " * (http.ANSWER_BYTES_MAX + 1)),
            "an answer without end",
            "perhaps done",
        ),
        (httpx2.Response(502, text="Bad gateway"), "502", "perhaps done"),
        (
            httpx2.Response(307, headers={"location": "https://elsewhere.example"}),
            "307",
            "not done",
        ),
    ],
    ids=["down", "slow", "garbled", "html", "endless", "bad gateway", "redirect"],
)
async def test_a_google_that_is_down_slow_or_talks_garbage_is_asked_again_later(
    account: ServiceAccount, reply: Reply, because: str, heard: str
):
    edge = Edge(reply)

    answer = await client_of(edge, account).insert(Resource.OBJECT, OBJECT, now=NOW)

    assert (answer.outcome, answer.because) == (Outcome.LATER, because)
    assert answer.heard == (heard == "perhaps done")
    assert len(edge.seen) == 1


async def test_an_answer_that_never_ends_is_given_up(
    account: ServiceAccount, monkeypatch: pytest.MonkeyPatch
):
    async def never(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    monkeypatch.setattr(http, "WHOLE_S", 0.01)
    requests = Requests(httpx2.MockTransport(never))

    answer = await requests.send(http.Request("GET", URL))

    assert (answer.outcome, answer.because) == (Outcome.LATER, "no whole answer in time")
    await requests.close()


@pytest.mark.parametrize(
    ("reply", "outcome", "because"),
    [
        (httpx2.ConnectError("down"), Outcome.LATER, "no token: ConnectError"),
        (httpx2.Response(503), Outcome.LATER, "no token: 503"),
        (
            httpx2.Response(400, json={"error": "invalid_grant", "error_description": "iat"}),
            Outcome.FORBIDDEN,
            "no token: 400 invalid_grant",
        ),
        (httpx2.Response(200, json={"token": "x"}), Outcome.LATER, "no token: it cannot be used"),
        (granted("é"), Outcome.LATER, "no token: it cannot be used"),
        (granted("t", expires_in="x"), Outcome.LATER, "no token: it cannot be used"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_endpoint_asked_once_a_second(
    account: ServiceAccount, reply: Reply, outcome: Outcome, because: str
):
    edge = Edge(tokens=(reply,))
    client = client_of(edge, account)

    asked = [client.insert(Resource.OBJECT, OBJECT, now=NOW) for _ in range(3)]
    answers = await asyncio.gather(*asked)
    later = await client.insert(Resource.OBJECT, OBJECT, now=NOW + timedelta(seconds=1))

    assert {(one.outcome, one.because) for one in answers} == {(outcome, because)}
    assert later.outcome is Outcome.DONE
    assert (edge.granted, len(edge.seen)) == (2, 1)


async def test_a_short_lived_token_is_used_for_half_its_life(account: ServiceAccount):
    edge = Edge(tokens=(granted("short", expires_in=60),))
    client = client_of(edge, account)

    for seconds in (0, 29, 30):
        await client.insert(Resource.OBJECT, OBJECT, now=NOW + timedelta(seconds=seconds))

    assert [one.headers["authorization"] for one in edge.seen] == [
        "Bearer short",
        "Bearer short",
        "Bearer token-2",
    ]
