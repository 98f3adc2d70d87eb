"""Live operations as a client meets them, over WebSocket and server-sent events."""

import asyncio
from datetime import timedelta

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.graphql import live
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.identity import service as identity
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import pruning
from loyalty_graph.usecases import adjustments
from tests.live.conftest import Stage
from tests.live.serving import EVENTS, Client, Server, served
from tests.shop import by_id

WALLET = """subscription ($after: EventNumber) { walletChanged(after: $after) {
    sequence kind member { id } wallet { balance } entry { points } purchase { externalId } } }"""


async def give(stage: Stage, member: Member, points: int, *, key: str = "") -> None:
    command = adjustments.AdjustPoints(
        "cli", key or f"{member.id}-{points}", by_id(member), points, "a gift"
    )
    await adjustments.adjust(stage.shop.program_id, command, now=utc_now())


async def refusals(client: Client, server: Server) -> list[str]:
    """Return the codes of the errors that a stream begins with."""
    async with asyncio.timeout(30):
        answer = await anext(aiter(client.answers(server)))
    return [error["extensions"]["code"] for error in answer["errors"]]


async def test_a_member_hears_of_her_own_points_and_of_nothing_else(
    settings: Settings, stage: Stage, protocol: str
):
    async with served(settings) as server:
        shop = await stage.open()
        ada, bob = await shop.enrol(), await shop.enrol()
        client = Client(protocol, stage.member_token(ada), WALLET)
        hearing = asyncio.create_task(client.hear(server, up_to=2))
        await server.listened_to()

        await give(stage, bob, 1)
        await stage.shop.buy(ada, external_id="r-1")
        await give(stage, bob, 2)
        await give(stage, ada, 5)
        await hearing
        await server.listened_to(by=0)

    assert [event["kind"] for event in client.events] == ["purchase.recorded", "points.adjusted"]
    assert [event["wallet"]["balance"] for event in client.events][-1] == 113
    assert [event["entry"]["points"] for event in client.events] == [108, 5]
    assert [event["purchase"] for event in client.events] == [{"externalId": "r-1"}, None]
    assert {event["member"]["id"] for event in client.events} == {encode_id("Member", ada.id)}


async def test_nothing_is_missed_or_doubled_when_connections_drop_and_the_server_restarts(
    settings: Settings, stage: Stage, protocol: str
):
    async with served(settings) as first:
        shop = await stage.open()
        members = [await shop.enrol() for _ in range(3)]
        token = (await stage.partner_token()).text
        clients = [Client(protocol, token, last=0) for _ in range(3)]
        listening = [
            asyncio.create_task(one.hear_through_stops(first, up_to=33)) for one in clients
        ]
        await first.listened_to(by=3)
        for points in range(1, 6):
            await asyncio.gather(*(give(stage, member, points) for member in members))
        # One is cut off in the middle and comes back.
        listening[0].cancel()
        await asyncio.wait([listening[0]])
        await asyncio.gather(*(give(stage, member, 6) for member in members))
        listening[0] = asyncio.create_task(clients[0].hear_through_stops(first, up_to=33))
        await first.listened_to(by=3)
    async with served(settings, port=first.port):
        for points in range(7, 11):
            await asyncio.gather(*(give(stage, member, points) for member in members))
        await asyncio.gather(*listening)

    for client in clients:
        assert client.sequences == list(range(1, 34))


async def test_without_after_only_what_comes_is_told(
    settings: Settings, stage: Stage, protocol: str
):
    async with served(settings) as server:
        shop = await stage.open()
        ada = await shop.enrol()
        client = Client(protocol, (await stage.partner_token()).text)
        earlier = Client(protocol, client.token, last=0)
        await earlier.hear(server, up_to=3)
        hearing = asyncio.create_task(client.hear(server, up_to=1))
        await server.listened_to()
        await give(stage, ada, 1)
        await hearing

    assert (earlier.sequences, client.sequences) == ([1, 2, 3], [4])


