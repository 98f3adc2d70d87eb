"""How our pages are written and sent: templates that escape, and headers that forbid the rest."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")
UNKEPT = {"Cache-Control": "private, no-store"}
HEADERS = {
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

environment = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    template: str,
    values: Mapping[str, Any],
    *,
    style: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page; `style` is the one inline style sheet the browser is told to trust."""
    html = environment.get_template(template).render(values, style=Markup(style))  # noqa: S704 - ours: colours that were checked
    return HTMLResponse(
        html,
        status,
        headers={**HEADERS, **UNKEPT, "Content-Security-Policy": _policy(style), **(headers or {})},
    )


def _policy(style: str) -> str:
    policy = dict(POLICY)
    if style:
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy["style-src"] += f" 'sha256-{digest}'"
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


class _Revalidated(StaticFiles):
    """Files that a browser may keep, but asks about each time: a new version shows at once."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(*given, **named)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


routes = [Mount("/static", GZipMiddleware(_Revalidated(directory=STATIC)), name="static")]
