"""What doors other than GraphQL's answer when the database is away, or the caller is."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from loyalty_graph.db import OUTAGES, RETRY_AFTER_S, is_unavailable, outage_log

TRY_AGAIN_LATER = "This is not available at the moment. Please try again in a few seconds."


async def _away(_request: Request, error: Exception) -> Response:
    """Ask the caller to come back; what is no outage is raised again, as our own failure."""
    if not is_unavailable(error):
        raise error
    outage_log.note(error)
    return later()


def later() -> Response:
    """Return what asks a caller to come back."""
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    return PlainTextResponse(TRY_AGAIN_LATER, 503, headers=headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the caller went away before all of the request was read."""
    return Response(status_code=400)


handlers: Mapping[Any, Any] = {ClientDisconnect: _gone, **dict.fromkeys(OUTAGES, _away)}
"""By kind of exception, as Starlette takes them."""
