import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InsufficientPointsError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards_service
from loyalty_graph.rewards.errors import (
    OutOfStockError,
    PriceChangedError,
    RewardLimitError,
    RewardNotForTierError,
    RewardNotOpenError,
)
from loyalty_graph.rewards.models import RedemptionRow, RewardStock, VoucherRow
from loyalty_graph.rewards.rules import RedemptionState
from loyalty_graph.usecases import members, program_file, proof, rewards
from loyalty_graph.usecases.redemptions import PointsMoved
from tests.shop import CODES, COFFEE, DAY, NOON, NOTE, Shop, by_id, giving, open_shop

MINUTE = timedelta(minutes=1)
TABLES = (TransferRow, RedemptionRow, RewardStock, VoucherRow, FactRow)


async def with_points(shop: Shop, points: int) -> Member:
    member = await shop.enrol()
    await shop.buy(member, (Line("TEA", 1, points * 100),))
    return member


async def opened(*rewards_: dict[str, Any], points: int = 100) -> tuple[Shop, Member]:
    shop = await open_shop(giving(*rewards_))
    return shop, await with_points(shop, points)


async def everything() -> list[list[str]]:
    return [sorted(str(dict(row)) for row in await table.all()) for table in TABLES]


async def taken(shop: Shop, reward: str) -> int:
    return (await reads.taken(shop.program_id, [reward]))[reward]


async def test_a_reward_costs_its_points_and_gets_a_code(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "code_days": 30})

    wanted = await shop.want(ada, "TEA")

    assert (wanted.points, wanted.balance_points, wanted.entry_sequence) == (40, 60, 2)
    stored = await shop.redemption(wanted)
    assert (stored.state, stored.points, stored.version) == (RedemptionState.ISSUED, 40, 1)
    assert (stored.issued_at, stored.held_until) == (NOON, None)
    assert stored.expires_at is not None
    assert stored.expires_at.isoformat() == "2026-04-01T22:00:00+00:00"
    text = CODES.text(shop.program_id, wanted.redemption_id)
    assert await reads.find(shop.program_id, text.lower(), codes=CODES) == (
        ada.id,
        wanted.redemption_id,
    )
    assert await RedemptionRow.filter(code_hash=text.encode()).count() == 0


async def test_a_redemption_leaves_a_fact_and_marks_the_card(database: object):
    shop, ada = await opened()
    await CardMark.all().delete()

    wanted = await shop.want(ada)

    [fact] = await FactRow.filter(kind="redemption.issued")
    assert fact.payload == {
        "redemption": str(wanted.redemption_id),
        "reward": "COFFEE",
        "entry": 2,
        "points": 40,
        "balance": 60,
    }
    assert await CardMark.filter(member_id=ada.id).count() == 1


async def test_points_are_set_aside_while_a_basket_is_open(database: object):
    shop, ada = await opened()

    wanted = await shop.want(ada, hold_minutes=15)

    assert (await shop.balance(ada), await shop.held(ada)) == (60, 40)
    stored = await shop.redemption(wanted)
    assert (stored.state, stored.held_until) == (RedemptionState.HELD, NOON + 15 * MINUTE)
    assert (stored.issued_at, stored.expires_at) == (None, None)
    text = CODES.text(shop.program_id, wanted.redemption_id)
    with pytest.raises(NotFoundError, match="no redemption with this code"):
        await reads.find(shop.program_id, text, codes=CODES)


async def test_points_set_aside_too_long_can_be_spent_again_before_anybody_wrote_it(
    database: object,
):
    shop, ada = await opened({**COFFEE, "code": "DINNER", "cost_points": 90})
    held = await shop.want(ada, hold_minutes=15)
    with pytest.raises(InsufficientPointsError, match="90 points; 60 are available"):
        await shop.want(ada, "DINNER")

    dinner = await shop.later(15 * MINUTE).want(ada, "DINNER")

    assert (dinner.balance_points, await shop.held(ada)) == (10, 0)
    assert (await shop.redemption(held)).state is RedemptionState.RELEASED
    kinds = await TransferRow.all().order_by("sequence").values_list("kind", "points")
    assert list(kinds)[1:] == [("HOLD", 40), ("RELEASE", 40), ("REDEEM", 90)]


async def test_a_stored_value_is_a_voucher(database: object):
    shop, ada = await opened({**NOTE, "code_days": 10})

    wanted = await shop.want(ada, "NOTE")

    voucher = await shop.voucher(wanted)
    assert (voucher.state, voucher.face_minor, voucher.remaining_minor) == ("ACTIVE", 2000, 2000)
    assert voucher.expires_at == (await shop.redemption(wanted)).expires_at


async def test_a_voucher_held_is_none_yet(database: object):
    shop, ada = await opened(NOTE)

    await shop.want(ada, "NOTE", hold_minutes=1)

    assert await VoucherRow.all().count() == 0


