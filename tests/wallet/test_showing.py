"""What cards show, and until when."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.money import Money
from loyalty_graph.usecases import subscriptions
from loyalty_graph.wallet import service
from loyalty_graph.wallet.face import CardFace, PlanFace, TierFace, ValueFace
from tests.delays import all_wait, midnight, waiting
from tests.shop import DAY, NOTE, Shop, giving, open_shop, program
from tests.tiers.shop import tea, with_tiers
from tests.usecases.subscribing import Club, open_club

MOMENT = timedelta.resolution
EXPIRY = datetime(2026, 9, 2, 22, tzinfo=UTC)
NEW_YEAR = datetime(2026, 12, 31, 23, tzinfo=UTC)
"""Midnight in Berlin."""


async def face(shop: Shop, member: Member, *, at: datetime | None = None) -> CardFace:
    return (await service.faces(shop.program_id, [member.id], now=at or shop.now))[member.id]


async def holds(shop: Shop, member: Member, *, at: datetime | None = None) -> datetime:
    """Return until when a card holds, having looked that it changes then, and not before."""
    begin = at or shop.now
    shown = await face(shop, member, at=begin)
    assert shown.holds_until is not None
    before = await face(shop, member, at=shown.holds_until - MOMENT)
    then = await face(shop, member, at=shown.holds_until)
    assert before == shown
    assert then != shown
    return shown.holds_until


@pytest.mark.usefixtures("database")
async def test_a_card_holds_until_points_are_announced_to_expire_and_then_until_they_do():
    shop = await open_shop()
    ada = await shop.enrol()
    assert (await face(shop, ada)).holds_until is None
    await shop.buy(ada)

    announced = await holds(shop, ada)

    assert announced == EXPIRY - timedelta(days=60)
    assert await holds(shop, ada, at=announced) == EXPIRY


@pytest.mark.usefixtures("database")
async def test_a_card_holds_until_points_that_wait_can_be_spent():
    shop = await open_shop()
    ada = await shop.enrol()
    with waiting(all_wait(14)):
        await shop.buy(ada)

    shown = await face(shop, ada)
    then = await face(shop, ada, at=await holds(shop, ada))

    assert (shown.points_balance, then.points_balance) == (0, 108)
    assert shown.last_change is not None
    assert shown.last_change.endswith("waiting")
    assert shown.holds_until == midnight(shop.now, 14)


@pytest.mark.usefixtures("database")
async def test_a_card_shows_what_is_left_of_points_that_pay_debt():
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    bought = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(bought, None)
    with waiting(all_wait(14)):
        await shop.buy(ada)

    shown = await face(shop, ada)
    then = await face(shop, ada, at=shown.holds_until)

    assert (shown.points_balance, then.points_balance) == (-100, 8)


@pytest.mark.usefixtures("database")
async def test_the_card_shows_the_tier_and_what_is_missing_to_the_next_until_the_year_ends():
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    await shop.buy(ada, tea(12_345))

    shown = await face(shop, ada)

    assert shown.tier_name == "Silver"
    assert shown.tier == TierFace(
        code="SILVER",
        until=datetime(2027, 12, 31, 23, tzinfo=UTC),
        next_name="Gold",
        missing=Money(17_655, "EUR"),
    )
    assert await holds(shop, ada, at=EXPIRY) == NEW_YEAR


@pytest.mark.usefixtures("database")
async def test_a_year_that_rolls_shows_what_falls_out_of_it_day_by_day():
    shop = await open_shop(with_tiers(window="ROLLING_12_MONTHS"))
    ada = await shop.enrol()
    await shop.buy(ada, tea(1_000))
    await shop.later(DAY).buy(ada, tea(1_000))

    first = await holds(shop, ada, at=EXPIRY + DAY)

    assert first == datetime(2027, 3, 1, 23, tzinfo=UTC)
    assert await holds(shop, ada, at=first) == first + DAY


@pytest.mark.usefixtures("database")
async def test_missing_points_are_a_number_where_tiers_go_by_points():
    shop = await open_shop(with_tiers(basis="QUALIFYING_POINTS"))
    ada = await shop.enrol()

    tier = (await face(shop, ada)).tier

    assert tier is not None
    assert tier.missing == 10_000


@pytest.fixture
async def club(database: object) -> Club:
    return await open_club()


async def test_the_card_shows_the_paid_membership_and_when_it_renews(club: Club):
    ada = await club.shop.enrol()
    mine = (await club.subscribe(ada)).key
    await club.pay(mine)
    period_end = datetime(2026, 4, 2, 11, tzinfo=UTC)

    shown = await face(club.shop, ada)

    assert shown.plan == PlanFace(
        name="Bean Plus",
        status="Active",
        renews=True,
        valid_until=period_end,
        ends_at=period_end + 6 * DAY,
    )
    assert await holds(club.shop, ada) == period_end
    values = shown.values()
    assert str(values["subscription.renews_on"]) == "2026-04-02"
    assert values["subscription.ends_on"] is None


async def test_a_cancelled_membership_says_its_last_day_and_then_that_it_is_over(club: Club):
    ada = await club.shop.enrol(locale="de")
    mine = (await club.subscribe(ada)).key
    await club.pay(mine)
    await club.do(subscriptions.CancelSubscription, mine)

    shown = await face(club.shop, ada)
    end = await holds(club.shop, ada)
    over = await face(club.shop, ada, at=end)

    assert shown.plan is not None
    assert over.plan is not None
    assert (shown.plan.status, shown.plan.renews) == ("Gekündigt", False)
    assert shown.plan.valid_until == shown.plan.ends_at == end
    assert (over.plan.status, over.plan.ends_at) == ("Beendet", end)


async def test_who_has_no_paid_membership_shows_none(club: Club):
    ada = await club.shop.enrol()

    assert (await face(club.shop, ada)).plan is None


@pytest.mark.usefixtures("database")
async def test_the_card_shows_the_money_on_all_vouchers_until_one_expires():
    shop = await open_shop(giving({**NOTE, "code_days": 10}))
    ada = await shop.enrol()
    await shop.buy(ada)
    first = await shop.want(ada, "NOTE")
    await shop.later(DAY).want(ada, "NOTE")
    await shop.use_money(first, 500)
    end = (await shop.voucher(first)).expires_at

    shown = await face(shop.later(DAY), ada)

    assert shown.value == ValueFace(balance=Money(3500, "EUR"), vouchers=2, expires_at=end)
    assert await holds(shop.later(DAY), ada) == end
    assert end is not None
    left = (await face(shop, ada, at=end)).value
    assert left is not None
    assert left.balance == Money(2000, "EUR")


@pytest.mark.usefixtures("database")
async def test_the_last_change_is_written_for_the_members_language():
    shop = await open_shop()
    bert = await shop.enrol(locale="de-DE")
    noor = await shop.enrol(locale="ar-EG")
    for member in (bert, noor):
        await shop.buy(member)

    assert (await face(shop, bert)).last_change == "02.03.2026: +108 beans gesammelt"
    arabic = (await face(shop, noor)).last_change
    assert arabic is not None
    assert arabic.endswith("+108 beans\u2069 مكتسبة")
    assert arabic.count("\u2068") == arabic.count("\u2069") == 2
