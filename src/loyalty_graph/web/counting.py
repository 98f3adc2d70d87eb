"""Counts HTTP requests by the route that serves them, and gives each an id for the log."""

from functools import cache
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loyalty_graph import logs, metrics, traces

NOWHERE = "none"
METHODS = {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"}
FAILED = 500


class CountedRequests:
    """What every request passes through; sockets get an id, but are not counted here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and count it when its answer begins."""
        if scope["type"] != "lifespan":
            scope["asked"] = logs.begin_request(scope["headers"])
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, is_counted = perf_counter(), False

        async def send_counted(message: Message) -> None:
            nonlocal is_counted
            if not is_counted:
                is_counted = True
                _count(scope, message["status"], perf_counter() - began)
            await send(message)

        try:
            with traces.span("HTTP"):
                await self._app(scope, receive, send_counted)
        except Exception:
            if not is_counted:
                _count(scope, FAILED, perf_counter() - began)
            raise


def _count(scope: Scope, status: int, seconds: float) -> None:
    route, method = scope.get("route"), scope["method"]
    path = NOWHERE if route is None else route.path
    known = method if method in METHODS else NOWHERE
    _counter(path, known, status).inc()
    _times(path).observe(seconds)
    traces.describe(name=f"{known} {path}", **{"http.response.status_code": str(status)})


@cache
def _counter(path: str, method: str, status: int) -> Counter:
    return metrics.http_requests.labels(path, method, status)


@cache
def _times(path: str) -> Histogram:
    return metrics.http_request_seconds.labels(path)
