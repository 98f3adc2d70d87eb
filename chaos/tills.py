"""Tills that trade while things break: they keep their keys, and ask until they are answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any

import httpx2

from chaos import deeds
from chaos.deeds import EXPECTED_REFUSALS, Deed

TIMEOUT_S = 8.0
PAUSE_S = 0.05
PAUSE_MAX_S = 0.5
AGAIN = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
UNAVAILABLE = "UNAVAILABLE"
WISHES = {
    "buy": 50,
    "refund": 8,
    "adjust": 8,
    "redeem": 10,
    "give": 10,
    "hold": 6,
    "end a hold": 8,
}
"""What customers want, and how often of a hundred."""


@dataclass
class Counter:
    """Which way to the API it is, and what was heard there.

    Attributes:
        client: Keeps connections, and shows the token.
        failures: What made it ask again, and may.
        faults: Answers that no till should ever get, with what was asked.
    """

    client: httpx2.AsyncClient
    failures: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def ask(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Ask once; return the data, or None when it is to be asked again."""
        try:
            answer = await self.client.post("/graphql", json=body, timeout=TIMEOUT_S)
        except httpx2.TransportError as error:
            self.failures.append(type(error).__name__)
            return None
        if answer.status_code in AGAIN:
            self.failures.append(str(answer.status_code))
            return None
        told = answer.json() if answer.status_code == HTTPStatus.OK else {"errors": []}
        if "errors" not in told:
            data: dict[str, Any] = told["data"]
            return data
        if {one["extensions"]["code"] for one in told["errors"]} == {UNAVAILABLE}:
            self.failures.append(UNAVAILABLE)
        else:
            self.faults.append(f"{answer.status_code} {answer.text[:300]} to {body['variables']}")
        return None

    async def insist(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask until it is answered; return the data."""
        pause_s = PAUSE_S
        while (data := await self.ask(body)) is None:
            await asyncio.sleep(pause_s)
            pause_s = min(PAUSE_MAX_S, pause_s * 2)
        return data


@dataclass
class Till:
    """One till: does one deed after the other, each until it is answered.

    Attributes:
        name: What its keys begin with.
        counter: Its way to the API.
        members: The numbers of those who come to it.
        chance: Chooses what they do.
        think_s: How long it waits between two deeds at most.
        done: What was asked for.
        left: What was asked for by somebody who did not wait for the answer.
    """

    name: str
    counter: Counter
    members: Sequence[str]
    chance: Random
    think_s: float
    done: list[Deed] = field(default_factory=list)
    left: list[Deed] = field(default_factory=list)
    _bought: list[Deed] = field(default_factory=list)
    _held: list[Deed] = field(default_factory=list)
    _number: int = 0

    async def trade(self, stop: asyncio.Event) -> None:
        """Go on until the stop; the deed in hand is brought to its end."""
        while not stop.is_set():
            deed = self._next()
            self.done.append(deed)
            await self._do(deed)
            await asyncio.sleep(self.chance.random() * self.think_s)

    def leave(self) -> Deed:
        """Return something to ask for whose answer nobody waits for; the audit will ask."""
        self._number += 1
        deed = deeds.buy(f"{self.name}-{self._number}", self.chance.choice(self.members), 1)
        self.left.append(deed)
        return deed

    async def _do(self, deed: Deed) -> None:
        data = await self.counter.insist(deed.query)
        answer = data[deed.mutation]
        if not answer["userErrors"]:
            deed.answer = answer
            self._remember(deed)
            return
        deed.refused = answer["userErrors"][0]["code"]
        if deed.refused not in EXPECTED_REFUSALS:
            self.counter.faults.append(f"{deed.mutation} {deed.key}: {answer['userErrors']}")

    def _remember(self, deed: Deed) -> None:
        if deed.mutation == "recordPurchase":
            self._bought.append(deed)
        elif deed.mutation == "holdPoints":
            self._held.append(deed)

    def _next(self) -> Deed:
        self._number += 1
        key, chance = f"{self.name}-{self._number}", self.chance
        member = chance.choice(self.members)
        wish = chance.choices(list(WISHES), list(WISHES.values()))[0]
        if wish == "refund" and self._bought:
            return deeds.refund(key, self._taken(self._bought))
        if wish == "end a hold" and self._held:
            end = chance.choice([deeds.capture, deeds.release])
            return end(key, self._taken(self._held))
        others = [one for one in self.members if one != member]
        return {
            "adjust": lambda: deeds.adjust(key, member, chance.choice([-3, 5, 9])),
            "redeem": lambda: deeds.redeem(key, member),
            "give": lambda: deeds.give(key, member, chance.choice(others), chance.randint(1, 9)),
            "hold": lambda: deeds.hold(key, member, chance.randint(1, 9)),
        }.get(wish, lambda: deeds.buy(key, member, chance.randint(1, 60)))()

    def _taken(self, some: list[Deed]) -> Deed:
        return some.pop(self.chance.randrange(len(some)))