@pytest.mark.parametrize(
    ("case", "settings", "changes", "error"),
    [
        ("too dear", {"cost_points": 101}, {}, InsufficientPointsError),
        ("sold out", {"stock": 0}, {}, OutOfStockError),
        ("not yet open", {"opens_at": NOON + DAY}, {}, RewardNotOpenError),
        ("closed", {"closes_at": NOON}, {}, RewardNotOpenError),
        ("dearer than told", {}, {"expected_cost": 39}, PriceChangedError),
        ("cheaper than told", {}, {"expected_cost": 41}, PriceChangedError),
        ("held too long", {}, {"hold_minutes": 31}, InvalidInputError),
        ("held for no time", {}, {"hold_minutes": 0}, InvalidInputError),
        ("nowhere", {}, {"store": " "}, InvalidInputError),
        ("no such reward", {}, {"reward": "CAKE"}, NotFoundError),
        ("no key", {}, {"idempotency_key": ""}, InvalidInputError),
    ],
)
async def test_what_cannot_be_had_changes_nothing(
    database: object,
    case: str,
    settings: dict[str, Any],
    changes: dict[str, Any],
    error: type[LoyaltyError],
):
    shop, ada = await opened({**COFFEE, "code": "TEA", **settings})
    before = await everything()

    with pytest.raises(error):
        await shop.want(ada, "TEA", **changes)

    assert await everything() == before


async def test_the_price_that_was_told_is_the_price(database: object):
    shop, ada = await opened()

    wanted = await shop.want(ada, expected_cost=40)

    assert wanted.points == 40


async def test_who_is_suspended_gets_no_reward(database: object):
    shop, ada = await opened()
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    with pytest.raises(MemberNotActiveError):
        await shop.want(ada)

    assert await RedemptionRow.all().count() == 0


async def test_a_retry_gets_the_same_redemption(database: object):
    shop, ada = await opened()
    first = await shop.want(ada, idempotency_key="k")

    again = await shop.want(ada, idempotency_key="k")
    with pytest.raises(IdempotencyMismatchError):
        await shop.want(ada, idempotency_key="k", hold_minutes=5)

    assert again == replace(first, replayed=True)
    assert (await shop.balance(ada), await RedemptionRow.all().count()) == (60, 1)


async def test_a_member_gets_a_reward_as_often_as_the_limit_says(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "cost_points": 5, "limit_per_member": 2})
    bob = await with_points(shop, 100)
    first = await shop.want(ada, "TEA")
    await shop.want(ada, "TEA", hold_minutes=5)

    with pytest.raises(RewardLimitError, match="at most 2 times"):
        await shop.want(ada, "TEA")
    await shop.want(bob, "TEA")
    await shop.later(5 * MINUTE).want(ada, "TEA")

    assert first.points == 5
    assert await shop.balance(ada) == 90


async def test_the_limit_holds_within_a_batch(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "cost_points": 5, "limit_per_member": 2})
    wishes = [shop.wish(ada, "TEA") for _ in range(3)]

    answers = await rewards.redeem(shop.program_id, wishes, codes=CODES, now=NOON)

    assert [type(one) for one in answers] == [PointsMoved, PointsMoved, RewardLimitError]
    assert await shop.balance(ada) == 90


async def test_stock_is_counted_within_a_batch_and_a_refusal_disturbs_nobody(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "cost_points": 30, "stock": 2})
    bob = await with_points(shop, 20)
    cy = await with_points(shop, 100)
    wishes = [
        shop.wish(ada, "TEA"),
        shop.wish(bob, "TEA"),
        shop.wish(cy, "TEA"),
        shop.wish(cy, "TEA"),
        shop.wish(cy, "COFFEE"),
        shop.wish(ada, "TEA", store=""),
    ]

    answers = await rewards.redeem(shop.program_id, wishes, codes=CODES, now=NOON)

    assert [type(one) for one in answers] == [
        PointsMoved,
        InsufficientPointsError,
        PointsMoved,
        OutOfStockError,
        PointsMoved,
        InvalidInputError,
    ]
    assert await taken(shop, "TEA") == 2
    assert [await shop.balance(one) for one in (ada, bob, cy)] == [70, 20, 30]


async def test_stock_comes_back_with_a_hold_that_is_over(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "stock": 1})
    await shop.want(ada, "TEA", hold_minutes=5)

    await shop.later(5 * MINUTE).want(ada, "TEA")

    assert await taken(shop, "TEA") == 1


