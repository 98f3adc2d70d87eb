"""A fake Google within the test's process, and a client that knows its service account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2
import jwt

from loyalty_graph.sandbox.google import API, FakeGoogle
from loyalty_graph.sandbox.google_accounts import EMAIL, GRANT_TYPE, SCOPE
from tests.shop import NOON

URL = "http://google.test"
ISSUER = "3388000000012345678"
CLASS_ID, OBJECT_ID = f"{ISSUER}.club", f"{ISSUER}.card-1"
LOGO = {"sourceUri": {"uri": "https://shop.example/logo.png"}}
CLASS: dict[str, Any] = {
    "id": CLASS_ID,
    "issuerName": "Bean Club",
    "programName": "Bean Club",
    "programLogo": LOGO,
    "reviewStatus": "UNDER_REVIEW",
    "callbackOptions": {"url": "https://shop.example/google/callback"},
}
CARD: dict[str, Any] = {
    "id": OBJECT_ID,
    "classId": CLASS_ID,
    "state": "ACTIVE",
    "accountName": "Ada",
    "loyaltyPoints": {"label": "Beans", "balance": {"int": 40}},
}


@dataclass
class Googling:
    """The fake, its clock, and a client with an access token."""

    fake: FakeGoogle
    client: httpx2.AsyncClient
    now: datetime = NOON

    def assertion(self, **claims: Any) -> str:
        issued_at = int(self.now.timestamp())
        told = {
            "iss": EMAIL,
            "aud": self.fake.account.token_url,
            "scope": SCOPE,
            "iat": issued_at,
            "exp": issued_at + 3600,
        }
        key = claims.pop("key", self.fake.account.key)
        return jwt.encode({**told, **claims}, key, algorithm="RS256")

    async def ask_token(self, **claims: Any) -> httpx2.Response:
        form = {"grant_type": GRANT_TYPE, "assertion": self.assertion(**claims)}
        return await self.client.post("/token", data=form)

    async def sign_in(self) -> None:
        token = (await self.ask_token()).json()["access_token"]
        self.client.headers["authorization"] = f"Bearer {token}"

    async def post(self, path: str, body: Any) -> httpx2.Response:
        return await self.client.post(f"{API}/{path}", json=body)

    async def patch(self, path: str, body: Any) -> httpx2.Response:
        return await self.client.patch(f"{API}/{path}", json=body)

    async def get(self, path: str) -> httpx2.Response:
        return await self.client.get(f"{API}/{path}")

    async def with_card(self) -> None:
        assert (await self.post("loyaltyClass", CLASS)).status_code == 200
        assert (await self.post("loyaltyObject", CARD)).status_code == 200

    def save_link(self, *objects: dict[str, Any], **claims: Any) -> str:
        told = {"iss": EMAIL, "aud": "google", "typ": "savetowallet", "iat": 1, "origins": []}
        payload = {"loyaltyObjects": list(objects)}
        key = claims.pop("key", self.fake.account.key)
        token = jwt.encode({**told, "payload": payload, **claims}, key, algorithm="RS256")
        return f"/gp/v/save/{token}"

    def later(self, time: timedelta) -> None:
        self.now += time


@asynccontextmanager
async def googling(
    transport: httpx2.AsyncBaseTransport | None = None, **options: Any
) -> AsyncIterator[Googling]:
    """Run a fake Google whose callbacks go to `transport`, and sign in."""
    fake = FakeGoogle(URL, clock=lambda: one.now, transport=transport, **options)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=fake.app), base_url=URL
    ) as client:
        one = Googling(fake, client)
        await one.sign_in()
        yield one


def reason(answer: httpx2.Response) -> str:
    """Return Google's word for a refusal."""
    [error] = answer.json()["error"]["errors"]
    assert answer.json()["error"]["code"] == answer.status_code
    return str(error["reason"])
