"""The customer's card page: the card as in the wallet, live, behind a link that can be revoked."""

import math
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import (
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from loyalty_graph.benefits.rules import UsePeriod
from loyalty_graph.errors import MemberNotActiveError, NotFoundError
from loyalty_graph.ledger.kinds import Forgiveness, Kind
from loyalty_graph.rate_limits import NO_WAIT, RateLimits
from loyalty_graph.tiers.rules import Window
from loyalty_graph.usecases import card_page
from loyalty_graph.usecases.card_page import CardPage
from loyalty_graph.wallet import service
from loyalty_graph.wallet.desk import MEDIA_TYPE, PassDesk
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import STYLE
from loyalty_graph.web.badges import Badges
from loyalty_graph.web.pages import HEADERS, UNKEPT, page
from loyalty_graph.web.wallets import Device, buttons, device_of
from loyalty_graph.web.watching import CardWatch

CALLS_OF_ONE_LINK = 60
CALLS_OF_ONE_ADDRESS = 240
PER = timedelta(minutes=1)
QUIET_S = 15.0
DATES_FIRST = 3
RETRY_MS = 2_000
QR_QUIET_ZONE = 4  # modules, as ISO/IEC 18004 asks
EVENT_STREAM = "text/event-stream"
# A proxy that gathers an answer before it passes it on would hold every event back.
STREAMED = {**HEADERS, **UNKEPT, "X-Accel-Buffering": "no"}
AFTER_A_WHILE = {"Retry-After": "60"}
AS_FILE = {"content-disposition": 'attachment; filename="card.pkpass"'}
STRIP, LOGO = "strip@3x.png", "logo@3x.png"
A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}

HAPPENED = {
    Kind.EARN: "Points earned",
    Kind.EARN_PENDING: "Points to come",
    Kind.ACTIVATE: "Points to spend",
    Kind.CANCEL: "Goods returned",
    Kind.REDEEM: "Points spent",
    Kind.UNREDEEM: "Points given back",
    Kind.HOLD: "Points set aside",
    Kind.CAPTURE: "Reward taken",
    Kind.RELEASE: "Points back",
    Kind.REVERSE: "Goods returned",
    Forgiveness.FORGIVEN: "Points forgiven",
    Forgiveness.RECLAIMED: "Points no longer forgiven",
    Kind.TRANSFER_OUT: "Points given away",
    Kind.TRANSFER_IN: "Points received",
    Kind.MERGE_OUT: "Accounts joined",
    Kind.MERGE_IN: "Accounts joined",
    Kind.MIGRATE: "Points brought along",
    Kind.REINSTATE: "Points valid again",
    Kind.EXPIRE: "Points expired",
    Kind.ADJUST: "Points adjusted",
}
WINDOWS = {
    Window.CALENDAR_YEAR: "this year",
    Window.ROLLING_12_MONTHS: "in the last 12 months",
}
PERIODS = {
    UsePeriod.DAY: "today",
    UsePeriod.WEEK: "this week",
    UsePeriod.MONTH: "this month",
    UsePeriod.YEAR: "this year",
}


