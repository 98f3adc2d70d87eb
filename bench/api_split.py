"""Our API with a clock around its parts, which tells where the time of a request goes."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty_graph.app import create_app
from loyalty_graph.config import Settings
from loyalty_graph.graphql import limits
from loyalty_graph.graphql.schema import LoyaltySchema
from loyalty_graph.graphql.view import LoyaltyView
from loyalty_graph.ledger import reads
from loyalty_graph.members import service as members
from loyalty_graph.usecases import posting

spent: dict[str, float] = defaultdict(float)


async def tell(_request: Request) -> Response:
    """Tell what the clocks say, and begin anew."""
    told = dict(spent)
    spent.clear()
    return Response(orjson.dumps(told), media_type="application/json")


def timed(name: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(work)
    async def measured(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return await work(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - begun

    return measured


def timed_now(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def measured(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - begun

    return measured


def split(settings: Settings) -> Starlette:
    """Return the application with clocks, and `/split`, which tells and forgets what they say.

    `view` is everything after uvicorn and routing; `operation` is Strawberry's whole part;
    `prepare` is parsing, weighing and validation; `sql` the statements of purchases and reads.
    """
    for kind, method, name in (
        (LoyaltyView, "__call__", "view"),
        (LoyaltyView, "_viewer", "auth"),
        (LoyaltySchema, "execute", "operation"),
    ):
        setattr(kind, method, timed(name, getattr(kind, method)))
    limits.prepared = timed_now("prepare", limits.prepared)
    for module, function in (
        (posting, "fetch"),
        (posting, "store"),
        (members, "fetch"),
        (reads, "fetch"),
    ):
        setattr(module, function, timed("sql", getattr(module, function)))
    app = create_app(settings)

    app.router.routes.append(Route("/split", tell))
    return app
