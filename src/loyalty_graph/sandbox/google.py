"""A fake of Google Wallet's endpoints, for demo and tests: it refuses what Google refuses.

It keeps everything in memory; `google_keeping` keeps it in a file. Access tokens, classes, objects
and save links are Google's; what a person does in the wallet's app is under `/sandbox`. Sources:
Google's references of the resources `loyaltyclass` and `loyaltyobject`, "Error codes" and "Use
callbacks for saves and deletions".
"""

import asyncio
import json
import secrets
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from loyalty_graph.sandbox.google_accounts import GrantRefusedError, ServiceAccount
from loyalty_graph.sandbox.google_callbacks import CallbackFault, CallbackSigner
from loyalty_graph.sandbox.google_shapes import SAVED, misfits
from loyalty_graph.sandbox.google_store import RefusedError, Resource, Store

ISSUER_ID = "3388000000012345678"
API = "/walletobjects/v1"
KEYS_PATH = "/gp/m/issuer/keys"
SAVE_URL_LENGTH_MAX = 1800
LIMIT_WINDOW = timedelta(seconds=1)
CALLBACK_TIMEOUT_S = 10.0
SOMEBODY = "somebody@example.com"

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback that was sent, and what came back: a status, or 0 when nobody answered."""

    url: str
    body: bytes
    status: int


@dataclass
class FakeGoogle:
    """Google Wallet for one issuer; `app` is what to serve at `url`.

    Attributes:
        url: Where it is reached, without a slash at the end.
        clock: Tells the moment.
        store: Classes and objects, and who holds them.
        requests_per_s: More than so many are refused with 429; None for any number.
        fault: What is wrong with the callbacks it sends.
        tell: Told a line for each call.
        transport: How callbacks are sent; over the network by default.
        next_answers: Given to the next calls of the API instead of an answer, in this order.
        is_open: While it is not set, calls of the API wait.
        callbacks: Those that were sent.
    """

    url: str
    clock: Callable[[], datetime]
    store: Store = field(default_factory=lambda: Store(ISSUER_ID))
    requests_per_s: int | None = None
    fault: CallbackFault | None = None
    tell: Callable[[str], None] = lambda _line: None
    transport: httpx2.AsyncBaseTransport | None = None
    next_answers: deque[Response] = field(default_factory=deque)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    callbacks: list[Callback] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.is_open.set()
        self.account = ServiceAccount(f"{self.url}/token")
        self.signer = CallbackSigner(self.store.issuer_id)
        self._recent: deque[datetime] = deque()
        self.app = Starlette(routes=self._routes())

    def _routes(self) -> list[Route]:
        of_class, of_object = f"{API}/loyaltyClass", f"{API}/loyaltyObject"
        one_class, one_object = f"{of_class}/{{id}}", f"{of_object}/{{id}}"
        routes: list[tuple[str, str, Handler]] = [
            ("POST", of_class, self._insert_class),
            ("GET", one_class, self._get_class),
            ("PATCH", one_class, self._patch_class),
            ("POST", f"{one_class}/addMessage", self._add_class_message),
            ("POST", of_object, self._insert_object),
            ("GET", one_object, self._get_object),
            ("PATCH", one_object, self._patch_object),
            ("POST", f"{one_object}/addMessage", self._add_object_message),
        ]
        return [
            Route("/token", self._told(self._token), methods=["POST"]),
            Route(KEYS_PATH, self._told(self._keys), methods=["GET"]),
            Route("/gp/v/save/{token:path}", self._told(self._save), methods=["GET"]),
            Route("/sandbox/objects/{id}", self._told(self._shown), methods=["GET"]),
            Route("/sandbox/objects/{id}/remove", self._told(self._remove), methods=["POST"]),
            *(
                Route(path, self._told(self._admitted(handler)), methods=[method])
                for method, path, handler in routes
            ),
        ]

    @property
    def keys_url(self) -> str:
        """Return where the root keys of its callbacks are."""
        return f"{self.url}{KEYS_PATH}"

    def settings(self, account_file: str) -> dict[str, str]:
        """Return the settings of a server that is to use this instead of Google."""
        return {
            "LOYALTY_GOOGLE_SERVICE_ACCOUNT": account_file,
            "LOYALTY_GOOGLE_ISSUER_ID": self.store.issuer_id,
            "LOYALTY_GOOGLE_URL": self.url,
            "LOYALTY_GOOGLE_KEYS_URL": self.keys_url,
        }

    def _told(self, handler: Handler) -> Handler:
        """Answer refusals in Google's shape, and tell a line of each call."""

        async def answer(request: Request) -> Response:
            because = ""
            try:
                response = await handler(request)
            except RefusedError as refused:
                because = f"  {refused.reason}: {refused.message}"
                response = JSONResponse(refused.body(), refused.status)
            # The path of a save link is the link.
            path = request.url.path if "token" not in request.path_params else "/gp/v/save/…"
            self.tell(f"{request.method} {path} {response.status_code}{because}")
            return response

        return answer

    def _admitted(self, handler: Handler) -> Handler:
        """Hold up, limit and authorise a call of the API."""

        async def answer(request: Request) -> Response:
            await self.is_open.wait()
            if self.next_answers:
                return self.next_answers.popleft()
            self._refuse_too_many()
            if not self.account.admits(request.headers.get("authorization", ""), now=self.clock()):
                raise RefusedError(
                    401,
                    "authError",
                    "Request had invalid authentication credentials.",
                    domain="global",
                    canonical="UNAUTHENTICATED",
                )
            return await handler(request)

        return answer

    def _refuse_too_many(self) -> None:
        now, recent = self.clock(), self._recent
        while recent and recent[0] <= now - LIMIT_WINDOW:
            recent.popleft()
        if self.requests_per_s is not None and len(recent) >= self.requests_per_s:
            raise RefusedError(
                429,
                "rateLimitExceeded",
                "Quota exceeded for quota metric 'Requests' of service"
                " 'walletobjects.googleapis.com'.",
                domain="usageLimits",
                canonical="RESOURCE_EXHAUSTED",
            )
        recent.append(now)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        try:
            return JSONResponse(self.account.token(form, now=self.clock()))
        except GrantRefusedError as refused:
            answer = {"error": refused.error, "error_description": refused.description}
            return JSONResponse(answer, 400)

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse(self.signer.published(now=self.clock()))

    async def _insert_class(self, request: Request) -> Response:
        return JSONResponse(self.store.insert_class(await _body(request)))

    async def _get_class(self, request: Request) -> Response:
        return JSONResponse(self.store.a_class(request.path_params["id"]))

    async def _patch_class(self, request: Request) -> Response:
        class_id = request.path_params["id"]
        return JSONResponse(self.store.patch_class(class_id, await _body(request)))

    async def _add_class_message(self, request: Request) -> Response:
        return await self._add_message(request, self.store.classes)

    async def _insert_object(self, request: Request) -> Response:
        return JSONResponse(self.store.insert_object(await _body(request)))

    async def _get_object(self, request: Request) -> Response:
        return JSONResponse(self.store.an_object(request.path_params["id"]))

    async def _patch_object(self, request: Request) -> Response:
        object_id, body = request.path_params["id"], await _body(request)
        return JSONResponse(self.store.patch_object(object_id, body, now=self.clock()))

    async def _add_object_message(self, request: Request) -> Response:
        return await self._add_message(request, self.store.objects)

    async def _add_message(self, request: Request, kept: dict[str, Resource]) -> Response:
        resource_id, body = request.path_params["id"], await _body(request)
        changed = self.store.add_message(kept, resource_id, body, now=self.clock())
        return JSONResponse({"resource": changed})

    async def _save(self, request: Request) -> Response:
        """Do what Google does when somebody has opened a save link and agreed."""
        token = request.path_params["token"]
        if len(f"https://pay.google.com/gp/v/save/{token}") > SAVE_URL_LENGTH_MAX:
            raise RefusedError(414, "invalidResource", "The save link is too long for browsers.")
        holder = request.query_params.get("holder", SOMEBODY)
        for object_id in self._told_of(self._claims(token)):
            self.store.save(object_id, holder)
            await self.call_back(object_id, "save")
        return HTMLResponse("<p>Added to your wallet.</p>")

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims = self.account.verified(token, audience="google")
        except jwt.InvalidTokenError as error:
            raise RefusedError(400, "invalidJwt", f"Invalid JWT: {error}") from error
        if claims.get("typ") != "savetowallet" or not isinstance(claims.get("payload"), dict):
            raise RefusedError(400, "invalidJwt", "Invalid JWT: typ or payload.")
        return claims

    def _told_of(self, claims: dict[str, Any]) -> list[str]:
        """Insert what a save link carries in full and is not there yet; return its objects."""
        payload: dict[str, Any] = claims["payload"]
        if (fault := next(misfits(payload, SAVED, "payload"), None)) is not None:
            raise RefusedError(400, "invalidJwt", fault)
        for one in payload.get("loyaltyClasses", ()):
            if one.get("id") not in self.store.classes:
                self.store.insert_class(one)
        found: list[Resource] = payload.get("loyaltyObjects", [])
        for one in found:
            if one.get("id") not in self.store.objects:
                self.store.insert_object(one)
        return [one["id"] for one in found]

    async def _shown(self, request: Request) -> Response:
        """Show an object as those who hold it see it, and when they were notified."""
        object_id = request.path_params["id"]
        notified = [at.isoformat() for at in self.store.notified.get(object_id, ())]
        return JSONResponse({**self.store.an_object(object_id), "notified": notified})

    async def _remove(self, request: Request) -> Response:
        """Do what Google does when somebody removes a pass from the wallet."""
        object_id = request.path_params["id"]
        self.store.remove(object_id, request.query_params.get("holder", SOMEBODY))
        await self.call_back(object_id, "del")
        return JSONResponse({"removed": object_id})

    async def call_back(self, object_id: str, event: str) -> None:
        """Tell the address of an object's class that somebody saved (`save`) or removed (`del`) it.

        As with Google, one that fails is not sent again.
        """
        found = self.store.objects[object_id]
        loyalty_class = self.store.classes[found["classId"]]
        url = (loyalty_class.get("callbackOptions") or {}).get("url")
        if url is None:
            return
        if self.fault is CallbackFault.REPLAYED and self.callbacks:
            body = self.callbacks[-1].body
        else:
            message = {
                "classId": found["classId"],
                "objectId": object_id,
                "eventType": event,
                "count": 1,
                "nonce": secrets.token_hex(16),
            }
            body = self.signer.sign(message, now=self.clock(), fault=self.fault)
        self.callbacks.append(Callback(url, body, await self._sent(url, body)))
        self.tell(f"callback {event} {object_id} -> {self.callbacks[-1].status or 'no answer'}")

    async def _sent(self, url: str, body: bytes) -> int:
        headers = {"content-type": "application/json"}
        async with httpx2.AsyncClient(
            transport=self.transport, verify=_trust(), timeout=CALLBACK_TIMEOUT_S
        ) as client:
            try:
                return (await client.post(url, content=body, headers=headers)).status_code
            except httpx2.HTTPError:
                return 0


@cache
def _trust() -> ssl.SSLContext:
    """Return whom callbacks trust; reading all authorities takes a tenth of a second."""
    return ssl.create_default_context()


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise RefusedError(
            400,
            "parseError",
            "Invalid JSON payload received.",
            domain="global",
            canonical="INVALID_ARGUMENT",
        ) from error