class CardDoor:
    """Answers for card pages; it counts who asks how often, and watches what is open."""

    def __init__(
        self, desk: PassDesk, watch: CardWatch, badges: Badges, limits: RateLimits
    ) -> None:
        self._desk, self._watch, self._badges = desk, watch, badges
        self._of_link = limits.limit("card-link", CALLS_OF_ONE_LINK, per=PER)
        self._of_address = limits.limit("card-address", CALLS_OF_ONE_ADDRESS, per=PER)

    @property
    def routes(self) -> list[Route]:
        """Return the routes of the page, its stream, its pass and the template's pictures."""
        return [
            Route("/c/{token}", self.show),
            Route("/c/{token}/live", self.live),
            Route("/c/{token}/pass", self.pass_file),
            Route("/c/{token}/google", self.google),
            Route("/card-art/{digest}/{name}", self.art),
        ]

    async def show(self, request: Request) -> Response:
        """Answer with the page; 404 for a link that does not work, whatever the reason."""
        now = _now(request)
        if (refusal := await self._too_often(request, now=now)) is not None:
            return refusal
        try:
            shown = await card_page.read(request.path_params["token"], now=now)
        except NotFoundError:
            return _gone()
        card = self._desk.printer_of(shown.face).card(shown.face, serial_number="")
        return page("card.html", self._values(request, shown, card), style=_colours(card))

    async def live(self, request: Request) -> Response:
        """Answer with a stream that names the page's state, now and whenever it changes."""
        now = _now(request)
        if (refusal := await self._too_often(request, now=now)) is not None:
            return refusal
        try:
            shown = await card_page.find(request.path_params["token"], now=now)
        except NotFoundError:
            return _gone()
        if not self._watch.has_room(shown):
            return _later(PER)
        if request.method == "HEAD":
            return Response(media_type=EVENT_STREAM, headers=STREAMED)
        states = self._watch.states(shown, quiet_s=QUIET_S)
        return StreamingResponse(_events(states), media_type=EVENT_STREAM, headers=STREAMED)

    async def pass_file(self, request: Request) -> Response:
        """Answer with the pass for the phone's wallet, made on the first call."""
        now = _now(request)
        if (refusal := await self._too_often(request, now=now)) is not None:
            return refusal
        try:
            watched = await card_page.find(request.path_params["token"], now=now)
            data = await self._desk.pass_of(watched.program_id, watched.member_id, now=now)
        except (NotFoundError, MemberNotActiveError):
            return _gone()
        return Response(data, media_type=MEDIA_TYPE, headers={**HEADERS, **UNKEPT, **AS_FILE})

    async def google(self, request: Request) -> Response:
        """Lead to Google Wallet with the pass, made on the first call."""
        now = _now(request)
        if (refusal := await self._too_often(request, now=now)) is not None:
            return refusal
        if self._desk.google is None:
            return _gone()
        try:
            watched = await card_page.find(request.path_params["token"], now=now)
            program_id, member_id, _ = watched
            issued = await service.issue(program_id, [member_id], Platform.GOOGLE, now=now)
            url = await self._desk.google.save_url(program_id, issued[member_id], now=now)
        except (NotFoundError, MemberNotActiveError):
            return _gone()
        if url is None:
            return page("unsaved.html", {}, status=503, headers=AFTER_A_WHILE)
        return RedirectResponse(url, 302, headers={**HEADERS, **UNKEPT})

    async def art(self, request: Request) -> Response:
        """Answer with a picture of the card's template, under an address that never changes."""
        digest, name = request.path_params["digest"], request.path_params["name"]
        templates = (printer.template for printer in self._desk.printers.values())
        images = next((one.images for one in templates if one.digest == digest), {})
        data = images.get(name)
        if data is None:
            return PlainTextResponse("There is no such picture.", 404, headers=UNKEPT)
        return Response(data, media_type="image/png", headers={**HEADERS, **A_YEAR})

    def _values(self, request: Request, shown: CardPage, card: Mapping[str, Any]) -> dict[str, Any]:
        template = self._desk.printer_of(shown.face).template
        files = template.image_files(template.variants_of(shown.face))
        path = request.url.path
        return {
            "shown": shown,
            "face": shown.face,
            "script": shown.script,
            "fields_of": lambda section: card[STYLE].get(section, ()),
            "logo_text": card.get("logoText", ""),
            "qr": _qr(shown.face.member_number),
            "happened": HAPPENED,
            "windows": WINDOWS,
            "periods": PERIODS,
            "dates_first": DATES_FIRST,
            "art": f"/card-art/{template.digest}",
            "strip": files.get(STRIP),
            "logo": files.get(LOGO),
            "live_path": f"{path}/live",
            **self._ways(request, shown),
        }

    def _ways(self, request: Request, shown: CardPage) -> dict[str, Any]:
        """Return the ways from this page: into wallets, and to a phone."""
        path = request.url.path
        device = device_of(request.headers.get("user-agent", ""))
        paths = {Platform.APPLE: f"{path}/pass"}
        if self._desk.google is not None:
            paths[Platform.GOOGLE] = f"{path}/google"
        offered = buttons(
            device, paths, self._badges, held_in=shown.held_in, locale=shown.face.locale
        )
        is_apple = any(one.path == paths[Platform.APPLE] for one in offered)
        return {
            "buttons": offered,
            "takeover": _qr(f"{self._desk.public_url}{path}") if device is Device.OTHER else None,
            "for_development": self._desk.development and is_apple,
        }

    async def _too_often(self, request: Request, *, now: datetime) -> Response | None:
        address = request.client.host if request.client else ""
        waits = (
            await self._of_address.wait(address, now=now),
            await self._of_link.wait(request.path_params["token"], now=now),
        )
        return _later(max(waits)) if max(waits) > NO_WAIT else None


async def _events(states: AsyncIterator[str | None]) -> AsyncIterator[str]:
    """Yield server-sent events; a comment now and then shows that the line still holds."""
    yield f"retry: {RETRY_MS}\n\n"
    async for state in states:
        yield ": quiet\n\n" if state is None else f"event: card\ndata: {state}\n\n"


def _qr(message: str) -> Markup:
    """Return the QR code as SVG. `make_qr`, since no phone reads the Micro QR of `make`."""
    code = segno.make_qr(message, error="m")
    svg = code.svg_inline(border=QR_QUIET_ZONE, omitsize=True, svgclass=None, lineclass=None)
    return Markup(svg)  # noqa: S704 - drawn by segno: shapes, nothing that was typed


def _colours(card: Mapping[str, Any]) -> str:
    """Return a card's colours as a style sheet; template and programme file were checked."""
    return (
        f":root{{--card:{card['backgroundColor']};--card-ink:{card['foregroundColor']};"
        f"--card-label:{card['labelColor']}}}"
    )


def _gone() -> Response:
    return page("gone.html", {}, status=404)


def _later(wait: timedelta) -> Response:
    seconds = max(1, math.ceil(wait.total_seconds()))
    headers = {"Retry-After": str(seconds)}
    return page("later.html", {"seconds": seconds}, status=429, headers=headers)


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock()
    return now