async def test_who_was_away_for_longer_than_events_are_kept_is_told_so(
    settings: Settings, stage: Stage, protocol: str
):
    async with served(settings) as server:
        shop = await stage.open()
        ada = await shop.enrol()
        token = (await stage.partner_token()).text
        await Client(protocol, token, last=0).hear(server, up_to=3)
        await pruning.prune(shop.program_id, now=utc_now() + timedelta(days=31))

        late = await refusals(Client(protocol, token, last=2), server)
        none_missed = Client(protocol, token, last=3)
        await give(stage, ada, 1)
        await none_missed.hear(server, up_to=1)
        still_late = await refusals(Client(protocol, token, last=2), server)

    assert (late, none_missed.sequences, still_late) == (["EVENTS_GONE"], [4], ["EVENTS_GONE"])


async def test_a_revoked_token_ends_its_streams(
    settings: Settings, stage: Stage, protocol: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "VIEWER_CHECKED_EVERY_S", 0.05)
    async with served(settings) as server:
        shop = await stage.open()
        made = await stage.partner_token()
        await Client(protocol, made.text, last=0).hear(server, up_to=2)
        await server.listened_to(by=0)
        quiet = asyncio.create_task(refusals(Client(protocol, made.text), server))
        await server.listened_to()

        await identity.revoke_token(shop.program_id, made.token.id, now=utc_now())

        assert await quiet == ["UNAUTHENTICATED"]
        await server.listened_to(by=0)


async def test_nothing_more_is_told_once_a_token_is_revoked(
    settings: Settings, stage: Stage, protocol: str
):
    async with served(settings) as server:
        shop = await stage.open()
        made = await stage.partner_token()
        await Client(protocol, made.text, last=0).hear(server, up_to=2)
        await server.listened_to(by=0)
        listening = asyncio.create_task(refusals(Client(protocol, made.text), server))
        await server.listened_to()

        await identity.revoke_token(shop.program_id, made.token.id, now=utc_now())
        await shop.enrol()

        assert await listening == ["UNAUTHENTICATED"]


async def test_an_expired_token_ends_its_streams(
    settings: Settings, stage: Stage, protocol: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "VIEWER_CHECKED_EVERY_S", 0.05)
    passed = [timedelta(0)]
    monkeypatch.setattr("loyalty_graph.app.utc_now", lambda: utc_now() + passed[0])
    async with served(settings) as server:
        shop = await stage.open()
        token = stage.member_token(await shop.enrol(), life=timedelta(hours=1))
        client = Client(protocol, token, last=0)
        await client.hear(server, up_to=1)
        await server.listened_to(by=0)
        listening = asyncio.create_task(refusals(client, server))
        await server.listened_to()

        passed[0] = timedelta(hours=2)

        assert await listening == ["UNAUTHENTICATED"]
        await server.listened_to(by=0)


async def test_who_may_not_listen_is_refused(settings: Settings, stage: Stage, protocol: str):
    of_other = EVENTS.replace("after: $after", 'member: {email: "bob@example.com"}').replace(
        "($after: EventNumber)", ""
    )
    async with served(settings) as server:
        shop = await stage.open()
        ada, _bob = await shop.enrol(), await shop.enrol(email="bob@example.com")
        partner = (await stage.partner_token()).text
        member = stage.member_token(ada)

        assert await refusals(Client(protocol, member, of_other), server) == ["NOT_FOUND"]
        assert await refusals(Client(protocol, partner, last=99), server) == ["INVALID_INPUT"]
        assert server.listeners == 0


async def test_a_partner_may_listen_to_one_member(settings: Settings, stage: Stage, protocol: str):
    async with served(settings) as server:
        shop = await stage.open()
        ada, bob = await shop.enrol(), await shop.enrol(email="bob@example.com")
        query = WALLET.replace("after: $after", 'after: $after, member: {email: "bob@example.com"}')
        client = Client(protocol, (await stage.partner_token()).text, query, last=0)
        await give(stage, ada, 1)
        await give(stage, bob, 2)

        await client.hear(server, up_to=1)

    assert [event["wallet"]["balance"] for event in client.events] == [2]
