"""Roll-outs reach every card once, at their pace, and survive whoever does them."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty_graph import leases
from loyalty_graph.errors import NotFoundError
from loyalty_graph.leases import Lease
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark
from loyalty_graph.wallet import rollouts, voiding
from loyalty_graph.wallet.models import RolloutRow
from loyalty_graph.wallet.rollouts import Rollout, RolloutState
from loyalty_graph.wallet.service import Platform
from tests.shop import NOON, Shop, open_shop, program
from tests.wallet.holding import issue

LATER = NOON + timedelta(minutes=1)
HOLDERS = 5
DIGESTS = ("a" * 64, "b" * 64)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def holders(shop: Shop) -> list[Member]:
    members = [await shop.enrol() for _ in range(HOLDERS)]
    for one in members:
        await issue(shop, one)
    return members


async def lease() -> Lease:
    taken = await leases.take(rollouts.LEASE, UUID(int=9), now=NOON, life=timedelta(0))
    assert taken is not None
    return taken


async def take_marks() -> list[UUID]:
    marked = [row.member_id for row in await CardMark.all().order_by("member_id")]
    await CardMark.all().delete()
    return marked


async def advance(rollout: Rollout, *, limit: int) -> int | None:
    return await rollouts.advance(await lease(), rollout, limit=limit, now=LATER)


async def newest(shop: Shop) -> Rollout:
    return (await rollouts.progress(shop.program_id))[0]


async def test_every_holder_is_marked_once_in_turn(shop: Shop, holders: list[Member]):
    await shop.enrol()
    rollout = await rollouts.start(shop.program_id, "programme version 2", now=NOON)

    parts = []
    for _ in range(3):
        assert await advance(rollout, limit=2) in {1, 2}
        parts.append(await take_marks())

    ids = sorted(one.id for one in holders)
    assert parts == [ids[:2], ids[2:4], ids[4:]]
    done = await newest(shop)
    assert (done.state, done.total, done.marked) == (RolloutState.DONE, 5, 5)
    assert (done.begun_at, done.ended_at) == (NOON, LATER)
    assert await advance(rollout, limit=2) == 0


async def test_a_member_with_cards_of_both_platforms_is_marked_once(
    shop: Shop, holders: list[Member]
):
    await issue(shop, holders[0], Platform.GOOGLE)
    rollout = await rollouts.start(shop.program_id, "look", now=NOON)

    assert rollout.total == 5
    assert await advance(rollout, limit=100) == 5


async def test_void_cards_are_left_alone(shop: Shop, holders: list[Member]):
    serial = await issue(shop, holders[0])
    await voiding.void(shop.program_id, holders[0].id, serial, now=NOON)
    await take_marks()
    rollout = await rollouts.start(shop.program_id, "look", now=NOON)

    await advance(rollout, limit=100)

    assert await take_marks() == sorted(one.id for one in holders[1:])


async def test_other_programmes_are_left_alone(shop: Shop, holders: list[Member]):
    data = program()
    data["program"] = {**data["program"], "slug": "tea-club"}
    tea = await open_shop(data)
    await issue(tea, await tea.enrol())
    rollout = await rollouts.start(tea.program_id, "look", now=NOON)

    assert (rollout.total, await advance(rollout, limit=100)) == (1, 1)


async def test_it_rests_while_paused_and_goes_on_where_it_was(shop: Shop, holders: list[Member]):
    rollout = await rollouts.start(shop.program_id, "look", now=NOON)
    assert await rollouts.running() == [rollout]
    await advance(rollout, limit=3)
    await take_marks()

    paused = await rollouts.pause(shop.program_id, now=NOON)
    again = await rollouts.pause(shop.program_id, now=NOON)
    marked_meanwhile = await advance(rollout, limit=3)
    running_meanwhile = await rollouts.running()
    resumed = await rollouts.resume(shop.program_id, now=NOON)
    await advance(rollout, limit=3)

    assert (paused.state, paused.marked, again) == (RolloutState.PAUSED, 3, paused)
    assert (marked_meanwhile, running_meanwhile) == (0, [])
    assert (resumed.state, resumed.marked) == (RolloutState.RUNNING, 3)
    assert await take_marks() == sorted(one.id for one in holders)[3:]


async def test_without_a_roll_out_there_is_nothing_to_pause(shop: Shop):
    with pytest.raises(NotFoundError):
        await rollouts.pause(shop.program_id, now=NOON)
    with pytest.raises(NotFoundError):
        await rollouts.resume(shop.program_id, now=NOON)


async def test_a_second_change_goes_to_everybody_anew(shop: Shop, holders: list[Member]):
    first = await rollouts.start(shop.program_id, "version 2", now=NOON)
    await advance(first, limit=3)
    await take_marks()

    second = await rollouts.start(shop.program_id, "version 3", now=NOON)

    assert await advance(first, limit=100) == 0
    assert await advance(second, limit=100) == 5
    states = [(one.reason, one.state) for one in await rollouts.progress(shop.program_id)]
    assert states == [
        ("version 3", RolloutState.DONE),
        ("version 2", RolloutState.SUPERSEDED),
    ]


async def test_a_second_change_does_not_end_a_pause(shop: Shop, holders: list[Member]):
    await rollouts.start(shop.program_id, "version 2", now=NOON)
    await rollouts.pause(shop.program_id, now=NOON)

    second = await rollouts.start(shop.program_id, "version 3", now=NOON)

    assert second.state == RolloutState.PAUSED
    assert await rollouts.running() == []


async def test_who_lost_the_lease_marks_nobody(shop: Shop, holders: list[Member]):
    rollout = await rollouts.start(shop.program_id, "look", now=NOON)
    lost = await lease()
    await lease()

    assert await rollouts.advance(lost, rollout, limit=100, now=LATER) is None
    assert await take_marks() == []


async def test_a_template_that_changed_is_rolled_out_once(shop: Shop, holders: list[Member]):
    async def ask(digest: str) -> list[str]:
        asked = (
            rollouts.start_if_template_changed(shop.program_id, "store-card", digest, now=NOON)
            for _ in range(4)
        )
        return [one.reason for one in await asyncio.gather(*asked) if one]

    assert await ask(DIGESTS[0]) == ["template store-card"]
    assert await ask(DIGESTS[0]) == []
    assert await ask(DIGESTS[1]) == ["template store-card"]
    assert await RolloutRow.all().count() == 2


async def test_a_template_without_cards_is_only_noted(shop: Shop):
    key = (shop.program_id, "store-card")

    assert await rollouts.start_if_template_changed(*key, DIGESTS[0], now=NOON) is None
    await issue(shop, await shop.enrol())
    assert await rollouts.start_if_template_changed(*key, DIGESTS[0], now=NOON) is None
    assert await RolloutRow.all().count() == 0


async def test_another_template_is_noted_since_its_version_is_rolled_out(
    shop: Shop, holders: list[Member]
):
    async def ask(name: str, digest: str) -> bool:
        asked = rollouts.start_if_template_changed(shop.program_id, name, digest, now=NOON)
        return await asked is not None

    assert await ask("store-card", DIGESTS[0]) is True
    assert await ask("vip", DIGESTS[1]) is False
    assert await ask("vip", DIGESTS[0]) is True
