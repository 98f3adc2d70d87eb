"""Google Wallet's REST interface, as far as loyalty cards need it.

Source: Google Wallet API, walletobjects version 1. Nothing can be deleted; an object is expired.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from loyalty_graph.wallet.google.account import ServiceAccount
from loyalty_graph.wallet.google.answers import Answer
from loyalty_graph.wallet.google.http import Request, Requests
from loyalty_graph.wallet.google.tokens import AccessTokens

PATH = "/walletobjects/v1"


class Resource(StrEnum):
    """What Google keeps for us, as its addresses call it."""

    CLASS = "loyaltyClass"
    OBJECT = "loyaltyObject"


class GoogleClient:
    """Asks Google as one service account; every failure is an answer, nothing is raised.

    Args:
        account: Who asks.
        url: Where Google is, without a slash at the end.
        requests: Over which connections.
    """

    def __init__(self, account: ServiceAccount, *, url: str, requests: Requests) -> None:
        self._base = f"{url}{PATH}"
        self._requests = requests
        self._tokens = AccessTokens(account, requests)

    async def insert(self, kind: Resource, resource: Mapping[str, Any], *, now: datetime) -> Answer:
        """Make a class or object; EXISTS when there is one with its id."""
        return await self._ask("POST", f"/{kind}", resource, now=now)

    async def patch(
        self, kind: Resource, name: str, changes: Mapping[str, Any], *, now: datetime
    ) -> Answer:
        """Change the given fields of a class or object; ABSENT when there is none of this id."""
        return await self._ask("PATCH", f"/{kind}/{quote(name, safe='')}", changes, now=now)

    async def add_message(
        self, object_id: str, message: Mapping[str, Any], *, now: datetime
    ) -> Answer:
        """Show a message on an object, with a notification if it says so."""
        path = f"/{Resource.OBJECT}/{quote(object_id, safe='')}/addMessage"
        return await self._ask("POST", path, {"message": message}, now=now)

    async def close(self) -> None:
        """Close the connections."""
        await self._requests.close()

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any], *, now: datetime
    ) -> Answer:
        answer, token = await self._ask_once(method, path, body, now=now)
        if token is None or answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        # The token was withdrawn before its time, or Google's clock is ahead of ours.
        self._tokens.forget(token)
        return (await self._ask_once(method, path, body, now=now))[0]

    async def _ask_once(
        self, method: str, path: str, body: Mapping[str, Any], *, now: datetime
    ) -> tuple[Answer, str | None]:
        token = await self._tokens.token(now=now)
        if isinstance(token, Answer):
            return token, None
        request = Request(method, f"{self._base}{path}", json=body, token=token)
        return await self._requests.send(request), token
