"""Official artwork of the wallets' buttons, from the operator's folder.

Apple and Google license their badges to whoever issues cards, so none come with the product, and
none are imitated: without artwork a button is a plain link.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from loyalty_graph.errors import SettingsError
from loyalty_graph.wallet.images import PNG_SIGNATURE
from loyalty_graph.wallet.service import Platform
from loyalty_graph.web.pages import HEADERS

SETTING = "LOYALTY_BADGE_DIR"
NAME = re.compile(r"(apple|google)(?:-([A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,4})*))?\.(svg|png)")
NAMES = "apple.svg, apple-de.svg, google-pt_BR.png"
BYTES_MAX, FILES_MAX = 128 * 1024, 400
SVG_ROOTS = {"svg", "{http://www.w3.org/2000/svg}svg"}
TYPES = {"svg": "image/svg+xml", "png": "image/png"}
FALLBACKS = ("", "en")
DIGEST_CHARACTERS = 16
# Styles belong to the artwork; whatever runs or is fetched does not.
SAFE = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "public, max-age=31536000, immutable",
}


@dataclass(frozen=True, slots=True)
class Badge:
    """One picture of a button, under an address that changes with it."""

    data: bytes
    media_type: str
    address: str


class Badges:
    """The artwork there is, by wallet and language."""

    def __init__(self, found: Mapping[tuple[Platform, str], Badge]) -> None:
        self._found = found
        self._served = {badge.address: badge for badge in found.values()}

    @property
    def routes(self) -> list[Route]:
        """Return the route of the pictures."""
        return [Route("/badges/{name}", self.picture)]

    def of(self, platform: Platform, locale: str) -> Badge | None:
        """Return a wallet's badge: for a locale, else its language, else for all, else English."""
        language = locale.partition("_")[0]
        keys = (locale.lower(), language, *FALLBACKS)
        return next(
            (self._found[platform, one] for one in keys if (platform, one) in self._found), None
        )

    async def picture(self, request: Request) -> Response:
        """Answer with a picture, under an address that never changes."""
        badge = self._served.get(request.url.path)
        if badge is None:
            return PlainTextResponse("There is no such picture.", 404)
        return Response(badge.data, media_type=badge.media_type, headers=SAFE)


def load_badges(folder: Path | None) -> Badges:
    """Read the artwork of a folder; without a folder there is none.

    Raises:
        SettingsError: The folder or one of its files cannot be used; the message says which.
    """
    found: dict[tuple[Platform, str], Badge] = {}
    for path in [] if folder is None else _files(folder):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise _fault(path, f"is no name of a badge; they are such as {NAMES}")
        key = (Platform(match[1].upper()), (match[2] or "").replace("-", "_").lower())
        if key in found:
            raise _fault(path, "there is another badge for the same wallet and language")
        found[key] = _badge(path, match[3])
    return Badges(found)


def _files(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise _fault(folder, f"cannot be read: {error.strerror}") from None
    if len(paths) > FILES_MAX:
        raise _fault(folder, f"has {len(paths)} files; {FILES_MAX} are the most")
    return paths


def _badge(path: Path, kind: str) -> Badge:
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise _fault(path, f"cannot be read: {error.strerror}") from None
    if len(data) > BYTES_MAX:
        raise _fault(path, f"is larger than {BYTES_MAX:,} bytes")
    if not (_is_svg(data) if kind == "svg" else data.startswith(PNG_SIGNATURE)):
        raise _fault(path, f"is no {kind.upper()} image")
    digest = hashlib.sha256(data).hexdigest()[:DIGEST_CHARACTERS]
    return Badge(data, TYPES[kind], f"/badges/{digest}.{kind}")


def _is_svg(data: bytes) -> bool:
    if b"<!ENTITY" in data:
        return False
    try:
        root = ET.fromstring(data)  # noqa: S314 - the operator's own file, and without entities
    except ET.ParseError:
        return False
    return root.tag in SVG_ROOTS


def _fault(path: Path, words: str) -> SettingsError:
    return SettingsError(f"{SETTING}: {path}: {words}.")
