"""The view at /graphql: GraphQL over HTTP to the letter, and WebSocket in text frames.

It differs from Strawberry's view where the specification asks for it (media types, status codes,
no `data` beside request errors) and where a public server must (body limit, masked failures).
Source: GraphQL over HTTP, stage 2 draft; graphql-transport-ws.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UnsetType

from loyalty_graph import logs
from loyalty_graph.db import RETRY_AFTER_S, TRY_AGAIN, is_unavailable, log_failure, outage_log
from loyalty_graph.errors import ForbiddenError, UnauthenticatedError
from loyalty_graph.graphql.context import Context, RecordPurchase, RefuseEnded, limited_claims
from loyalty_graph.graphql.editor import editor, wants_editor
from loyalty_graph.graphql.errors import BAD_REQUEST, UNAVAILABLE, internal_error
from loyalty_graph.graphql.negotiation import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, negotiate
from loyalty_graph.graphql.schema import LoyaltySchema
from loyalty_graph.graphql.websocket import (
    CLOSE_TRY_AGAIN,
    CLOSE_UNAUTHENTICATED,
    Operations,
    TextWebSocket,
)
from loyalty_graph.identity.rules import NOBODY, Viewer
from loyalty_graph.outbox.live import Live
from loyalty_graph.rate_limits import RateLimits
from loyalty_graph.wallet.desk import PassDesk

BODY_BYTES_MAX = 1_000_000
BODY_FIELDS: Mapping[str, tuple[type, str]] = {
    "query": (str, "text"),
    "operationName": (str, "text"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}
NEEDS_A_STREAM = (
    "A subscription answers many times: ask with Accept: text/event-stream, or over WebSocket."
)

logger = logging.getLogger(__name__)


class LoyaltyView(GraphQL[Context, None]):
    """Serves one schema over HTTP, server-sent events and WebSocket.

    Args:
        schema: What to serve.
        desk: Hands out passes.
        viewer_for: Finds who a token belongs to at a moment, or raises UnauthenticatedError.
        refuse_ended: Raises UnauthenticatedError once a viewer may not go on asking.
        live: Wakes streams, and ends them when the process stops.
        clock: Tells the moment of each request.
        record_purchase: Records one purchase, perhaps in one transaction with others.
        limits: Makes what counts how often callers ask.
    """

    websocket_adapter_class = TextWebSocket
    graphql_transport_ws_handler_class = Operations

    def __init__(  # noqa: PLR0913 - each is opened by the application and handed down
        self,
        schema: LoyaltySchema,
        *,
        desk: PassDesk,
        viewer_for: Callable[[str, datetime], Awaitable[Viewer]],
        refuse_ended: RefuseEnded,
        live: Live,
        clock: Callable[[], datetime],
        record_purchase: RecordPurchase,
        limits: RateLimits,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL],
        )
        self._desk = desk
        self._viewer_for = viewer_for
        self._refuse_ended = refuse_ended
        self._live = live
        self._clock = clock
        self._record_purchase = record_purchase
        self._claims = limited_claims(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._serve_websocket(WebSocket(scope, receive, send))
            return
        request = Request(scope, _limited(receive))
        request.state.request_id = _request_id(request)
        response = await self._answer(request)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            logger.info(
                "Request %s was answered with %s", request.state.request_id, response.status_code
            )
        response.headers["X-Request-Id"] = request.state.request_id
        response.headers["Vary"] = "Accept, Authorization"
        response.headers.setdefault("Cache-Control", "no-store")
        await response(scope, receive, send)

    async def _serve_websocket(self, websocket: WebSocket) -> None:
        websocket.state.request_id = _request_id(websocket)
        try:
            await self.run(websocket)
        except UnauthenticatedError as error:
            await websocket.close(CLOSE_UNAUTHENTICATED, error.message)
        except Exception as error:
            if not is_unavailable(error):
                raise
            outage_log.note(error)
            await websocket.close(CLOSE_TRY_AGAIN, TRY_AGAIN)

    async def _answer(self, request: Request) -> Response:
        """Return the answer to a request, whatever happens; nothing of our insides is in it."""
        try:
            if wants_editor(request):
                return editor()
            return await self.run(request)
        except UnauthenticatedError as error:
            return _refusal(request, 401, error.message, {"code": error.code})
        except HTTPException as error:
            return _http_refusal(request, error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - the top of the door: it is logged there
            return _failure(request, error)

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Settle the media type of the answer before anything is done."""
        media = negotiate(request.headers.get("accept", ""))
        if media is None:
            raise HTTPException(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}.")
        if request.scope["method"] not in ("GET", "POST"):
            raise HTTPException(405, "GraphQL is asked with POST, and queries also with GET.")
        answer = await super().get_sub_response(request)
        answer.media_type = media
        request.state.answer = answer
        return answer

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        """Find who asks, and take the moment.

        Raises:
            UnauthenticatedError: a token was given that is not valid.
        """
        del response
        now = self._clock()
        viewer = await self._viewer(request.headers.get("authorization"), now=now)
        _log_of(viewer)
        return Context(
            viewer,
            now,
            request.state.request_id,
            self._desk,
            self._clock,
            self._record_purchase,
            self._refuse_ended,
            self._live,
            key_header=_key_header(request),
            claims=self._claims,
        )

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Find who asks from `connection_init`, since browsers cannot send headers.

        Raises:
            ConnectionRejectionError: a token was given that is not valid.
        """
        given = {name.lower(): value for name, value in (context.connection_params or {}).items()}
        if "authorization" in given:
            try:
                context.viewer = await self._viewer(str(given["authorization"]), now=self._clock())
            except UnauthenticatedError as error:
                raise ConnectionRejectionError from error
            _log_of(context.viewer)
        return await super().on_ws_connect(context)

    async def _viewer(self, authorization: str | None, *, now: datetime) -> Viewer:
        if authorization is None:
            return NOBODY
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthenticatedError("Send the token as Authorization: Bearer lg_live_...")
        return await self._viewer_for(token.strip(), now)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Read the one operation of a request.

        Raises:
            HTTPException: 415 for another content type, 400 for what is not an operation.
        """
        body = await self._body(request)
        for name, (kind, what) in BODY_FIELDS.items():
            if not isinstance(body.get(name), kind | None):
                raise HTTPException(400, f"`{name}` must be {what} or null.")
        streams = negotiate(request.headers.get("accept", "")) == EVENT_STREAM
        return GraphQLRequestData(
            query=body.get("query"),
            variables=body.get("variables"),
            operation_name=body.get("operationName"),
            extensions=body.get("extensions"),
            protocol="sse" if streams else "http",
        )

    async def _body(self, request: AsyncHTTPRequestAdapter) -> dict[str, Any]:
        if request.method == "GET":
            return self.parse_query_params(request.query_params)
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        if content_type != JSON:
            raise HTTPException(415, f"Send the body as {JSON}.")
        body = self.parse_json(await request.get_body())
        if not isinstance(body, dict):
            raise HTTPException(400, "The body must be a JSON object; one request, one operation.")
        return body

    async def process_result(
        self, request: Request, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        """Tell a request error (nothing was executed) from an answer with errors in it.

        What was answered while the database went away is half the truth, so it is left out.
        """
        answer = await super().process_result(request, result)
        errors = result.errors or []
        away = [one for one in errors if (one.extensions or {}).get("code") == UNAVAILABLE]
        if away:
            request.state.answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            return {"errors": [away[0].formatted]}
        if errors and result.data is None and all(error.path is None for error in errors):
            answer.pop("data")
            if request.state.answer.media_type == GRAPHQL_RESPONSE:
                request.state.answer.status_code = _status_of(errors)
        return answer

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """Write the answer in the settled media type."""
        status = sub_response.status_code or 200
        return _json_response(response_data, status, str(sub_response.media_type))

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        """Stream events; when the process stops, break off without `complete`: clients go on."""
        return await super().create_streaming_response(
            request, lambda: until(self._live.stopping, stream()), sub_response, headers
        )

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """Answer no: the page for browsers is ours."""
        del request
        return False

    def decode_json(self, data: str | bytes) -> object:
        """Read JSON; orjson's error is a JSONDecodeError."""
        return orjson.loads(data)

    def encode_json(self, data: object) -> bytes:
        """Write JSON."""
        return orjson.dumps(data)


async def until(stop: asyncio.Event, stream: AsyncIterator[str]) -> AsyncIterator[str]:
    """Pass a stream on until it ends, or until the stop."""
    stopped = asyncio.ensure_future(stop.wait())
    piece = None
    try:
        while True:
            piece = asyncio.ensure_future(anext(stream, None))
            await asyncio.wait((piece, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not piece.done() or (text := piece.result()) is None:
                break
            yield text
    finally:
        stopped.cancel()
        if piece is not None and piece.cancel():
            with suppress(asyncio.CancelledError):
                await piece


def _status_of(errors: Sequence[GraphQLError]) -> int:
    """Return the status of a request that was refused before anything was done."""
    codes = {(error.extensions or {}).get("code") for error in errors}
    if UnauthenticatedError.code in codes:
        return 401
    return 403 if codes == {ForbiddenError.code} else 400


def _limited(receive: Receive) -> Receive:
    """Return a `receive` that refuses a body as soon as it is too large, declared or not."""
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES_MAX:
            raise HTTPException(413, f"The body is larger than {BODY_BYTES_MAX} bytes.")
        return message

    return receive_limited


def _log_of(viewer: Viewer) -> None:
    """Let the log tell what kind of caller it is, and which partner; never which person."""
    logs.about(viewer=viewer.kind.value)
    if viewer.partner_id is not None:
        logs.about(partner=str(viewer.partner_id))


def _key_header(connection: HTTPConnection) -> str | None:
    """Return the header Idempotency-Key without quotes; a WebSocket's is of no single operation.

    Source: draft-ietf-httpapi-idempotency-key-header, section 2.1: it is a quoted text.
    """
    given = connection.headers.get("idempotency-key")
    if given is None or connection.scope["type"] == "websocket":
        return None
    return given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given


def _request_id(connection: HTTPConnection) -> str:
    """Return under which id the log tells of a request; the application has begun it already."""
    asked: logs.Asked | None = connection.scope.get("asked")
    return (asked or logs.begin_request(connection.scope["headers"])).id


def _http_refusal(request: Request, error: HTTPException) -> Response:
    status, headers, cause = error.status_code, {}, error.__cause__
    if isinstance(cause, InvalidOperationTypeError):
        if cause.operation_type is OperationType.SUBSCRIPTION:
            return _refusal(request, 400, NEEDS_A_STREAM, {"code": BAD_REQUEST})
        status, headers = 405, {"Allow": "POST"}
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        # RFC 9110, section 15.5.6: it must say what is allowed.
        headers = {"Allow": "GET, POST"}
    return _refusal(request, status, error.reason, {"code": BAD_REQUEST}, headers)


def _failure(request: Request, error: Exception) -> Response:
    """Log what nobody foresaw, or that the database is away, and return the answer."""
    if log_failure(logger, error, "Request %s failed", request.state.request_id):
        return _refusal(request, 503, TRY_AGAIN, {"code": UNAVAILABLE})
    message, extensions = internal_error(request.state.request_id)
    return _refusal(request, 500, message, extensions)


def _refusal(
    request: Request,
    status: int,
    message: str,
    extensions: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> Response:
    media = negotiate(request.headers.get("accept", ""))
    body = {"errors": [{"message": message, "extensions": extensions}]}
    response = _json_response(body, status, GRAPHQL_RESPONSE if media == GRAPHQL_RESPONSE else JSON)
    response.headers.update(headers or {})
    return response


def _json_response(body: object, status: int, media: str) -> Response:
    headers = {"Content-Type": f"{media}; charset=utf-8"}
    if status == HTTPStatus.UNAUTHORIZED:
        # RFC 9110, section 15.5.2: it must say what would do.
        headers["WWW-Authenticate"] = "Bearer"
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Response(orjson.dumps(body), status, headers=headers)
