"""A simulated iPhone: adds passes, registers for their updates, fetches them, removes them.

It keeps to Apple's "PassKit Web Service Reference" and refuses what a phone refuses. What it holds
is plain data, which the command line keeps in a file.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

import httpx2
from cryptography.x509 import Certificate
from pydantic import BaseModel, Field, ValidationError

from loyalty_graph.errors import DeviceError
from loyalty_graph.pauses import chance, full_jitter_s
from loyalty_graph.sandbox.device_passes import HeldPass, take
from loyalty_graph.wallet.apple.checking import verify_pass_file
from loyalty_graph.wallet.apple.reading import ArchiveError

USER_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1"
)
PASS_LINK = re.compile(r'href="([^"]*/pass)"')
TIMEOUT_S = 10.0
ATTEMPTS_MAX = 4
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
PUSH_TOKEN_BYTES = 32
DEVICE_ID_BYTES = 16


class DeviceState(BaseModel):
    """All that a phone remembers.

    Attributes:
        id: Its name at web services, which is a secret.
        push_token: Where Apple's push service reaches it.
        language: In which it reads passes.
        passes: By their serials.
        tags: The last tag of each web service and pass type.
    """

    id: str = Field(default_factory=lambda: secrets.token_hex(DEVICE_ID_BYTES))
    push_token: str = Field(default_factory=lambda: secrets.token_hex(PUSH_TOKEN_BYTES))
    language: str = "en"
    passes: dict[str, HeldPass] = {}
    tags: dict[str, str] = {}


class _Listed(BaseModel):
    """The answer to what has changed."""

    last_updated: str = Field(alias="lastUpdated")
    serial_numbers: list[str] = Field(alias="serialNumbers")


@dataclass
class Phone:
    """What a phone does with its passes.

    Attributes:
        state: What it remembers; changed by what it does.
        client: How it reaches servers.
        root: Returns the certificate that passes must lead to.
        clock: Tells the moment.
        pause: Waits for so many seconds before it tries again.
    """

    state: DeviceState
    client: httpx2.AsyncClient
    root: Callable[[], Certificate]
    clock: Callable[[], datetime]
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def add(self, url: str) -> HeldPass:
        """Add the pass behind a link, or behind the button of a card page; ask for its updates.

        A pass that is there already is replaced, as on a phone.

        Raises:
            DeviceError: The server is down, the link opens no pass, or a phone would refuse it.
        """
        data, last_modified = await self._download(url)
        held = self._taken(data, last_modified, previous=None)
        self.state.passes[held.serial] = held
        await self._register(held)
        return held

    async def poll(self) -> list[HeldPass]:
        """Do what a push makes a phone do; return the passes that have changed.

        Raises:
            DeviceError: A web service is down, or answers what it should not.
        """
        services = sorted(
            {(one.service_url, one.pass_type) for one in self.state.passes.values()}, key=str
        )
        found = [
            await self._update(url, pass_type) for url, pass_type in services if url is not None
        ]
        return [held for updated in found for held in updated]

    async def remove(self, serial: str) -> HeldPass:
        """Remove a pass, and ask for its updates no longer.

        Raises:
            DeviceError: The phone does not hold it; or it is removed, but the web service was not
                told.
        """
        if serial not in self.state.passes:
            raise DeviceError(f"This device holds no pass {serial}.")
        held = self.state.passes.pop(serial)
        if held.service_url is not None:
            answer = await self._ask("DELETE", self._registration(held), headers=_authorised(held))
            if not answer.is_success:
                raise DeviceError(f"Removed; but the web service said {_said(answer)}.")
        return held

    async def _download(self, url: str) -> tuple[bytes, str | None]:
        answer = await self._ask("GET", url)
        if answer.headers.get("content-type", "").startswith("text/html") and answer.is_success:
            link = PASS_LINK.search(answer.text)
            if link is None:
                raise DeviceError("This page offers no pass.")
            answer = await self._ask("GET", urljoin(str(answer.url), link[1]))
        if not answer.is_success:
            raise DeviceError(f"This link opens no pass: the server said {_said(answer)}.")
        return answer.content, answer.headers.get("last-modified")

    def _taken(
        self, data: bytes, last_modified: str | None, *, previous: HeldPass | None
    ) -> HeldPass:
        report = verify_pass_file(data, trusted_root=self.root(), now=self.clock())
        if not report.passed:
            first = report.failures[0]
            raise DeviceError(
                f"A phone would not take this as a pass: {first.name}: {first.reason}."
            )
        try:
            held = take(
                data,
                language=self.state.language,
                last_modified=last_modified,
                previous=previous,
                now=self.clock(),
            )
        except ArchiveError as error:
            raise DeviceError(f"This is no pass: {error}.") from error
        if previous is not None and (held.serial, held.token) != (previous.serial, previous.token):
            raise DeviceError("An update changed the serial number or the token of a pass.")
        return held

    async def _register(self, held: HeldPass) -> None:
        if held.service_url is None:
            return
        body = {"pushToken": self.state.push_token}
        answer = await self._ask(
            "POST", self._registration(held), headers=_authorised(held), json=body
        )
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise DeviceError(f"Added; but the web service refused to register: {_said(answer)}.")

    async def _update(self, service_url: str, pass_type: str) -> list[HeldPass]:
        """Ask what has changed since the last tag, and fetch it.

        The tag is kept once everything was fetched, so that nothing is lost in between.
        """
        known = f"{service_url} {pass_type}"
        params = {} if (tag := self.state.tags.get(known)) is None else {"passesUpdatedSince": tag}
        url = f"{service_url}/v1/devices/{self.state.id}/registrations/{pass_type}"
        answer = await self._ask("GET", url, params=params)
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return []
        if answer.status_code != HTTPStatus.OK:
            raise DeviceError(f"The web service does not say what has changed: {_said(answer)}.")
        listed = _listed(answer)
        found = [
            await self._fetch(self.state.passes[serial])
            for serial in listed.serial_numbers
            if serial in self.state.passes
        ]
        self.state.tags[known] = listed.last_updated
        return [held for held in found if held is not None]

    async def _fetch(self, held: HeldPass) -> HeldPass | None:
        """Fetch a pass that has changed; what is wrong is told to the web service."""
        headers = _authorised(held)
        if held.last_modified is not None:
            headers["if-modified-since"] = held.last_modified
        url = f"{held.service_url}/v1/passes/{held.pass_type}/{held.serial}"
        answer = await self._ask("GET", url, headers=headers)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            asked = f"Server requested update to serial number {held.serial}"
            await self._log(held, f"{asked}, but the pass was unchanged.")
            return None
        if answer.status_code != HTTPStatus.OK:
            await self._log(held, f"Get pass task failed: status {answer.status_code}.")
            raise DeviceError(f"The web service does not give the pass: {_said(answer)}.")
        try:
            new = self._taken(answer.content, answer.headers.get("last-modified"), previous=held)
        except DeviceError as error:
            await self._log(held, f"Get pass task failed: {error.message}")
            raise
        self.state.passes[held.serial] = new
        return new if new.changes or new.card != held.card else None

    async def _log(self, held: HeldPass, line: str) -> None:
        await self._ask("POST", f"{held.service_url}/v1/log", json={"logs": [line]})

    def _registration(self, held: HeldPass) -> str:
        place = f"{held.service_url}/v1/devices/{self.state.id}/registrations"
        return f"{place}/{held.pass_type}/{held.serial}"

    async def _ask(self, method: str, url: str, **request: Any) -> httpx2.Response:
        """Ask a server, again with growing waits while it is down.

        Raises:
            DeviceError: It stays down, or the URL cannot be used.
        """
        headers = {"user-agent": USER_AGENT, **request.pop("headers", {})}
        failure = ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await self.pause(_pause_s(attempt - 1))
            try:
                answer = await self.client.request(
                    method,
                    url,
                    headers=headers,
                    follow_redirects=True,
                    timeout=TIMEOUT_S,
                    **request,
                )
            except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
                raise DeviceError(f"{url} is no address of a pass: {error}") from error
            except httpx2.HTTPError as error:
                failure = str(error) or type(error).__name__
                continue
            if not answer.is_server_error:
                return answer
            failure = _said(answer)
        raise DeviceError(f"{httpx2.URL(url).host} does not answer: {failure}.")


def _pause_s(failures: int) -> float:
    return full_jitter_s(
        failures, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S, chance=chance()
    )


def _authorised(held: HeldPass) -> dict[str, str]:
    return {"authorization": f"ApplePass {held.token}"}


def _said(answer: httpx2.Response) -> str:
    """Return what a server said, short enough for a line."""
    plain = answer.headers.get("content-type", "").startswith("text/plain")
    reason = answer.text.strip().rstrip(".") if plain else answer.reason_phrase
    return f"{answer.status_code}, {reason[:200]}"


def _listed(answer: httpx2.Response) -> _Listed:
    try:
        return _Listed.model_validate_json(answer.content)
    except ValidationError as error:
        message = "The web service lists what has changed in a way no phone understands."
        raise DeviceError(message) from error
