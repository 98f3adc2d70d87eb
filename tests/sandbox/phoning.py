"""A phone, and the smallest server of passes that it can talk to: scripted, within the process."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from loyalty_graph.sandbox.device import DeviceState, Phone
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain
from loyalty_graph.wallet.apple.signing import Signer
from tests.wallet.making import NOW, make_signer, signed

SERVER = "https://shop.example"
SERVICE = f"{SERVER}/apple"
PASS_URL, PAGE_URL = f"{SERVER}/passes/secret", f"{SERVER}/c/secret"
SERIAL, TOKEN = "c7nJ2vXq8LwPz4Rt", "t" * 32
TYPE = IDENTITY.pass_type_identifier
PASS_PATH = f"/apple/v1/passes/{TYPE}/{SERIAL}"
PIXEL = b"\x89PNG\r\n\x1a\n"
CARD: dict[str, Any] = {
    "formatVersion": 1,
    "passTypeIdentifier": TYPE,
    "teamIdentifier": IDENTITY.team_identifier,
    "organizationName": "Bean Club",
    "logoText": "Bean Club",
    "description": "Bean Club loyalty card",
    "serialNumber": SERIAL,
    "webServiceURL": SERVICE,
    "authenticationToken": TOKEN,
    "backgroundColor": "rgb(18, 54, 42)",
    "foregroundColor": "rgb(250, 247, 238)",
    "labelColor": "rgb(228, 184, 92)",
    "barcodes": [
        {
            "format": "PKBarcodeFormatQR",
            "message": "4711081523421234",
            "messageEncoding": "iso-8859-1",
            "altText": "4711 0815 2342 1234",
        }
    ],
    "storeCard": {
        "headerFields": [
            {"key": "tier", "label": "Tier", "value": "Silver", "changeMessage": "Now %@."}
        ],
        "primaryFields": [
            {"key": "balance", "label": "beans", "value": "40", "changeMessage": "%@ beans."}
        ],
        "backFields": [{"key": "last", "label": "Last change", "value": "+40"}],
    },
}


def card(balance: str = "40", tier: str = "Silver", **changes: Any) -> dict[str, Any]:
    """Return the card with another balance, tier, or whatever."""
    made = deepcopy(CARD) | changes
    made["storeCard"]["primaryFields"][0]["value"] = balance
    made["storeCard"]["headerFields"][0]["value"] = tier
    return made


@dataclass
class PassServer:
    """What the server has, what it was asked, and how it is to fail next."""

    signer: Signer
    card: dict[str, Any] = field(default_factory=card)
    files: dict[str, bytes] = field(default_factory=lambda: {"icon.png": PIXEL})
    tag: int = 1
    last_modified: str = "Sun, 22 Nov 2026 12:00:00 GMT"
    registered: dict[str, str] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    failures: list[httpx2.Response | Exception] = field(default_factory=list)

    def changes(self, new: dict[str, Any], *, last_modified: str = "") -> None:
        self.card, self.tag = new, self.tag + 1
        self.last_modified = last_modified or f"Sun, 22 Nov 2026 12:00:{self.tag:02} GMT"

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.calls.append(f"{request.method} {path}")
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        if path == "/c/secret":
            page = '<a class="button" href="/c/secret/pass">Add to Apple Wallet</a>'
            return httpx2.Response(200, html=page)
        if path in ("/passes/secret", "/c/secret/pass"):
            return self.file()
        if path == "/apple/v1/log":
            self.logs += httpx2.Response(200, content=request.content).json()["logs"]
            return httpx2.Response(200)
        return self.service(request, path)

    def service(self, request: httpx2.Request, path: str) -> httpx2.Response:
        listing = path.startswith("/apple/v1/devices/") and path.endswith(TYPE)
        if not listing and request.headers.get("authorization") != f"ApplePass {TOKEN}":
            return httpx2.Response(401)
        if path == PASS_PATH:
            same = request.headers.get("if-modified-since") == self.last_modified
            return httpx2.Response(304) if same else self.file()
        device = path.split("/")[4]
        if listing:
            since = int(request.url.params.get("passesUpdatedSince", 0))
            if device not in self.registered or since >= self.tag:
                return httpx2.Response(204)
            told = {"lastUpdated": str(self.tag), "serialNumbers": [SERIAL]}
            return httpx2.Response(200, json=told)
        if request.method == "DELETE":
            return httpx2.Response(200 if self.registered.pop(device, None) else 404)
        is_new = device not in self.registered
        told = httpx2.Response(200, content=request.content).json()
        self.registered[device] = told["pushToken"]
        return httpx2.Response(201 if is_new else 200)

    def file(self) -> httpx2.Response:
        data = signed(self.card, self.signer, self.files)
        headers = {
            "content-type": "application/vnd.apple.pkpass",
            "last-modified": self.last_modified,
        }
        return httpx2.Response(200, content=data, headers=headers)


@dataclass
class Phoning:
    """A phone, its server, and the pauses that it made."""

    phone: Phone
    server: PassServer
    pauses: list[float]

    def called(self) -> Iterator[str]:
        """Yield what was asked since the last time, without the device's name."""
        calls, self.server.calls = self.server.calls, []
        for call in calls:
            yield call.replace(self.phone.state.id, "DEVICE")


def phoning(chain: Chain, state: DeviceState | None = None) -> Phoning:
    """Return a phone whose server is within the process."""
    server, pauses = PassServer(make_signer(chain)), list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def clock() -> datetime:
        return NOW

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(server.answer))
    phone = Phone(state or DeviceState(), client, lambda: chain.root, clock, pause)
    return Phoning(phone, server, pauses)
