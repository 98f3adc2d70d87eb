"""The signed links under which customers fetch their passes."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from loyalty_graph.errors import NotFoundError, UnauthenticatedError
from loyalty_graph.wallet.desk import MEDIA_TYPE, PassDesk

PATH = "/passes/{token}"
UNKEPT = {"cache-control": "private, no-store"}
AS_FILE = {"content-disposition": 'attachment; filename="card.pkpass"'}


async def pass_file(request: Request) -> Response:
    """Answer with the pass for the present balance; 403 for a link that does not open it."""
    desk: PassDesk = request.app.state.desk
    try:
        now = request.app.state.clock()
        data = await desk.file_behind(request.path_params["token"], now=now)
    except UnauthenticatedError as error:
        return PlainTextResponse(error.message, status_code=403, headers=UNKEPT)
    except NotFoundError:
        return PlainTextResponse("This card is gone.", status_code=404, headers=UNKEPT)
    return Response(data, media_type=MEDIA_TYPE, headers={**UNKEPT, **AS_FILE})


routes = [Route(PATH, pass_file, methods=["GET"])]
