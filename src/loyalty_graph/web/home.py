"""The front page: what is running here, and where to go."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty_graph import __version__
from loyalty_graph.web.pages import page


async def home(request: Request) -> Response:
    """Answer with the page, written for the address it was asked under."""
    address = str(request.url.replace(path="", query="", fragment=""))
    values = {
        "version": __version__,
        "address": address.rstrip("/"),
        "development": request.app.state.desk.development,
    }
    return page("home.html", values)


routes = [Route("/", home)]
