import asyncio
from datetime import UTC, date, datetime

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.benefits.models import BenefitUse
from loyalty_graph.errors import (
    BenefitUsedUpError,
    IdempotencyMismatchError,
    LoyaltyError,
    MemberNotActiveError,
    NotEntitledError,
    NotFoundError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import members
from loyalty_graph.usecases.entitlements import (
    EntitlementUsed,
    UseEntitlement,
    entitlements,
    use_entitlement,
)
from tests.shop import DAY, NOON, PROGRAM, Shop, by_id, open_shop
from tests.tiers.shop import tea, with_tiers

TOMORROW = datetime(2026, 3, 2, 23, tzinfo=UTC)
"""When the day after NOON begins in Berlin."""


@pytest.fixture
async def shop(database: BaseDBAsyncClient) -> Shop:
    return await open_shop(with_tiers())


@pytest.fixture
async def ada(shop: Shop) -> Member:
    ada = await shop.enrol(birthday=date(1990, 3, 31))
    await shop.buy(ada, tea(10_000))
    return ada


def to_use(member: Member, benefit: str, key: str = "use") -> UseEntitlement:
    return UseEntitlement("partner:till", key, by_id(member), benefit)


async def codes(shop: Shop, member: Member, now: datetime = NOON) -> list[str]:
    found = await entitlements(shop.program_id, [member.id], now=now)
    return [one.benefit.code for one in found[member.id]]


async def test_a_tier_entitles_for_as_long_as_the_member_has_it(shop: Shop, ada: Member):
    bob = await shop.enrol()

    [refill] = (await entitlements(shop.program_id, [ada.id], now=NOON))[ada.id]

    assert (refill.benefit.code, refill.used, refill.left) == ("REFILL", 0, 2)
    assert refill.renews_at == TOMORROW
    [grant] = refill.grants
    assert (grant.source, grant.code) == ("TIER", "SILVER")
    assert refill.until == grant.until == datetime(2027, 12, 31, 23, tzinfo=UTC)
    assert await codes(shop, bob) == []
    assert await codes(shop, ada, datetime(2027, 12, 31, 23, tzinfo=UTC)) == []


async def test_a_birthday_gift_is_there_in_its_month(shop: Shop, ada: Member):
    bob = await shop.enrol(birthday=date(1990, 3, 31))
    april = datetime(2026, 3, 31, 22, tzinfo=UTC)

    assert await codes(shop, bob) == ["CAKE"]
    assert await codes(shop, bob, april) == []


async def test_who_is_not_active_may_use_nothing(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    assert await codes(shop, ada) == []
    with pytest.raises(MemberNotActiveError):
        await use_entitlement(shop.program_id, to_use(ada, "REFILL"), now=NOON)


async def test_uses_are_counted_and_begin_anew_with_the_period(shop: Shop, ada: Member):
    first = await use_entitlement(shop.program_id, to_use(ada, "REFILL", "1"), now=NOON)
    second = await use_entitlement(shop.program_id, to_use(ada, "REFILL", "2"), now=NOON)
    with pytest.raises(BenefitUsedUpError, match="All 2 uses of REFILL were made"):
        await use_entitlement(shop.program_id, to_use(ada, "REFILL", "3"), now=NOON)
    third = await use_entitlement(shop.program_id, to_use(ada, "REFILL", "3"), now=TOMORROW)

    assert [(one.used, one.left) for one in (first, second, third)] == [(1, 1), (2, 0), (1, 1)]
    rows = await BenefitUse.all().order_by("period", "number")
    assert [(row.period, row.number, row.source, row.code) for row in rows] == [
        (date(2026, 3, 2), 1, "TIER", "SILVER"),
        (date(2026, 3, 2), 2, "TIER", "SILVER"),
        (date(2026, 3, 3), 1, "TIER", "SILVER"),
    ]
    facts = await FactRow.filter(kind="entitlement.used").order_by("at")
    assert facts[2].payload == {
        "benefit": "REFILL",
        "source": "TIER",
        "code": "SILVER",
        "used": 1,
        "left": 1,
    }


async def test_what_is_not_counted_may_be_used_without_end(shop: Shop, ada: Member):
    await shop.buy(ada, tea(20_000))

    done = [
        await use_entitlement(shop.program_id, to_use(ada, "POST", f"{key}"), now=NOON)
        for key in range(3)
    ]

    assert [(one.used, one.left) for one in done] == [(1, None), (2, None), (3, None)]


async def test_a_retry_counts_once_and_gets_the_first_answer(shop: Shop, ada: Member):
    command = to_use(ada, "REFILL")
    first = await use_entitlement(shop.program_id, command, now=NOON)

    again = await use_entitlement(shop.program_id, command, now=NOON + 700 * DAY)

    assert first == EntitlementUsed(ada.id, "REFILL", 1, 1)
    assert again == EntitlementUsed(ada.id, "REFILL", 1, 1, replayed=True)
    assert await BenefitUse.all().count() == 1
    with pytest.raises(IdempotencyMismatchError):
        await use_entitlement(shop.program_id, to_use(ada, "POST"), now=NOON)


async def test_uses_at_once_never_go_above_the_limit(shop: Shop, ada: Member):
    async def use(key: int) -> EntitlementUsed | LoyaltyError:
        try:
            return await use_entitlement(shop.program_id, to_use(ada, "REFILL", f"{key}"), now=NOON)
        except BenefitUsedUpError as refusal:
            return refusal

    answers = await asyncio.gather(*(use(key) for key in range(20)))

    used = sorted(one.used for one in answers if isinstance(one, EntitlementUsed))
    assert used == [1, 2]
    assert await BenefitUse.all().count() == 2


@pytest.mark.parametrize(
    ("case", "benefit"), [("of a higher tier", "POST"), ("no such benefit", "LUNCH")]
)
async def test_what_nothing_grants_is_refused_and_changes_nothing(
    shop: Shop, ada: Member, case: str, benefit: str
):
    kept = await IdempotencyRow.all().count()

    with pytest.raises(NotEntitledError):
        await use_entitlement(shop.program_id, to_use(ada, benefit), now=NOON)

    assert await BenefitUse.all().count() == 0
    assert await IdempotencyRow.all().count() == kept


async def test_nobody_uses_nothing(shop: Shop):
    nobody = UseEntitlement(
        "partner:till", "k", Reference(ReferenceKind.EMAIL, "x@example.com"), "REFILL"
    )

    with pytest.raises(NotFoundError):
        await use_entitlement(shop.program_id, nobody, now=NOON)


async def test_a_programme_without_benefits_entitles_to_nothing(database: BaseDBAsyncClient):
    plain = await open_shop(PROGRAM)
    ada = await plain.enrol()

    assert await codes(plain, ada) == []


async def test_benefits_without_tiers_are_granted_by_nothing(database: BaseDBAsyncClient):
    shop = await open_shop({**with_tiers(), "tiers": None})

    assert await codes(shop, await shop.enrol()) == []
