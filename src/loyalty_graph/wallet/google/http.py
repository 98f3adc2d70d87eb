"""One request to Google and its answer, bounded in time and size; failures are answers as well."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson

from loyalty_graph.wallet.google.answers import Answer, Outcome, read_answer

CONNECT_S, SILENCE_S, WHOLE_S = 5.0, 10.0, 20.0
CONNECTIONS_MAX = 20
ANSWER_BYTES_MAX = 1024 * 1024
TIMEOUTS = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
LIMITS = httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
# Nothing was sent yet when one of these happens.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; `json` or `form` is its body."""

    method: str
    url: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


class Requests:
    """Sends requests over connections that are kept."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = httpx2.AsyncClient(transport=transport, timeout=TIMEOUTS, limits=LIMITS)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, request: Request) -> Answer:
        """Return what Google answers, or LATER with the reason when it does not."""
        try:
            async with asyncio.timeout(WHOLE_S):
                return await self._send(request)
        except TimeoutError:
            return Answer(Outcome.LATER, "no whole answer in time", heard=True)
        except httpx2.HTTPError as error:
            # The error's own words may hold the address with what is in it.
            heard = not isinstance(error, NOT_SENT)
            return Answer(Outcome.LATER, type(error).__name__, heard=heard)

    async def _send(self, request: Request) -> Answer:
        headers = {} if request.token is None else {"Authorization": f"Bearer {request.token}"}
        content = None
        if request.json is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(request.json)
        form = None if request.form is None else dict(request.form)
        sending = self._http.stream(
            request.method, request.url, content=content, data=form, headers=headers
        )
        async with sending as response:
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > ANSWER_BYTES_MAX:
                    return Answer(Outcome.LATER, "an answer without end", heard=True)
        try:
            body = orjson.loads(bytes(data))
        except ValueError:
            body = None
        return read_answer(
            response.status_code, body, retry_after=response.headers.get("retry-after")
        )
