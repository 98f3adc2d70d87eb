"""Apple's web service: where phones register their copies of passes and fetch newer ones.

Source: Apple, "PassKit Web Service Reference" and developer.apple.com/documentation/walletpasses
(register, list, send an updated pass, unregister, log). What they leave open is decided here:

- A token is checked before anything is looked up, so a wrong one (also with a pass of another type,
  or one that does not exist) is 401 and says nothing about which passes there are. 404 is what the
  right token gets for a pass that is gone.
- A device that is not known, whatever its id looks like, has nothing to update: 204.
- A void pass is served, as void: that is how its copies learn it.
"""

import logging
import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from loyalty_graph.errors import NotFoundError
from loyalty_graph.rate_limits import NO_WAIT, RateLimits
from loyalty_graph.wallet.apple import logs, registrations
from loyalty_graph.wallet.apple.deliveries import delivery, tells_something
from loyalty_graph.wallet.apple.issued import PassFile
from loyalty_graph.wallet.apple.listing import changed
from loyalty_graph.wallet.apple.registrations import Holding
from loyalty_graph.wallet.desk import MEDIA_TYPE, WEB_SERVICE_PATH, PassDesk

SCHEME = "applepass"
REGISTRATION_BYTES_MAX = 16 * 1024
LOG_BYTES_MAX = 64 * 1024
HTTP_DATE_CHARACTERS_MAX = 64
# As Apple's own: hexadecimal or base64url. What is put into a push's path must hold no more.
DEVICE = re.compile(r"[A-Za-z0-9._:~+=-]{1,255}")
PUSH_TOKEN = re.compile(r"[A-Za-z0-9._:~+=/-]+")
TAG = re.compile(r"[0-9]{1,18}")

PER = timedelta(minutes=1)
REFUSALS_OF_ONE_ADDRESS = 120
LOGS_OF_ONE_ADDRESS = 600
# A telephone company puts many thousand phones behind one address.
LISTS_OF_ONE_ADDRESS = 30_000

UNKEPT = {"cache-control": "private, no-store"}
# The phone keeps its copy and asks again; what lies between keeps nothing of a member's.
KEPT_BY_PHONE_ONLY = (b"cache-control", b"private, no-cache")

logger = logging.getLogger(__name__)


