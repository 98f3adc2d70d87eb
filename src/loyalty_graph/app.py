"""The web application: opens what the doors share, and hands it down."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import datetime

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from loyalty_graph import __version__
from loyalty_graph import clock as clocks
from loyalty_graph.alarms import present
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import (
    Gatherer,
    StorageError,
    assert_may_begin,
    is_unavailable,
    migrate,
    open_database,
    outage_log,
    running_process,
    storage,
)
from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.graphql.view import LoyaltyView
from loyalty_graph.identity.development_issuer import member_issuers
from loyalty_graph.identity.member_tokens import MemberTokens
from loyalty_graph.outbox.live import Live
from loyalty_graph.usecases import card_page, purchases
from loyalty_graph.usecases.login import Login, refuse_ended
from loyalty_graph.wallet.desk import PassDesk, open_desk
from loyalty_graph.web import failures, google, home, pages, passes
from loyalty_graph.web.apple import AppleDoor
from loyalty_graph.web.badges import load_badges
from loyalty_graph.web.card import CardDoor
from loyalty_graph.web.previews import PreviewDoor
from loyalty_graph.web.watching import CardWatch
from loyalty_graph.worker.certificates import CertificateWatch
from loyalty_graph.worker.duties import serving_duties
from loyalty_graph.worker.loops import Loop, running

# Measured with 64 callers: SQLite has one writer; PostgreSQL is busiest with three small batches.
GATHERING = {"sqlite": {"writers": 1, "limit": 128}, "postgres": {"writers": 3, "limit": 24}}
# Nobody stands at a till for longer than this; what a report or an import needs, the URL says.
TILL_WAITS_S = 10

logger = logging.getLogger(__name__)


def create_app(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Starlette:
    """Return the application; its database is open while it runs. A sandbox may move `clock`."""
    now, live = clock or utc_now, Live()
    record_purchase = _gatherer(settings.database_url)
    desk = open_desk(settings, now=now())
    badges = load_badges(settings.badge_dir)
    watch = CardWatch(card_page.states, clock=now)
    login = Login(MemberTokens(member_issuers(settings)))
    view = LoyaltyView(
        SCHEMA,
        desk=desk,
        viewer_for=login.viewer_for,
        refuse_ended=refuse_ended,
        live=live,
        clock=now,
        record_purchase=record_purchase,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.desk, app.state.clock, app.state.watch, app.state.live = desk, now, watch, live
        async with open_database(settings.database_url, patience_s=TILL_WAITS_S):
            await migrate()
            duties = running(_duties(settings, desk, live, clock=now))
            async with _announced(), record_purchase, desk.cache.open(), duties:
                try:
                    yield
                finally:
                    live.stop()
                    watch.close()
                    await desk.close()

    return Starlette(
        lifespan=lifespan,
        exception_handlers=failures.handlers,
        routes=[
            *AppleDoor(desk).routes,
            Route("/graphql", view),
            WebSocketRoute("/graphql", view),
            *_plain_routes(),
            *passes.routes,
            *google.routes,
            *CardDoor(desk, watch, badges).routes,
            *badges.routes,
            *PreviewDoor(desk).routes,
            *home.routes,
            *pages.routes,
        ],
    )


def _plain_routes() -> list[Route]:
    return [
        Route("/schema.graphql", _schema),
        Route("/healthz", _healthy),
        Route("/readyz", _ready),
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
    return Gatherer(purchases.record_gathered, **GATHERING[dialect])


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
    except Exception as error:
        if is_unavailable(error):
            outage_log.note(error)
        else:
            logger.exception("The database does not answer")
        return _not_ready("database")
    wrong = {"alarms": alarms} if alarms else {}
    return Response(orjson.dumps({"status": "ready", **wrong}), media_type="application/json")


def _not_ready(because: str) -> Response:
    return JSONResponse({"status": "not ready", "because": because}, status_code=503)
