"""The page a browser sees at /graphql: how to ask, without loading anything from elsewhere."""

from html import escape
from importlib.resources import files
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

PAGE = Template(files(__package__).joinpath("welcome.html").read_text(encoding="utf-8"))
SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def wants_welcome(request: Request) -> bool:
    """Say whether a person came with a browser rather than a program with a query."""
    return (
        request.method == "GET"
        and "query" not in request.query_params
        and "text/html" in request.headers.get("accept", "")
    )


def welcome(request: Request) -> Response:
    """Return the page, with the address it was asked under."""
    address = escape(str(request.url.replace(query="", fragment="")))
    return HTMLResponse(
        PAGE.substitute(address=address),
        headers={"Content-Security-Policy": SECURITY_POLICY},
    )
