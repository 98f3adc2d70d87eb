"""graphql-transport-ws as we speak it: text frames, and no operation once the token has ended.

Source: PROTOCOL.md of the npm package graphql-ws.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.websockets import WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import SubscribeMessage

from loyalty_graph.errors import UnauthenticatedError

CLOSE_UNAUTHENTICATED = 4401
# "Try Again Later" in IANA's registry of close codes.
CLOSE_TRY_AGAIN = 1013


class TextWebSocket(ASGIWebSocketAdapter):
    """Sends text frames, as graphql-transport-ws asks; orjson's bytes would go out as binary."""

    async def iter_json(
        self, *, ignore_parsing_errors: bool = False
    ) -> AsyncGenerator[object, None]:
        """Yield each message, which is an object."""
        async for message in super().iter_json(ignore_parsing_errors=ignore_parsing_errors):
            if not isinstance(message, dict):
                raise NonJsonMessageReceived
            yield message

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send a message as text."""
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error


class Operations(BaseGraphQLTransportWSHandler[Any, Any]):
    """Asks before each operation whether the viewer may go on: a socket stays open for hours."""

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begin an operation, or close the socket."""
        try:
            await self.context.check_viewer()
        except UnauthenticatedError as error:
            await self.websocket.close(code=CLOSE_UNAUTHENTICATED, reason=error.message)
            return
        await super().handle_subscribe(message)
