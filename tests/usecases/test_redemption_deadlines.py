import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from loyalty_graph.db import connection
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.rules import RedemptionState, Step
from loyalty_graph.usecases import proof, redemption_deadlines
from loyalty_graph.usecases.redemption_deadlines import expire_due, release_due
from tests.conftest import BACKEND
from tests.shop import COFFEE, DAY, NOON, NOTE, Shop, giving, open_shop

MINUTE = timedelta(minutes=1)
TEA: dict[str, Any] = {**COFFEE, "code": "TEA", "cost_points": 10, "stock": 9, "code_days": 10}
KIND: dict[str, Any] = {**TEA, "code": "KIND", "expired_points": "RETURN"}


async def opened(*rewards: dict[str, Any]) -> tuple[Shop, Member]:
    shop = await open_shop(giving(TEA, *rewards))
    member = await shop.enrol()
    await shop.buy(member, (Line("TEA", 1, 10000),))
    return shop, member


async def taken(shop: Shop, reward: str = "TEA") -> int:
    return (await reads.taken(shop.program_id, [reward]))[reward]


async def test_holds_whose_time_is_over_are_released(database: object):
    shop, ada = await opened()
    early = await shop.want(ada, "TEA", hold_minutes=5)
    late = await shop.want(ada, "TEA", hold_minutes=6)

    released = await release_due(shop.program_id, now=NOON + 5 * MINUTE)

    assert released == 1
    assert (await shop.redemption(early)).state is RedemptionState.RELEASED
    assert (await shop.redemption(late)).state is RedemptionState.HELD
    assert (await shop.balance(ada), await shop.held(ada), await taken(shop)) == (90, 10, 1)
    [fact] = await FactRow.filter(kind="redemption.released")
    assert (fact.payload["redemption"], fact.payload["balance"]) == (str(early.redemption_id), 90)


async def test_so_many_at_once_until_none_is_left(database: object):
    shop, ada = await opened()
    for _ in range(5):
        await shop.want(ada, "TEA", hold_minutes=5)
    later = NOON + 5 * MINUTE

    done = [await release_due(shop.program_id, now=later, limit=2) for _ in range(4)]

    assert done == [2, 2, 1, 0]
    assert (await shop.balance(ada), await shop.held(ada), await taken(shop)) == (100, 0, 0)
    assert (await proof.verify(shop.program_id, now=later)).findings == []


