"""The web application: opens what the doors share, and hands it down."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from loyalty_graph import __version__
from loyalty_graph import clock as clocks
from loyalty_graph.alarms import present
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import (
    Gatherer,
    StorageError,
    assert_may_begin,
    log_failure,
    migrate,
    open_database,
    running_process,
    storage,
)
from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.graphql.view import LoyaltyView
from loyalty_graph.graphql.waiting import answer_later, connect_later
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import member_issuers
from loyalty_graph.identity.member_tokens import MemberTokens
from loyalty_graph.outbox.live import Live
from loyalty_graph.rate_limits import RateLimits
from loyalty_graph.usecases import card_page, purchases
from loyalty_graph.usecases.login import Login, refuse_ended
from loyalty_graph.wallet.desk import PassDesk, open_desk
from loyalty_graph.web import failures, google, home, pages, passes
from loyalty_graph.web.apple import AppleDoor
from loyalty_graph.web.badges import load_badges
from loyalty_graph.web.card import CardDoor
from loyalty_graph.web.counting import CountedRequests
from loyalty_graph.web.metrics import MetricsDoor
from loyalty_graph.web.previews import PreviewDoor
from loyalty_graph.web.watching import CardWatch
from loyalty_graph.worker.certificates import CertificateWatch
from loyalty_graph.worker.duties import serving_duties
from loyalty_graph.worker.loops import Loop, running

# Measured with 64 callers: SQLite has one writer; PostgreSQL is busiest with three small batches.
GATHERING = {"sqlite": {"writers": 1, "limit": 128}, "postgres": {"writers": 3, "limit": 24}}
# Tokens of requests under way are looked up together; a second one, so that nobody waits behind a
# look-up whose connection is silent.
LOOKING_UP = 2
LOCAL = {"127.0.0.1", "::1", "localhost"}
# Nobody stands at a till for longer than this; what a report or an import needs, the URL says.
TILL_WAITS_S = 10

logger = logging.getLogger(__name__)


def create_app(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Starlette:
    """Return the application; its database is open while it runs. A sandbox may move `clock`."""
    now, live = clock or utc_now, Live()
    limits = RateLimits(settings.redis_url)
    record_purchase = _gatherer(settings.database_url)
    desk = open_desk(settings, now=now())
    badges = load_badges(settings.badge_dir)
    watch = CardWatch(card_page.states, clock=now)
    look_up = Gatherer(identity.known_tokens, writers=LOOKING_UP, name="tokens")
    login = Login(MemberTokens(member_issuers(settings)), look_up=look_up)
    view = LoyaltyView(
        SCHEMA,
        desk=desk,
        viewer_for=login.viewer_for,
        refuse_ended=refuse_ended,
        live=live,
        clock=now,
        record_purchase=record_purchase,
        limits=limits,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.desk, app.state.clock, app.state.watch, app.state.live = desk, now, watch, live
        async with open_database(settings.database_url, patience_s=TILL_WAITS_S):
            await migrate()
            duties = running(_duties(settings, desk, live, clock=now))
            async with limits, _announced(), look_up, record_purchase, desk.cache.open(), duties:
                try:
                    yield
                finally:
                    live.stop()
                    watch.close()
                    await desk.close()

    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(CountedRequests)],
        exception_handlers=failures.handlers,
        routes=[
            *AppleDoor(desk, limits).routes,
            *_graphql_routes(view),
            *_plain_routes(settings, is_near=_is_local(settings), clock=now),
            *CardDoor(desk, watch, badges, limits).routes,
            *badges.routes,
            *_page_routes(desk),
        ],
    )


def waiting_app() -> Starlette:
    """Return what answers until the database was reached for the first time."""
    return Starlette(
        routes=[
            Route("/healthz", _healthy),
            Route("/readyz", _waiting),
            Route("/graphql", answer_later, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", connect_later),
            Mount("/", failures.later()),
        ]
    )


def create_metrics_app(settings: Settings, *, clock: Callable[[], datetime]) -> Starlette:
    """Return what a process serves at a port of its own: metrics, and whether it is well.

    Its database is opened by the caller. No proxy stands before it, so this machine may ask.
    """
    return Starlette(routes=_plain_routes(settings, is_near=True, clock=clock))


def _is_local(settings: Settings) -> bool:
    """Return whether customers reach this server on this machine only."""
    return urlsplit(settings.public_url).hostname in LOCAL


def _graphql_routes(view: LoyaltyView) -> list[BaseRoute]:
    return [
        Route("/graphql", view),
        WebSocketRoute("/graphql", view),
        Route("/schema.graphql", _schema),
    ]


def _page_routes(desk: PassDesk) -> list[BaseRoute]:
    routes = (passes.routes, google.routes, PreviewDoor(desk).routes, home.routes, pages.routes)
    return [route for some in routes for route in some]


def _plain_routes(
    settings: Settings, *, is_near: bool, clock: Callable[[], datetime]
) -> list[Route]:
    secret = settings.metrics_token
    token = None if secret is None else secret.get_secret_value()
    return [
        Route("/healthz", _healthy),
        Route("/readyz", _ready),
        *MetricsDoor(token=token, is_near=is_near, clock=clock).routes,
    ]


def _announced() -> AbstractAsyncContextManager[None]:
    """Say that this process runs, by the real clock: others compare it with theirs."""
    return running_process(f"serve {__version__}", clock=clocks.utc_now)


def _duties(
    settings: Settings, desk: PassDesk, live: Live, *, clock: Callable[[], datetime]
) -> list[Loop]:
    deliveries = Loop("deliveries", desk.deliveries.step, desk.deliveries.close)
    certificates = CertificateWatch(desk.signers, clock=clock).loop
    duties = serving_duties(settings, live, clock=clock, signers=desk.signers)
    return [deliveries, certificates, *duties]


def _gatherer(
    database_url: str,
) -> Gatherer[purchases.RecordCall, purchases.PurchaseRecorded]:
    dialect = "sqlite" if database_url.startswith("sqlite") else "postgres"
    return Gatherer(purchases.record_gathered, name="purchases", **GATHERING[dialect])


async def _schema(_request: Request) -> Response:
    return PlainTextResponse(SCHEMA.as_str())


async def _healthy(_request: Request) -> Response:
    """Say that the process runs; it asks nothing else, so that a slow database restarts nobody."""
    return JSONResponse({"status": "ok"})


async def _ready(_request: Request) -> Response:
    """Say whether requests can be served: the database answers; and what is wrong all the same.

    They cannot when a newer version has taken the database over.
    """
    try:
        if trouble := storage().in_the_way():
            return _not_ready(trouble.value)
        await assert_may_begin()
        alarms = [asdict(alarm) for alarm in await present()]
    except StorageError as error:
        return _not_ready(error.trouble.value)
    except Exception as error:  # noqa: BLE001 - the top of the door: it is logged there
        log_failure(logger, error, "The database does not answer")
        return _not_ready("database")
    wrong = {"alarms": alarms} if alarms else {}
    return Response(orjson.dumps({"status": "ready", **wrong}), media_type="application/json")


async def _waiting(_request: Request) -> Response:
    return _not_ready("database")


def _not_ready(because: str) -> Response:
    return JSONResponse({"status": "not ready", "because": because}, status_code=503)
