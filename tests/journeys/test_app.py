"""An app: a member signs in, one query draws the home screen, and changes come by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.graphql.ids import decode_id
from tests.api import GOLDEN_LINES
from tests.journeys.world import LIMIT_S, World, world
from tests.tiers.shop import with_tiers

ADA, BOB = {"externalId": "ada"}, {"externalId": "bob"}
HOME = """{ me { firstName tier { tier { name } } wallet { available }
    passes { platform state freshness { stale } } } }"""
WALLET = "subscription { walletChanged { kind wallet { available } } }"
PASS = "subscription { passChanged { kind pass { state } } }"
OTHERS = "query ($ref: MemberRef!) { member(ref: $ref) { firstName } }"
BASKET = {
    "idempotencyKey": "till-1",
    "source": "till",
    "externalId": "receipt-1",
    "lines": GOLDEN_LINES,
}


async def heard(one: World, query: str, token: str, ready: asyncio.Event) -> AsyncIterator[Any]:
    """Yield what a live operation tells over server-sent events; `ready` is set when it listens."""
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    asked = {"query": query}
    url = f"{one.address}/graphql"
    async with one.client.stream("POST", url, json=asked, headers=headers) as answer:
        assert answer.status_code == 200
        ready.set()
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                [event] = json.loads(line.removeprefix("data: "))["data"].values()
                yield event


async def first(events: AsyncIterator[Any], kind: str) -> Any:
    """Return the first event of a kind."""
    async for event in events:
        if event["kind"] == kind:
            return event
    raise AssertionError(f"The stream ended without {kind}")


@pytest.mark.slow
async def test_the_home_screen_is_one_query_and_changes_by_itself(
    database_url: str, tmp_path: Path
):
    async with world(database_url, tmp_path, with_tiers()) as one:
        joined = await one.do("enrolMember", {**ADA, "firstName": "Ada"}, "member { id }")
        await one.do("enrolMember", {**BOB, "firstName": "Bob"}, "member { id }")
        await one.phone.add(await one.page_of(ADA))
        ada = one.member_token(str(decode_id(joined["member"]["id"]).uuid()))

        # One query draws the screen, of her own and of nobody else.
        screen = await one.ask(HOME, token=ada)
        other = await one.ask(OTHERS, {"ref": BOB}, token=ada)
        assert screen.get("errors") is None, screen
        assert screen["data"]["me"] == {
            "firstName": "Ada",
            "tier": {"tier": {"name": "Base"}},
            "wallet": {"available": 0},
            "passes": [{"platform": "APPLE", "state": "INSTALLED", "freshness": {"stale": False}}],
        }
        assert other["data"] == {"member": None}

        # The app listens; at the till both buy, and she hears of herself alone.
        ready = [asyncio.Event(), asyncio.Event()]
        wallet = asyncio.ensure_future(
            first(heard(one, WALLET, ada, ready[0]), "purchase.recorded")
        )
        card = asyncio.ensure_future(first(heard(one, PASS, ada, ready[1]), "pass.updated"))
        async with asyncio.timeout(LIMIT_S):
            for event in ready:
                await event.wait()
            bobs = {**BASKET, "member": BOB, "idempotencyKey": "b", "externalId": "b"}
            await one.do("recordPurchase", bobs, "balance")
            await one.do("recordPurchase", {**BASKET, "member": ADA}, "balance")
            told, changed = await wallet, await card

        assert told == {"kind": "purchase.recorded", "wallet": {"available": 108}}
        assert changed == {"kind": "pass.updated", "pass": {"state": "INSTALLED"}}

        # The phone has fetched the new card, so the app says that it is right.
        await one.comes(lambda: one.on_phone() == ("108", "Base"))
        again = (await one.ask(HOME, token=ada))["data"]["me"]
        assert again["wallet"] == {"available": 108}