async def test_every_batch_is_done_until_nothing_is_left(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    for name, one_batch in (("release_due", release_due), ("expire_due", expire_due)):
        monkeypatch.setattr(redemption_deadlines, name, partial(one_batch, limit=2))
    shop, ada = await opened()
    held = [await shop.want(ada, "TEA", hold_minutes=5) for _ in range(5)]
    issued = [await shop.want(ada, "TEA") for _ in range(3)]
    later = NOON + 50 * DAY

    await redemption_deadlines.release_all(shop.program_id, now=later)
    await redemption_deadlines.expire_all(shop.program_id, now=later)

    assert {(await shop.redemption(one)).state for one in held} == {RedemptionState.RELEASED}
    assert {(await shop.redemption(one)).state for one in issued} == {RedemptionState.EXPIRED}


async def test_several_workers_at_once_release_each_hold_once(database: object):
    shop, ada = await opened()
    for _ in range(5):
        await shop.want(ada, "TEA", hold_minutes=5)
    later = NOON + 5 * MINUTE

    done = await asyncio.gather(*(release_due(shop.program_id, now=later) for _ in range(4)))

    assert sum(done) == 5
    assert (await shop.balance(ada), await shop.held(ada), await taken(shop)) == (100, 0, 0)


async def test_points_that_expired_while_they_were_held_expire_at_once(database: object):
    shop, ada = await opened()
    await shop.want(ada, "TEA", hold_minutes=5)

    await release_due(shop.program_id, now=NOON + 200 * DAY)

    assert (await shop.balance(ada), await shop.held(ada)) == (0, 0)
    kinds = await TransferRow.all().order_by("sequence").values_list("kind", "points")
    assert list(kinds)[2:] == [("RELEASE", 10), ("EXPIRE", 100)]


@pytest.mark.parametrize(("reward", "balance"), [("TEA", 90), ("KIND", 100)])
async def test_a_code_that_was_not_used_in_time_expires_with_its_points_or_without(
    database: object, reward: str, balance: int
):
    shop, ada = await opened(KIND)
    issued = await shop.want(ada, reward)
    last_moment = (await shop.redemption(issued)).expires_at
    assert last_moment is not None

    too_early = await expire_due(shop.program_id, now=last_moment - MINUTE)
    expired = await expire_due(shop.program_id, now=last_moment)

    assert (too_early, expired) == (0, 1)
    stored = await shop.redemption(issued)
    assert (stored.state, stored.restocked) == (RedemptionState.EXPIRED, True)
    assert (await shop.balance(ada), await taken(shop, reward)) == (balance, 0)
    lots = await LotRow.filter(member_id=ada.id)
    assert [lot.remaining_points for lot in lots] == [balance]


async def test_a_used_code_does_not_expire(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")
    await shop.take(Step.USE, issued)

    expired = await expire_due(shop.program_id, now=NOON + 50 * DAY)

    assert expired == 0
    assert (await shop.redemption(issued)).state is RedemptionState.USED


async def test_a_note_expires_with_its_redemption_or_when_part_of_it_was_used(database: object):
    shop, ada = await opened({**NOTE, "code_days": 10, "cost_points": 20})
    whole, part = await shop.want(ada, "NOTE"), await shop.want(ada, "NOTE")
    await shop.use_money(part, 500)

    expired = await expire_due(shop.program_id, now=NOON + 50 * DAY)
    again = await expire_due(shop.program_id, now=NOON + 50 * DAY)

    assert (expired, again) == (2, 0)
    vouchers = [await shop.voucher(one) for one in (whole, part)]
    assert [(one.state, one.remaining_minor) for one in vouchers] == [
        ("EXPIRED", 2000),
        ("EXPIRED", 1500),
    ]
    states = [(await shop.redemption(one)).state for one in (whole, part)]
    assert states == [RedemptionState.EXPIRED, RedemptionState.USED]
    [fact] = await FactRow.filter(kind="voucher.expired")
    assert fact.payload == {"voucher": str(part.redemption_id), "remaining": 1500}


async def test_nothing_due_writes_nothing(database: object):
    shop, _ = await opened()
    before = await FactRow.all().count()

    assert await release_due(shop.program_id, now=NOON) == 0
    assert await expire_due(shop.program_id, now=NOON) == 0
    assert await FactRow.all().count() == before


@pytest.mark.parametrize(
    ("index", "condition"),
    [
        ("redemption_held", "state = 'HELD' AND held_until <= '2026-01-01 00:00:00+00:00'"),
        ("redemption_issued", "state = 'ISSUED' AND expires_at <= '2026-01-01 00:00:00+00:00'"),
        (
            "voucher_open",
            "state IN ('ACTIVE', 'PARTIALLY_USED') AND expires_at <= '2026-01-01 00:00:00+00:00'",
        ),
    ],
)
async def test_what_is_due_is_found_by_an_index(database: object, index: str, condition: str):
    program = "'00000000-0000-0000-0000-000000000001'"
    table = index.split("_", maxsplit=1)[0]
    explain = "EXPLAIN QUERY PLAN" if BACKEND == "sqlite" else "EXPLAIN"
    if BACKEND == "postgres":
        await connection().execute_script("SET enable_seqscan = off")

    plan = await connection().execute_query_dict(
        f"{explain} SELECT id FROM {table} WHERE program_id = {program} AND {condition}"  # noqa: S608 - our own
    )

    assert index in str([dict(row) for row in plan])
