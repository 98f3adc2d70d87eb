"""Where Google tells of saves and deletions."""

import logging
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from loyalty_graph.wallet.desk import PassDesk
from loyalty_graph.wallet.google.callbacks import Verdict
from loyalty_graph.wallet.google.desk import CALLBACK_PATH

BODY_BYTES_MAX = 64 * 1024
STATUSES = {
    Verdict.MALFORMED: HTTPStatus.BAD_REQUEST,
    Verdict.FORGED: HTTPStatus.UNAUTHORIZED,
    Verdict.EXPIRED: HTTPStatus.FORBIDDEN,
    Verdict.UNKNOWN: HTTPStatus.NOT_FOUND,
    # Our fault, or Google's: it may try again.
    Verdict.NO_KEYS: HTTPStatus.SERVICE_UNAVAILABLE,
}

logger = logging.getLogger(__name__)


async def callback(request: Request) -> Response:
    """Take a callback; 200 for one that was taken, now or before, and 4xx for a wrong one."""
    desk: PassDesk = request.app.state.desk
    if desk.google is None:
        return PlainTextResponse("There is no account at Google.", HTTPStatus.NOT_FOUND)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            logger.warning("A callback of Google's was refused: it is too large")
            return PlainTextResponse("It is too large.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    now = request.app.state.clock()
    verdict = await desk.google.callbacks.receive(bytes(body), now=now)
    status = STATUSES.get(verdict, HTTPStatus.OK)
    if status != HTTPStatus.OK:
        logger.warning("A callback of Google's was refused: %s", verdict)
    return PlainTextResponse(verdict, status)


routes = [Route(CALLBACK_PATH, callback, methods=["POST"])]
