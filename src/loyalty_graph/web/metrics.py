"""The door at /metrics, for Prometheus: open to this machine only, or to who has the token."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from ipaddress import ip_address

from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from loyalty_graph.db import log_failure
from loyalty_graph.metrics import REGISTRY
from loyalty_graph.usecases import measuring

ASK_FOR_TOKEN = "Send LOYALTY_METRICS_TOKEN as Authorization: Bearer ..."  # noqa: S105 - no token
NOT_FROM_THERE = (
    "Without LOYALTY_METRICS_TOKEN only programs on the same machine are answered, and only while"
    " LOYALTY_PUBLIC_URL is on it too; or ask at a port of its own (--metrics-port)."
)

logger = logging.getLogger(__name__)


class MetricsDoor:
    """Tells what this process has counted, and of the database what can be had in a moment.

    Args:
        token: Who brings it may ask; without one only this machine.
        is_near: Whether nobody else can ask through a proxy on this machine.
        clock: Tells the moment.
    """

    def __init__(self, *, token: str | None, is_near: bool, clock: Callable[[], datetime]) -> None:
        self._token, self._is_near, self._clock = token, is_near, clock

    @property
    def routes(self) -> list[Route]:
        """What Starlette serves."""
        return [Route("/metrics", self._tell)]

    async def _tell(self, request: Request) -> Response:
        if self._token is not None:
            if not _bears(request, self._token):
                headers = {"WWW-Authenticate": "Bearer"}
                return PlainTextResponse(ASK_FOR_TOKEN, 401, headers=headers)
        elif not (self._is_near and _is_here(request)):
            return PlainTextResponse(NOT_FROM_THERE, 403)
        try:
            await measuring.look(now=self._clock())
        except Exception as error:  # noqa: BLE001 - what the process knows is told in any case
            log_failure(logger, error, "The database could not be measured")
        write, media_type = choose_encoder(request.headers.get("accept", ""))
        text = await asyncio.to_thread(write, REGISTRY)
        headers = {"Cache-Control": "no-store", "Content-Type": media_type}
        return Response(text, headers=headers)


def _bears(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and compare_digest(given.strip().encode(), token.encode())


def _is_here(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False  # A socket of the file system, or a test, has no address.
