"""What each live operation tells of a mutation that was made through the same API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from loyalty_graph.config import Settings
from tests.live.conftest import Stage
from tests.live.serving import Client, Server, served
from tests.shop import giving
from tests.tiers.shop import with_tiers

TILL = ("members:write", "purchases:write", "rewards:redeem", "passes:issue")
CLUB = {**giving(), **{part: with_tiers()[part] for part in ("benefits", "tiers")}}
WALLET = """subscription ($after: EventNumber) { walletChanged(after: $after) {
    sequence kind wallet { available balance held } entry { kind points held } } }"""
TIER = """subscription ($after: EventNumber) { tierChanged(after: $after) {
    sequence kind tier { tier { code } next { code } amountToNext { amount } } } }"""
REDEMPTION = """subscription ($after: EventNumber) { redemptionChanged(after: $after) {
    sequence kind entry { kind } redemption { id status points usedStore reward { code } } } }"""
PASS = """subscription ($after: EventNumber) { passChanged(after: $after) {
    sequence kind pass { id serial state freshness { stale } } } }"""
EVERYTHING = """subscription ($after: EventNumber) { eventStream(after: $after) {
    sequence kind purchase { externalId } entry { kind } redemption { status } } }"""


ADA = {"email": "ada@example.com"}
KEYLESS = ("issuePass", "voidPass")


class Story:
    """A member who listens, while a till asks the same server for what she wants."""

    def __init__(self, server: Server, listener: Client, till_token: str) -> None:
        self.server, self.listener, self.till_token = server, listener, till_token
        self.asked = 0

    async def after(
        self, mutation: str, /, *, count: int = 1, **given: Any
    ) -> list[dict[str, Any]]:
        """Return so many events that follow a mutation, without their numbers."""
        heard = len(self.listener.events)
        hearing = asyncio.create_task(self.listener.hear(self.server, up_to=heard + count))
        await self.server.listened_to()
        await self.ask(mutation, given)
        await hearing
        await self.server.listened_to(by=0)
        return [
            {name: value for name, value in event.items() if name != "sequence"}
            for event in self.listener.events[heard:]
        ]

    async def after_buying(self, amount: str, *, count: int = 1) -> list[dict[str, Any]]:
        line = {"productType": "TEA", "quantity": 1, "unitAmount": amount}
        receipt = {"source": "till", "externalId": f"r-{amount}", "lines": [line]}
        return await self.after("recordPurchase", count=count, member=ADA, **receipt)

    async def ask(self, mutation: str, given: dict[str, Any]) -> None:
        self.asked += 1
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = f"mutation ($i: {kind}!) {{ {mutation}(input: $i) {{ userErrors {{ message }} }} }}"
        if mutation not in KEYLESS:
            given = {"idempotencyKey": f"key-{self.asked}", **given}
        async with httpx2.AsyncClient() as client:
            answer = await client.post(
                self.server.http,
                json={"query": query, "variables": {"i": given}},
                headers={"Authorization": f"Bearer {self.till_token}"},
            )
        assert answer.json() == {"data": {mutation: {"userErrors": []}}}


@asynccontextmanager
async def story(
    settings: Settings, stage: Stage, protocol: str, query: str, *, by_partner: bool = False
) -> AsyncIterator[Story]:
    """A club with tiers and rewards; Ada, or a partner, listens from the first event on."""
    async with served(settings) as server:
        shop = await stage.open(CLUB)
        ada = await shop.enrol(**ADA)
        mine, theirs = (
            stage.member_token(ada),
            await stage.partner_token(randomness=bytes(31) + b"1"),
        )
        listener = Client(protocol, theirs.text if by_partner else mine, query, last=0)
        yield Story(server, listener, (await stage.partner_token(*TILL)).text)


async def test_each_move_of_points_tells_the_wallet_and_the_entry(
    settings: Settings, stage: Stage, protocol: str
):
    async with story(settings, stage, protocol, WALLET, by_partner=True) as ada:
        bought = await ada.after_buying("90")
        held = await ada.after("redeemReward", member=ADA, reward="COFFEE", holdMinutes=5)
        left = await ada.after("closeMember", count=2, member=ADA)

    assert bought == [
        {
            "kind": "purchase.recorded",
            "wallet": {"available": 90, "balance": 90, "held": 0},
            "entry": {"kind": "EARN", "points": 90, "held": 0},
        }
    ]
    assert held == [
        {
            "kind": "redemption.held",
            "wallet": {"available": 50, "balance": 50, "held": 40},
            "entry": {"kind": "HOLD", "points": -40, "held": 40},
        }
    ]
    nothing = {"available": 0, "balance": 0, "held": 0}
    assert left == [
        {
            "kind": "redemption.cancelled",
            "wallet": nothing,
            "entry": {"kind": "RELEASE", "points": 40, "held": -40},
        },
        {
            "kind": "member.closed",
            "wallet": nothing,
            "entry": {"kind": "EXPIRE", "points": -90, "held": 0},
        },
    ]


async def test_a_change_of_tier_tells_where_the_member_stands(
    settings: Settings, stage: Stage, protocol: str
):
    async with story(settings, stage, protocol, TIER) as ada:
        silver = await ada.after_buying("120")
        gold = await ada.after_buying("200")

    assert silver == [
        {
            "kind": "tier.changed",
            "tier": {
                "tier": {"code": "SILVER"},
                "next": {"code": "GOLD"},
                "amountToNext": {"amount": "180.00"},
            },
        }
    ]
    top = {"tier": {"code": "GOLD"}, "next": None, "amountToNext": None}
    assert gold == [{"kind": "tier.changed", "tier": top}]


async def test_each_step_of_a_redemption_tells_how_it_stands(
    settings: Settings, stage: Stage, protocol: str
):
    async with story(settings, stage, protocol, REDEMPTION) as ada:
        await ada.ask(
            "recordPurchase",
            {
                "member": ADA,
                "source": "till",
                "externalId": "r-1",
                "lines": [{"productType": "TEA", "quantity": 1, "unitAmount": "90"}],
            },
        )
        [issued] = await ada.after("redeemReward", member=ADA, reward="COFFEE")
        redemption = {"id": issued["redemption"].pop("id")}
        [used] = await ada.after("useRedemption", redemption=redemption, store="Main Street")
        [refunded] = await ada.after("refundRedemption", redemption=redemption)

    coffee = {"points": 40, "reward": {"code": "COFFEE"}}
    used["redemption"].pop("id")
    refunded["redemption"].pop("id")
    assert [issued, used, refunded] == [
        {
            "kind": "redemption.issued",
            "entry": {"kind": "REDEEM"},
            "redemption": {**coffee, "status": "ISSUED", "usedStore": None},
        },
        {
            "kind": "redemption.used",
            "entry": None,
            "redemption": {**coffee, "status": "USED", "usedStore": "Main Street"},
        },
        {
            "kind": "redemption.refunded",
            "entry": {"kind": "UNREDEEM"},
            "redemption": {**coffee, "status": "REFUNDED", "usedStore": "Main Street"},
        },
    ]


async def test_a_card_that_is_issued_and_made_void_is_told_of(
    settings: Settings, stage: Stage, protocol: str
):
    async with story(settings, stage, protocol, PASS) as ada:
        [issued] = await ada.after("issuePass", member=ADA)
        card = {name: issued["pass"].pop(name) for name in ("id", "serial")}
        [voided] = await ada.after("voidPass", passId=card["id"])
        [again] = await ada.after("issuePass", member=ADA)

    assert issued == {
        "kind": "pass.issued",
        "pass": {"state": "CREATED", "freshness": {"stale": False}},
    }
    assert voided == {
        "kind": "pass.voided",
        "pass": {**card, "state": "VOIDED", "freshness": {"stale": False}},
    }
    assert again["kind"] == "pass.issued"
    assert again["pass"]["serial"] != card["serial"]


async def test_the_stream_of_everything_keeps_the_order_in_which_things_happened(
    settings: Settings, stage: Stage, protocol: str
):
    async with story(settings, stage, protocol, EVERYTHING, by_partner=True) as ada:
        bought = await ada.after_buying("120", count=6)
        await ada.after("redeemReward", member=ADA, reward="COFFEE")
        left = await ada.after("closeMember", count=2, member=ADA)

    assert [event["kind"] for event in bought] == [
        "member.enrolled",
        "partner.created",
        "token.created",
        "token.created",
        "purchase.recorded",
        "tier.changed",
    ]
    assert bought[4] == {
        "kind": "purchase.recorded",
        "purchase": {"externalId": "r-120"},
        "entry": {"kind": "EARN"},
        "redemption": None,
    }
    assert [(event["kind"], event["redemption"]) for event in left] == [
        ("redemption.cancelled", {"status": "CANCELLED"}),
        ("member.closed", None),
    ]
    assert ada.listener.sequences == list(range(1, 10))
