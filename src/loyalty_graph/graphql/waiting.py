"""What /graphql answers until the database was reached for the first time: as in an outage."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from loyalty_graph.db import RETRY_AFTER_S, TRY_AGAIN
from loyalty_graph.graphql.errors import UNAVAILABLE
from loyalty_graph.graphql.negotiation import GRAPHQL_RESPONSE, JSON, negotiate
from loyalty_graph.graphql.websocket import CLOSE_TRY_AGAIN

ANSWER = orjson.dumps({"errors": [{"message": TRY_AGAIN, "extensions": {"code": UNAVAILABLE}}]})


async def answer_later(request: Request) -> Response:
    """Tell whoever asks to come back."""
    wanted = negotiate(request.headers.get("accept", ""))
    media = GRAPHQL_RESPONSE if wanted == GRAPHQL_RESPONSE else JSON
    headers = {
        "Content-Type": f"{media}; charset=utf-8",
        "Retry-After": str(RETRY_AFTER_S),
        "Cache-Control": "no-store",
    }
    return Response(ANSWER, 503, headers=headers)


async def connect_later(websocket: WebSocket) -> None:
    """Tell whoever connects to come back; only a socket that was open has a code to close with."""
    await websocket.accept(next(iter(websocket.scope["subprotocols"]), None))
    await websocket.close(CLOSE_TRY_AGAIN, TRY_AGAIN)
