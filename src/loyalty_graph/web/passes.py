"""The signed links under which customers fetch their passes."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from loyalty_graph.errors import NotFoundError, UnauthenticatedError
from loyalty_graph.wallet.desk import MEDIA_TYPE, PassDesk

PATH = "/passes/{token}"
UNKEPT = {"cache-control": "private, no-store"}
AS_FILE = {"content-disposition": 'attachment; filename="card.pkpass"'}


async def pass_file(request: Request) -> Response:
    """Answer with the pass for the present balance, or lead to Google Wallet, where it lives there.

    403 for a link that does not open it.
    """
    desk: PassDesk = request.app.state.desk
    token, now = request.path_params["token"], request.app.state.clock()
    try:
        data = await desk.file_behind(token, now=now)
    except UnauthenticatedError as error:
        return PlainTextResponse(error.message, status_code=403, headers=UNKEPT)
    except NotFoundError:
        return await _saving(desk, token, now)
    return Response(data, media_type=MEDIA_TYPE, headers={**UNKEPT, **AS_FILE})


async def _saving(desk: PassDesk, token: str, now: datetime) -> Response:
    """Lead to Google Wallet, if that is where the pass lives."""
    try:
        url = await desk.save_url_behind(token, now=now)
    except NotFoundError:
        return PlainTextResponse("This card is gone.", status_code=404, headers=UNKEPT)
    if url is None:
        told = "Google Wallet cannot be reached now; try again in a minute."
        return PlainTextResponse(told, status_code=503, headers=UNKEPT)
    return RedirectResponse(url, status_code=302, headers=UNKEPT)


routes = [Route(PATH, pass_file, methods=["GET"])]
