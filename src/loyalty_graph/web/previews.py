"""Pages for whoever designs cards: every template as phones show it, with a sample's values.

They are there while cards are signed for development. A member's own card is drawn by the API.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from loyalty_graph.wallet.desk import PassDesk
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.locales import FALLBACK
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.preview.samples import in_tier, sample_face
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import Template
from loyalty_graph.wallet.words import LANGUAGES
from loyalty_graph.web.pages import HEADERS, UNKEPT, page

TIER_CHARACTERS_MAX = LOCALE_CHARACTERS_MAX = 40
SVG = "image/svg+xml"
# Opened by itself a drawing is a document: it may show its pictures, and nothing else.
ALONE = {**HEADERS, **UNKEPT, "Content-Security-Policy": "default-src 'none'; img-src data:"}
NAMES = {
    (Platform.APPLE, Side.FRONT): "Apple Wallet",
    (Platform.APPLE, Side.BACK): "Apple Wallet, behind the card",
    (Platform.GOOGLE, Side.FRONT): "Google Wallet",
    (Platform.GOOGLE, Side.BACK): "Google Wallet, below the card",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the visitor wants to see: a language, and perhaps a tier."""

    locale: str
    tier: str | None

    @classmethod
    def of(cls, request: Request) -> "Choice":
        """Return what an address asks for."""
        asked = request.query_params
        tier = asked.get("tier", "")[:TIER_CHARACTERS_MAX]
        return cls(asked.get("locale", FALLBACK)[:LOCALE_CHARACTERS_MAX], tier or None)

    @property
    def query(self) -> str:
        """Return the choice as a part of an address."""
        asked = {"locale": self.locale} | ({"tier": self.tier} if self.tier else {})
        return urlencode(asked)

    def face(self, template: Template, request: Request) -> CardFace:
        """Return the sample that is shown."""
        face = sample_face(template, locale=self.locale, now=request.app.state.clock())
        return in_tier(face, self.tier) if self.tier else face


class PreviewDoor:
    """Answers with the templates of a desk, drawn."""

    def __init__(self, desk: PassDesk) -> None:
        self._desk = desk

    @property
    def routes(self) -> list[Route]:
        """Return the routes; there are none where cards are signed for real phones."""
        if not self._desk.development:
            return []
        return [
            Route("/preview", self.all),
            Route("/preview/{template}", self.show),
            Route("/preview/{template}/{platform}-{side}.svg", self.drawing),
        ]

    async def all(self, request: Request) -> Response:
        """Answer with the front of every template."""
        shown = [(name, Platform.APPLE, Side.FRONT) for name in self._desk.printers]
        return self._page(request, "", shown)

    async def show(self, request: Request) -> Response:
        """Answer with both sides of one template on both platforms."""
        template = request.path_params["template"]
        if template not in self._desk.printers:
            return _missing()
        return self._page(request, template, [(template, *one) for one in NAMES])

    async def drawing(self, request: Request) -> Response:
        """Answer with one drawing."""
        choice, asked = Choice.of(request), request.path_params
        try:
            platform, side = Platform(asked["platform"].upper()), Side(asked["side"].upper())
        except ValueError:
            return _missing()
        printer = self._desk.printers.get(asked["template"])
        if printer is None:
            return _missing()
        face = choice.face(printer.template, request)
        svg = preview(face, printer, platform=platform, side=side)
        return Response(svg, media_type=SVG, headers=ALONE)

    def _page(
        self, request: Request, template: str, shown: list[tuple[str, Platform, Side]]
    ) -> Response:
        choice = Choice.of(request)
        values = {
            "template": template,
            "templates": list(self._desk.printers),
            "choice": choice,
            "locales": [replace(choice, locale=one) for one in LANGUAGES],
            "tiers": [replace(choice, tier=one) for one in self._tiers(template)],
            "drawings": [
                {
                    "template": name,
                    "caption": NAMES[platform, side] if template else name,
                    "address": f"/preview/{name}/{_drawn(platform, side)}?{choice.query}",
                }
                for name, platform, side in shown
            ],
        }
        return page("preview.html", values)

    def _tiers(self, template: str) -> list[str]:
        """Return the tiers in which a template looks different."""
        return [*self._desk.printers[template].template.look.tiers] if template else []


def _missing() -> Response:
    return PlainTextResponse("There is no such card template.", 404, headers=UNKEPT)


def _drawn(platform: Platform, side: Side) -> str:
    return f"{platform}-{side}.svg".lower()
