from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.tiers.models import TierChange
from loyalty_graph.usecases import tier_reviews
from loyalty_graph.usecases.tier_overrides import TierOverridden, override_tier
from tests.shop import DAY, NOON, Shop, open_shop
from tests.tiers.shop import Watch, tea, to_override, with_tiers

UNTIL = NOON + 30 * DAY


@pytest.fixture
async def shop(database: BaseDBAsyncClient) -> Shop:
    return await open_shop(with_tiers())


@pytest.fixture
async def ada(shop: Shop) -> Watch:
    return Watch(shop, await shop.enrol())


async def test_a_tier_given_by_hand_holds_until_its_end(shop: Shop, ada: Watch):
    done = await override_tier(shop.program_id, to_override(ada.member, "GOLD", UNTIL), now=NOON)

    bought = await shop.buy(ada.member, tea(1_000))
    tiers = [await ada.tier(UNTIL - timedelta(microseconds=1)), await ada.tier(UNTIL)]
    reviewed = await tier_reviews.review_due(shop.program_id, now=UNTIL, limit=10)

    assert done == TierOverridden(ada.member.id, "GOLD")
    assert bought.points == 15
    assert tiers == ["GOLD", "BASE"]
    assert reviewed == 1
    assert await ada.history() == [
        ("OVERRIDDEN", "BASE", "GOLD"),
        ("OVERRIDE_ENDED", "GOLD", "BASE"),
    ]
    rows = await TierChange.filter(member_id=ada.member.id).order_by("sequence")
    assert [(row.actor, row.reason) for row in rows] == [
        ("partner:till", "status match"),
        ("system", ""),
    ]


async def test_an_override_can_be_ended(shop: Shop, ada: Watch):
    await override_tier(shop.program_id, to_override(ada.member, "GOLD", UNTIL), now=NOON)
    end = to_override(ada.member, None, None, idempotency_key="end", reason="a mistake")

    done = await override_tier(shop.program_id, end, now=NOON)

    assert done.tier == await ada.tier() == "BASE"


async def test_an_override_first_records_what_time_has_brought(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(10_000))
    now = datetime(2028, 1, 5, tzinfo=UTC)

    command = to_override(ada.member, "GOLD", now + DAY)
    await override_tier(shop.program_id, command, now=now)

    assert await ada.history() == [
        ("UPGRADED", "BASE", "SILVER"),
        ("DOWNGRADED", "SILVER", "BASE"),
        ("OVERRIDDEN", "BASE", "GOLD"),
    ]
    reasons = await TierChange.all().order_by("sequence").values_list("reason", flat=True)
    assert list(reasons) == ["", "", "status match"]


async def test_a_retry_overrides_once_and_gets_the_first_answer(shop: Shop, ada: Watch):
    command = to_override(ada.member, "GOLD", UNTIL)
    await override_tier(shop.program_id, command, now=NOON)

    again = await override_tier(shop.program_id, command, now=UNTIL + DAY)

    assert again == TierOverridden(ada.member.id, "GOLD", replayed=True)
    assert len(await ada.facts()) == 1
    with pytest.raises(IdempotencyMismatchError):
        await override_tier(shop.program_id, to_override(ada.member, "SILVER", UNTIL), now=NOON)


@pytest.mark.parametrize(
    ("case", "tier", "until", "reason", "error"),
    [
        ("no such tier", "PEARL", UNTIL, "x", NotFoundError),
        ("without an end", "GOLD", None, "x", InvalidInputError),
        ("an end without a tier", None, UNTIL, "x", InvalidInputError),
        ("an end that is past", "GOLD", NOON, "x", InvalidInputError),
        ("an end of no zone", "GOLD", UNTIL.replace(tzinfo=None), "x", InvalidInputError),
        ("without a reason", "GOLD", UNTIL, " ", InvalidInputError),
        ("a reason too long", "GOLD", UNTIL, "x" * 501, InvalidInputError),
    ],
)
async def test_an_override_that_cannot_be_changes_nothing(  # noqa: PLR0913, PLR0917 - its columns
    shop: Shop,
    ada: Watch,
    case: str,
    tier: str | None,
    until: datetime | None,
    reason: str,
    error: type[LoyaltyError],
):
    command = to_override(ada.member, tier, until, reason=reason)

    with pytest.raises(error):
        await override_tier(shop.program_id, command, now=NOON)

    assert (await ada.tier(), await ada.facts()) == ("BASE", [])
    assert await IdempotencyRow.all().count() == 0


async def test_a_member_who_left_and_a_programme_without_tiers_are_refused(shop: Shop, ada: Watch):
    command = to_override(ada.member, "GOLD", UNTIL)
    plain: dict[str, Any] = {**with_tiers(), "tiers": None}
    plain["program"] = {**plain["program"], "slug": "plain"}
    other = await open_shop(plain)
    await shop.close(ada.member)

    with pytest.raises(MemberNotActiveError):
        await override_tier(shop.program_id, command, now=NOON)
    theirs = to_override(await other.enrol(), None, None)
    with pytest.raises(InvalidInputError, match="no tiers"):
        await override_tier(other.program_id, theirs, now=NOON)
    assert await ada.facts() == []
