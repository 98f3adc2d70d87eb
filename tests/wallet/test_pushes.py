"""The queue of pushes: claimed once, lost never, and a burst is one push and one more."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.models import CardPushRow
from loyalty_graph.wallet.pushes import QUIET, Push, Wanted
from tests.shop import NOON

pytestmark = pytest.mark.usefixtures("database")

APPLE, GOOGLE = "APPLE", "GOOGLE"
CARDS = "pass.com.example.cards"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
CLAIM = 30 * SECOND


async def want(*targets: str, tag: int = 1, at: datetime = NOON, channel: str = CARDS) -> None:
    await pushes.want([Wanted(APPLE, channel, one, tag, at) for one in targets], now=at)


async def claim(at: datetime = NOON, *, limit: int = 100, channel: str = CARDS) -> list[Push]:
    return await pushes.claim(APPLE, channel, uuid4(), limit=limit, now=at, until=at + CLAIM)


def targets(claimed: Sequence[Push]) -> list[str]:
    return [push.target for push in claimed]


async def test_a_push_is_claimed_with_what_it_is_to_tell():
    await want("phone", tag=7, at=NOON)

    [push] = await claim(NOON + SECOND)

    assert (push.platform, push.channel, push.target, push.tag) == (APPLE, CARDS, "phone", 7)
    assert (push.changed_at, push.claimed_at, push.attempts) == (NOON, NOON + SECOND, 1)


async def test_each_channel_has_its_own_and_the_longest_due_come_first():
    await want("late", at=NOON + 2 * SECOND)
    await want("early", at=NOON)
    await want("other", at=NOON, channel="pass.com.example.vip")
    await pushes.want([Wanted(GOOGLE, CARDS, "object", 1, NOON)], now=NOON)

    first = await claim(NOON + 3 * SECOND, limit=1)
    second = await claim(NOON + 3 * SECOND)
    vip = await claim(NOON, channel="pass.com.example.vip")
    google = await pushes.claim(GOOGLE, CARDS, uuid4(), limit=9, now=NOON, until=NOON + CLAIM)

    assert [targets(one) for one in (first, second, vip, google)] == [
        ["early"],
        ["late"],
        ["other"],
        ["object"],
    ]


async def test_what_is_not_due_yet_is_not_claimed():
    await want("phone", at=NOON + SECOND)

    assert await claim(NOON) == []


async def test_two_claimers_never_get_the_same_row():
    await want(*(f"phone-{number:03}" for number in range(200)))

    parts = await asyncio.gather(*(claim(limit=30) for _ in range(10)))

    claimed = [target for part in parts for target in targets(part)]
    assert len(claimed) == len(set(claimed))
    left = [target for _ in range(7) for target in targets(await claim(limit=30))]
    assert sorted(claimed + left) == [f"phone-{number:03}" for number in range(200)]


@pytest.mark.postgres
async def test_a_row_that_another_transaction_is_claiming_is_passed_over():
    await want("first", "second")
    is_claimed, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def claim_slowly() -> list[Push]:
        mine = await claim(limit=1)
        is_claimed.set()
        await may_end.wait()
        return mine

    slow = asyncio.create_task(claim_slowly())
    await is_claimed.wait()
    others = await claim()
    may_end.set()

    assert sorted(targets(await slow) + targets(others)) == ["first", "second"]


async def test_a_lost_claim_comes_back_when_its_time_is_over():
    await want("phone", tag=3)
    [lost] = await claim()

    before = await claim(NOON + CLAIM - SECOND)
    [again] = await claim(NOON + CLAIM)

    assert before == []
    assert (again.target, again.tag, again.changed_at, again.attempts) == ("phone", 3, NOON, 2)
    assert again.claim != lost.claim


async def test_done_under_a_lost_claim_changes_nothing():
    await want("phone")
    lost = await claim()
    await claim(NOON + CLAIM)
    [before] = await CardPushRow.all().values()

    await pushes.done(lost, now=NOON + CLAIM)
    await pushes.failed(lost, now=NOON + CLAIM, retry_at=NOON + CLAIM)
    await pushes.dropped(lost)

    assert await CardPushRow.all().values() == [before]


async def test_what_was_told_is_not_due_any_more():
    await want("phone", tag=4)

    await pushes.done(await claim(), now=NOON + SECOND)

    assert await claim(NOON + 999 * SECOND) == []
    [row] = await CardPushRow.all()
    assert (row.wanted_tag, row.pushed_tag, row.attempts) == (4, 4, 0)
    assert (row.claim, row.due_at, row.changed_at) == (None, None, None)


async def test_a_burst_is_one_push_and_one_more():
    pushed = []
    for number in range(1, 21):
        at = NOON + number * timedelta(milliseconds=20)
        await want("phone", tag=number, at=at)
        claimed = await claim(at)
        pushed += claimed
        await pushes.done(claimed, now=at)

    [last] = await claim(NOON + 20 * timedelta(milliseconds=1) + QUIET)
    await pushes.done([last], now=NOON + 2 * SECOND)

    assert [(push.tag, push.changed_at) for push in [*pushed, last]] == [
        (1, NOON + timedelta(milliseconds=20)),
        (20, NOON + timedelta(milliseconds=40)),
    ]
    assert await claim(NOON + 999 * SECOND) == []


async def test_what_changes_while_a_push_is_in_flight_is_one_more_after_a_quiet_while():
    await want("phone", tag=1)
    claimed = await claim(NOON + SECOND)
    await want("phone", tag=2, at=NOON + 2 * SECOND)
    await want("phone", tag=3, at=NOON + 3 * SECOND)

    assert await claim(NOON + 3 * SECOND) == []
    await pushes.done(claimed, now=NOON + 4 * SECOND)

    assert await claim(NOON + 4 * SECOND) == []
    [more] = await claim(NOON + 4 * SECOND + QUIET)
    assert more.tag == 3
    # No change is said to be younger than it is.
    assert more.changed_at == NOON + SECOND


async def test_a_quiet_while_that_is_over_holds_nothing_up():
    await want("phone", tag=1)
    await pushes.done(await claim(), now=NOON)
    at = NOON + QUIET + SECOND

    await want("phone", tag=2, at=at)

    [push] = await claim(at)
    assert (push.tag, push.changed_at) == (2, at)


async def test_what_failed_is_tried_again_at_its_time_with_what_is_new_by_then():
    await want("phone", tag=1)
    await pushes.failed(await claim(), now=NOON, retry_at=NOON + 5 * SECOND)
    await want("phone", tag=2, at=NOON + SECOND)

    assert await claim(NOON + 4 * SECOND) == []
    [push] = await claim(NOON + 5 * SECOND)

    assert (push.tag, push.changed_at, push.attempts) == (2, NOON, 2)


async def test_a_lower_tag_never_takes_the_place_of_a_higher_one():
    await want("phone", tag=9)

    await want("phone", tag=8)

    [push] = await claim()
    assert push.tag == 9


async def test_a_target_that_is_gone_is_forgotten():
    await want("phone", "tablet")
    claimed = await claim()

    await pushes.dropped([push for push in claimed if push.target == "phone"])

    assert await CardPushRow.all().values_list("target", flat=True) == ["tablet"]


async def test_a_target_that_came_back_meanwhile_is_told():
    await want("phone", tag=1)
    claimed = await claim()
    await want("phone", tag=2, at=NOON + SECOND)

    await pushes.dropped(claimed)

    [push] = await claim(NOON + SECOND)
    assert (push.tag, push.attempts) == (2, 1)


async def test_pushes_of_several_claims_end_together():
    await want("phone", "tablet")
    claimed = [*await claim(limit=1), *await claim(limit=1)]

    await pushes.done(claimed, now=NOON)

    assert await CardPushRow.filter(due_at=None, claim=None).count() == 2


async def test_ending_nothing_does_nothing():
    await pushes.want([], now=NOON)
    await pushes.done([], now=NOON)

    assert await CardPushRow.all().count() == 0


async def test_what_a_clock_ahead_of_ours_put_off_is_claimed_at_once():
    await want("new", at=NOON + HOUR)
    await want("told", at=NOON)
    await pushes.done(await claim(NOON), now=NOON + HOUR)
    await want("told", tag=2, at=NOON + SECOND)

    assert sorted(targets(await claim(NOON + 2 * SECOND))) == ["new", "told"]


async def test_what_a_clock_ahead_of_ours_has_claimed_or_tried_comes_back():
    await want("claimed", "failed", at=NOON)
    both = await claim(NOON + HOUR)
    failed = [push for push in both if push.target == "failed"]
    await pushes.failed(failed, now=NOON + HOUR, retry_at=NOON + HOUR + SECOND)

    assert sorted(targets(await claim(NOON + SECOND))) == ["claimed", "failed"]


async def test_a_claim_of_a_clock_a_little_ahead_is_left_to_it():
    await want("phone", at=NOON)
    await pushes.claim(APPLE, CARDS, uuid4(), limit=1, now=NOON, until=NOON + 30 * SECOND)

    assert await claim(NOON) == []


async def test_a_claim_of_a_clock_far_ahead_comes_back():
    await want("phone", at=NOON)
    await pushes.claim(APPLE, CARDS, uuid4(), limit=1, now=NOON, until=NOON + 31 * SECOND)

    assert targets(await claim(NOON)) == ["phone"]


async def test_a_claim_that_is_renewed_is_not_another_ones():
    await want("phone", "tablet", tag=1)
    mine = await claim()
    await pushes.done(mine[:1], now=NOON)

    kept = await pushes.renew(APPLE, CARDS, [mine[0].claim, uuid4()], until=NOON + 2 * CLAIM)

    assert kept == {mine[0].claim: 1}
    assert await claim(NOON + 2 * CLAIM - SECOND) == []
    assert targets(await claim(NOON + 2 * CLAIM)) == targets(mine[1:])


async def test_what_is_given_back_is_due_at_once_and_what_has_ended_is_not():
    await want("phone", "tablet", tag=1)
    mine = await claim()
    await pushes.done(mine[:1], now=NOON)

    await pushes.give_back(APPLE, CARDS, [mine[0].claim], now=NOON + SECOND)

    [again] = await claim(NOON + SECOND)
    assert (again.target, again.changed_at, again.attempts) == (mine[1].target, NOON, 2)


async def test_neither_renewed_nor_given_back_is_what_others_have_claimed_since():
    await want("phone")
    [lost] = await claim()
    await claim(NOON + CLAIM)
    [before] = await CardPushRow.all().values()

    kept = await pushes.renew(APPLE, CARDS, [lost.claim], until=NOON + 9 * CLAIM)
    await pushes.give_back(APPLE, CARDS, [lost.claim], now=NOON)

    assert kept == {}
    assert await CardPushRow.all().values() == [before]


async def test_what_waits_for_another_try_is_left_to_wait():
    await want("phone", at=NOON)
    await pushes.failed(await claim(NOON), now=NOON, retry_at=NOON + 300 * SECOND)

    assert await claim(NOON + SECOND) == []
    assert targets(await claim(NOON + 300 * SECOND)) == ["phone"]