async def test_a_tier_has_rewards_and_prices_of_its_own(database: object):
    tiers = {
        "basis": "SPEND",
        "window": "CALENDAR_YEAR",
        "levels": [{"code": "GOLD", "name": "Gold", "entry": 50000}],
    }
    mug = {**COFFEE, "code": "MUG", "tiers": ["GOLD"], "cost_points": 100}
    tea = {**COFFEE, "code": "TEA", "tier_costs": {"GOLD": 10}}
    shop = await open_shop({**giving(mug, tea), "tiers": tiers})
    ada, bob = await with_points(shop, 500), await with_points(shop, 499)
    before = await everything()

    with pytest.raises(RewardNotForTierError, match="for GOLD only"):
        await shop.want(bob, "MUG")
    unchanged = await everything() == before
    paid = [await shop.want(one, "TEA") for one in (ada, bob)]
    await shop.want(ada, "MUG")

    assert unchanged
    assert [one.points for one in paid] == [10, 40]
    assert [await shop.balance(one) for one in (ada, bob)] == [390, 459]


async def test_a_new_version_keeps_what_was_given_out(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "stock": 3})
    first = await shop.want(ada, "TEA")
    fewer = giving({**COFFEE, "code": "TEA", "stock": 2, "cost_points": 20})
    shop = shop.later(DAY)
    await program_file.load(program_file.check(fewer, name="test"), now=shop.now)
    later = shop.later(DAY)

    second = await later.want(ada, "TEA")
    with pytest.raises(OutOfStockError):
        await later.want(ada, "TEA")

    assert (first.points, second.points) == (40, 20)
    assert (await shop.redemption(first)).version == 1
    assert (await shop.redemption(second)).version == 2


async def test_a_limit_that_comes_later_counts_what_was_given_out_before(database: object):
    shop, ada = await opened()
    await shop.want(ada)
    limited = {**giving(), "rewards": [{**COFFEE, "stock": 2}]}
    await program_file.load(program_file.check(limited, name="test"), now=NOON + DAY)
    later = shop.later(2 * DAY)

    await later.want(ada)
    with pytest.raises(OutOfStockError):
        await later.want(ada)

    assert await taken(shop, "COFFEE") == 2


async def test_a_reward_that_is_no_more_cannot_be_had(database: object):
    shop, ada = await opened()
    await program_file.load(program_file.check({**giving(), "rewards": []}, name="t"), now=NOON)

    with pytest.raises(NotFoundError, match="no reward COFFEE"):
        await shop.later(DAY).want(ada)


async def test_who_loses_the_race_for_the_last_one_decides_again(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop, ada = await opened({**COFFEE, "code": "TEA", "stock": 1})
    really, attempts = rewards_service.move_stock, list[object]()

    async def lose_once(*given: Any, **named: Any) -> None:
        attempts.append(given)
        if len(attempts) == 1:
            raise rewards_service.StockTakenMeanwhileError("TEA")
        await really(*given, **named)

    monkeypatch.setattr(rewards_service, "move_stock", lose_once)

    wanted = await shop.want(ada, "TEA")

    assert (wanted.replayed, len(attempts)) == (False, 2)
    assert (await shop.balance(ada), await taken(shop, "TEA")) == (60, 1)
    assert await RedemptionRow.all().count() == 1


async def test_fifty_tills_at_once_share_what_is_left_and_never_overspend(database: object):
    shop = await open_shop(giving({**COFFEE, "code": "TEA", "stock": 7, "cost_points": 30}))
    crowd = [await with_points(shop, 50) for _ in range(10)]

    answers = await asyncio.gather(
        *(shop.want(crowd[number % 10], "TEA") for number in range(50)), return_exceptions=True
    )

    assert sum(isinstance(one, PointsMoved) for one in answers) == 7
    refused = {type(one) for one in answers if not isinstance(one, PointsMoved)}
    assert refused <= {OutOfStockError, InsufficientPointsError}
    assert await taken(shop, "TEA") == 7
    assert await RedemptionRow.all().count() == 7
    assert sorted([await shop.balance(one) for one in crowd]) == [20] * 7 + [50] * 3
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_fifty_tills_at_once_never_spend_one_members_points_twice(database: object):
    shop, ada = await opened()

    answers = await asyncio.gather(
        *(shop.want(ada, hold_minutes=number % 2 or None) for number in range(50)),
        return_exceptions=True,
    )

    assert sum(isinstance(one, PointsMoved) for one in answers) == 2
    assert sum(isinstance(one, InsufficientPointsError) for one in answers) == 48
    assert await shop.balance(ada) == 20


async def test_fifty_retries_at_once_have_one_effect_and_one_answer(database: object):
    shop, ada = await opened({**COFFEE, "code": "TEA", "stock": 9})

    answers = await asyncio.gather(*(shop.want(ada, "TEA", idempotency_key="k") for _ in range(50)))

    assert len({replace(one, replayed=False) for one in answers}) == 1
    assert sum(not one.replayed for one in answers) == 1
    assert (await shop.balance(ada), await taken(shop, "TEA")) == (60, 1)
