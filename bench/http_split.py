"""Our API with two doors more: the use case called in process, and clocks around its parts.

Under `/called` callers in the process of the API record purchases through a gatherer as the API
opens one, so that both sides share the database, the duties beside and the interpreter.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from functools import wraps
from itertools import count, cycle
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.api_split import spent, tell, timed, timed_now
from loyalty_graph.app import GATHERING, create_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import Gatherer, set_postgres, transactions
from loyalty_graph.db.sqlite import SqliteTransaction
from loyalty_graph.graphql import limits
from loyalty_graph.graphql.schema import LoyaltySchema
from loyalty_graph.graphql.view import LoyaltyView
from loyalty_graph.identifiers import new_id
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import purchases

LINES = (Line("GROCERY", 3, 249), Line("PRODUCE", 1, 399), Line("BAKERY", 2, 120))
"""As the till of the `api` suite sends them."""

_calls: ContextVar[int] = ContextVar("calls", default=0)
"""How many calls the batch in hand answers: each of them waits for all of it."""


def called(settings: Settings) -> Starlette:
    """Return the application with `/called`, which buys in process and says how often a second.

    It is given members, callers and seconds.
    """
    app = create_app(settings)
    dialect = "sqlite" if settings.database_url.startswith("sqlite") else "postgres"

    async def call(request: Request) -> Response:
        given = await request.json()
        [program_id] = await programs.all_ids()
        members = cycle([Reference(ReferenceKind.ID, one) for one in given["members"]])
        series, numbers, begun = new_id(utc_now()), count(), time.perf_counter()

        def receipt() -> purchases.RecordCall:
            key = f"called-{series}-{next(numbers)}"
            now = utc_now()
            at = now - timedelta(seconds=1)
            command = purchases.RecordPurchase("bench", key, next(members), "till", key, at, LINES)
            return purchases.RecordCall(program_id, command, now)

        async with Gatherer(purchases.record_gathered, **GATHERING[dialect]) as record:

            async def caller() -> None:
                while time.perf_counter() < begun + given["seconds"]:
                    await record(receipt())

            await asyncio.gather(*(caller() for _ in range(given["callers"])))
        rate = next(numbers) / (time.perf_counter() - begun)
        return Response(orjson.dumps({"rate": rate}), media_type="application/json")

    app.router.routes.append(Route("/called", call, methods=["POST"]))
    return app


def clocked(settings: Settings) -> Starlette:
    """Return the application with clocks, and `/spent`, which tells and forgets what they say."""
    for kind, method, name in (
        (LoyaltyView, "__call__", "view"),
        (LoyaltyView, "_viewer", "auth"),
        (LoyaltySchema, "execute", "operation"),
    ):
        setattr(kind, method, timed(name, getattr(kind, method)))
    for kind, method, clock in (
        (Gatherer, "__call__", _of_purchases),
        (LoyaltyView, "create_response", _counted),
        (SqliteTransaction, "run", _timed_sql),
        (set_postgres, "fetch", _timed_sql),
        (set_postgres, "store", _timed_sql),
        (purchases, "record_gathered", _batched),
        (transactions, "_once", _around_work),
    ):
        setattr(kind, method, clock(getattr(kind, method)))
    limits.prepared = timed_now("prepare", limits.prepared)
    app = create_app(settings)

    app.router.routes.append(Route("/spent", tell))
    return app


def parts(spent_ms: Mapping[str, float], whole_ms: float) -> dict[str, float]:
    """Return where the milliseconds of a request go, by what the clocks say; they add up.

    `http` is all outside our view, the client's part too; `decide` what a batch does beside its
    statements, its BEGIN and its COMMIT.
    """
    told = defaultdict(float, spent_ms)
    database = told["sql"] + told["transaction"] - told["work"]
    split = {
        "http": whole_ms - told["view"],
        "view": told["view"] - told["auth"] - told["operation"] - told["serialise"],
        "auth": told["auth"],
        "parse_validate": told["prepare"],
        "resolve": told["operation"] - told["prepare"] - told["gathered"],
        "gather_wait": told["gathered"] - told["batch"],
        "decide": told["batch"] - database,
        "database": database,
        "serialise": told["serialise"],
    }
    return {name: round(value, 3) for name, value in split.items()}


def _counted(work: Callable[..., Any]) -> Callable[..., Any]:
    """Time how answers are written, and count them."""
    write = timed_now("serialise", work)

    @wraps(work)
    def measured(*args: Any, **kwargs: Any) -> Any:
        spent["requests"] += 1
        return write(*args, **kwargs)

    return measured


def _of_purchases(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Time what gathers purchases; tokens are gathered too, and are part of `auth`."""
    clocked = timed("gathered", call)

    @wraps(call)
    async def measured(gatherer: Gatherer[Any, Any], command: Any) -> Any:
        is_purchase = isinstance(command, purchases.RecordCall)
        return await (clocked if is_purchase else call)(gatherer, command)

    return measured


def _timed_of_batch(
    name: str, work: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    """Count the time of a batch's part once for each of its calls; that of others not at all."""

    @wraps(work)
    async def measured(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return await work(*args, **kwargs)
        finally:
            spent[name] += _calls.get() * (time.perf_counter() - begun)

    return measured


def _timed_sql(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    return _timed_of_batch("sql", work)


def _batched(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    timed = _timed_of_batch("batch", work)

    @wraps(work)
    async def measured(calls: list[Any]) -> Any:
        token = _calls.set(len(calls))
        try:
            return await timed(calls)
        finally:
            _calls.reset(token)

    return measured


def _around_work(once: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Time a transaction with its BEGIN and COMMIT, and what is done in it, apart."""
    timed = _timed_of_batch("transaction", once)

    @wraps(once)
    async def measured(work: Callable[..., Awaitable[Any]]) -> Any:
        return await timed(_timed_of_batch("work", work))

    return measured