class AppleDoor:
    """Answers phones; it counts how often an address is refused, or asks what has changed.

    It is an application of its own beneath one path: fetches are the most frequent requests there
    are, and go past what requests and responses cost elsewhere.
    """

    def __init__(self, desk: PassDesk, limits: RateLimits) -> None:
        self._desk = desk
        self._refusals = limits.limit("pass-refusals", REFUSALS_OF_ONE_ADDRESS, per=PER)
        self._logs = limits.limit("pass-logs", LOGS_OF_ONE_ADDRESS, per=PER)
        self._lists = limits.limit("pass-lists", LISTS_OF_ONE_ADDRESS, per=PER)

    @property
    def routes(self) -> list[Route]:
        """Return the route of all calls; phones ask most often, so it stands before others."""
        return [Route(f"{WEB_SERVICE_PATH}/{{call:path}}", self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; one slash more than there should be at either end does no harm."""
        answer = await self._answer(scope, receive)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        match scope["path_params"]["call"].strip("/").split("/"), scope["method"]:
            case ["v1", "passes", pass_type, serial], "GET" | "HEAD":
                return await self._fetch(pass_type, serial, scope)
            case ["v1", "devices", device, "registrations", pass_type], "GET" | "HEAD":
                return await self._list(pass_type, device, scope)
            case ["v1", "devices", device, "registrations", pass_type, serial], "POST":
                return await self._register(Holding(pass_type, device, serial), scope, receive)
            case ["v1", "devices", device, "registrations", pass_type, serial], "DELETE":
                return await self._unregister(Holding(pass_type, device, serial), scope)
            case ["v1", "log"], "POST":
                return await self._log(scope, receive)
            case names, _:
                return _no_such_call(names)

    async def _fetch(self, pass_type: str, serial: str, scope: Scope) -> ASGIApp:
        if not self._is_allowed(pass_type, serial, scope):
            return await self._refusal(pass_type, serial, scope)
        issued = await self._desk.cache.find(serial)
        if issued is None:
            return Response(status_code=404)
        now, is_told = _now(scope), scope["method"] == "GET"
        since = _header(scope, b"if-modified-since")
        if since is not None and _says(since, issued.last_modified):
            # The phone has this state, whether or not it was written when it was handed out.
            if is_told and tells_something(issued, issued.holds_until):
                self._desk.deliveries.note(delivery(issued, issued.holds_until, at=now))
            return _Unchanged(issued.last_modified)
        try:
            file = await self._desk.cache.file(issued, now=now)
        except NotFoundError:
            return Response(status_code=404)
        if is_told and tells_something(issued, file.holds_until):
            noted = delivery(issued, file.holds_until, at=now, fetched=True)
            self._desk.deliveries.note(noted)
        return _Fetched(file, issued.last_modified)

    async def _list(self, pass_type: str, device: str, scope: Scope) -> ASGIApp:
        now = _now(scope)
        if (wait := await self._lists.wait(_address(scope), now=now)) > NO_WAIT:
            return _later(wait)
        if not DEVICE.fullmatch(device):
            return Response(status_code=204)
        given = Request(scope).query_params.get("passesUpdatedSince", "")
        since = int(given) if TAG.fullmatch(given) else None
        highest, serials = await changed(pass_type, device, since=since)
        # A tag that was never given here says nothing about what the device has.
        if since is not None and since <= highest and scope["method"] == "GET":
            self._desk.deliveries.listed(pass_type, device, since)
        if not serials:
            return Response(status_code=204)
        told = {"lastUpdated": str(highest), "serialNumbers": serials}
        return Response(orjson.dumps(told), media_type="application/json", headers=UNKEPT)

    async def _register(self, holding: Holding, scope: Scope, receive: Receive) -> ASGIApp:
        if not self._is_allowed(holding.pass_type, holding.serial, scope):
            return await self._refusal(holding.pass_type, holding.serial, scope)
        body = await _body_up_to(REGISTRATION_BYTES_MAX, Request(scope, receive))
        if body is None:
            return Response(status_code=413)
        push_token = _push_token(body)
        if push_token is None or not DEVICE.fullmatch(holding.device):
            return Response(status_code=400)
        try:
            is_new = await registrations.register(holding, push_token, now=_now(scope))
        except NotFoundError:
            return Response(status_code=404)
        return Response(status_code=201 if is_new else 200)

    async def _unregister(self, holding: Holding, scope: Scope) -> ASGIApp:
        if not self._is_allowed(holding.pass_type, holding.serial, scope):
            return await self._refusal(holding.pass_type, holding.serial, scope)
        if DEVICE.fullmatch(holding.device):
            try:
                await registrations.unregister(holding, now=_now(scope))
            except NotFoundError:
                return Response(status_code=404)
        return Response(status_code=200)

    async def _log(self, scope: Scope, receive: Receive) -> ASGIApp:
        now = _now(scope)
        if (wait := await self._logs.wait(_address(scope), now=now)) > NO_WAIT:
            return _later(wait)
        body = await _body_up_to(LOG_BYTES_MAX, Request(scope, receive))
        if body is None:
            return Response(status_code=413)
        lines = _json(body).get("logs")
        if not isinstance(lines, list):
            return Response(status_code=400)
        await logs.keep([one for one in lines if isinstance(one, str)], now=now)
        return Response(status_code=200)

    def _is_allowed(self, pass_type: str, serial: str, scope: Scope) -> bool:
        scheme, _, token = (_header(scope, b"authorization") or "").partition(" ")
        return scheme.lower() == SCHEME and self._desk.tokens.fits(token.strip(), pass_type, serial)

    async def _refusal(self, pass_type: str, serial: str, scope: Scope) -> Response:
        if (wait := await self._refusals.wait(_address(scope), now=_now(scope))) > NO_WAIT:
            return _later(wait)
        logger.warning("A phone's token does not fit the pass %.40r of %.80r", serial, pass_type)
        return Response(status_code=401, headers={"www-authenticate": "ApplePass"})


class _Fetched:
    """Answers with a pass file, without copying the part that many share."""

    def __init__(self, file: PassFile, last_modified: datetime) -> None:
        self._file, self._last_modified = file, last_modified

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(self._file.size).encode()),
            (b"last-modified", _http_date(self._last_modified)),
            KEPT_BY_PHONE_ONLY,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._file.body, "more_body": True})
        await send({"type": "http.response.body", "body": self._file.tail})


class _Unchanged:
    """Answers that the phone has the present state."""

    def __init__(self, last_modified: datetime) -> None:
        self._last_modified = last_modified

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"last-modified", _http_date(self._last_modified)), KEPT_BY_PHONE_ONLY]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _no_such_call(names: list[str]) -> Response:
    match names:
        case ["v1", "passes", _, _] | ["v1", "devices", _, "registrations", _]:
            return Response(status_code=405, headers={"allow": "GET, HEAD"})
        case ["v1", "devices", _, "registrations", _, _]:
            return Response(status_code=405, headers={"allow": "POST, DELETE"})
        case ["v1", "log"]:
            return Response(status_code=405, headers={"allow": "POST"})
        case _:
            return Response(status_code=404)


async def _body_up_to(most: int, request: Request) -> bytes | None:
    """Return the body of a request, or None when it is longer, or its sender went away."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _json(body: bytes) -> dict[str, object]:
    """Return the object in a body; an empty one when it holds none."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return given if isinstance(given, dict) else {}


def _push_token(body: bytes) -> str | None:
    token = _json(body).get("pushToken")
    return token if isinstance(token, str) and PUSH_TOKEN.fullmatch(token) else None


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def _says(http_date: str, moment: datetime) -> bool:
    """Return whether an HTTP-date, in any of its three forms, names this moment."""
    if http_date.encode("latin-1") == _http_date(moment):
        return True
    if len(http_date) > HTTP_DATE_CHARACTERS_MAX:
        return False
    try:
        given = parsedate_to_datetime(http_date)
    except ValueError:
        return False
    # The form of C's asctime names no zone; RFC 9110, section 5.6.7, says it is UTC.
    return (given if given.tzinfo else given.replace(tzinfo=UTC)) == moment


@lru_cache(maxsize=4096)
def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment.astimezone(UTC), usegmt=True).encode()


def _later(wait: timedelta) -> Response:
    seconds = max(1, math.ceil(wait.total_seconds()))
    return Response(status_code=429, headers={"retry-after": str(seconds)})


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _now(scope: Scope) -> datetime:
    now: datetime = scope["app"].state.clock()
    return now
