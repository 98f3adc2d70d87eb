"""The page a browser sees at /graphql: GraphiQL with stories; it loads nothing from elsewhere."""

import re
from importlib.resources import files
from string import Template

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

HERE = files(__package__)
PAGE = Template(HERE.joinpath("editor.html").read_text(encoding="utf-8"))
VARIABLES = re.compile(r"^# variables: (\{.*\})\n", re.MULTILINE)
SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "font-src 'self' data:; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def wants_editor(request: Request) -> bool:
    """Say whether a person came with a browser rather than a program with a query."""
    return (
        request.method == "GET"
        and "query" not in request.query_params
        and "text/html" in request.headers.get("accept", "")
    )


def editor() -> Response:
    """Return the page with its stories, each in a tab of its own."""
    headers = {
        "Content-Security-Policy": SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    # A tag inside the data must not end the element that holds them.
    data = orjson.dumps(stories()).decode().replace("<", "\\u003c")
    return HTMLResponse(PAGE.substitute(stories=data), headers=headers)


def stories() -> list[dict[str, str]]:
    """Return the documents to begin with, in order; a comment may hold a story's variables."""
    told = []
    for path in sorted(HERE.joinpath("stories").iterdir(), key=lambda path: path.name):
        text = path.read_text(encoding="utf-8")
        given = VARIABLES.search(text)
        told.append({"query": VARIABLES.sub("", text), "variables": given[1] if given else ""})
    return told
