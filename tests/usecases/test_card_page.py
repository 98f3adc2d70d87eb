"""What the card page tells a member."""

from datetime import date, timedelta
from typing import Any

import pytest

from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import card_links, card_page, members
from loyalty_graph.usecases.entitlements import UseEntitlement, use_entitlement
from loyalty_graph.wallet.links import token_of
from tests.shop import DAY, Shop, by_id, open_shop, program
from tests.tiers.shop import with_tiers

KEY = b"k" * 32


async def linked(shop: Shop, **profile: Any) -> tuple[Member, str]:
    """Return a new member and the token of a link."""
    member = await shop.enrol(**profile)
    command = card_links.CreateCardLink("cli", str(member.id), by_id(member))
    made = await card_links.create(shop.program_id, command, key=KEY, now=shop.now)
    return member, token_of(shop.program_id, made.link_id, key=KEY)


async def test_it_shows_points_dates_and_reasons_in_the_members_locale(shop: Shop):
    ada, token = await linked(shop, first_name="Ada", locale="de-DE")
    await shop.buy(ada, (Line("MUG", 1, 25_000),))
    later = shop.later(30 * DAY)
    await later.buy(ada, (Line("COFFEE", 3, 450),))

    page = await card_page.read(token, now=later.now)

    assert (page.face.member_name, page.face.points_balance) == ("Ada", 1277)
    assert [(one.points, one.last_day) for one in page.endings] == [
        (1250, date(2026, 9, 2)),
        (27, date(2026, 10, 1)),
    ]
    told = [(one.kind, one.points, one.day, one.why and one.why.summary) for one in page.changes]
    assert told == [
        (Kind.EARN, 27, date(2026, 4, 1), "27 beans für einen Einkauf über 13,50\xa0€."),
        (Kind.EARN, 1250, date(2026, 3, 2), "1.250 beans für einen Einkauf über 250,00\xa0€."),
    ]
    assert (page.later_points, page.debt_points, page.suspended) == (0, 0, False)


async def test_dates_beyond_the_first_six_are_one_number(shop: Shop):
    ada, token = await linked(shop)
    for week in range(8):
        await shop.later(week * 7 * DAY).buy(ada)

    page = await card_page.read(token, now=shop.now + 60 * DAY)

    assert [one.points for one in page.endings] == [108] * 6
    assert page.later_points == 216


async def test_debt_is_told(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada, token = await linked(shop)
    bought = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(bought, None)

    page = await card_page.read(token, now=shop.now)

    assert (page.debt_points, page.face.points_balance) == (100, -100)


async def test_a_suspended_card_is_shown_as_one_and_a_closed_one_is_gone(shop: Shop):
    ada, token = await linked(shop)

    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=shop.now)
    suspended = await card_page.read(token, now=shop.now)
    await shop.close(ada)

    assert suspended.suspended
    with pytest.raises(NotFoundError):
        await card_page.read(token, now=shop.now)


async def test_the_state_changes_with_the_points_and_when_they_expire(shop: Shop):
    ada, token = await linked(shop)
    watched = await card_page.find(token, now=shop.now)

    async def state(time: timedelta) -> str:
        return (await card_page.states([watched], now=shop.now + time))[watched]

    new = await state(0 * DAY)
    await shop.buy(ada)
    bought, same, expired = [await state(time) for time in (0 * DAY, 9 * DAY, 300 * DAY)]

    assert bought == same == (await card_page.read(token, now=shop.now)).state
    assert len({new, bought, expired}) == 3


async def test_the_state_changes_with_what_counts_for_the_tier_and_with_what_was_used(
    database: object,
):
    shop = await open_shop(with_tiers())
    ada, token = await linked(shop)
    watched = await card_page.find(token, now=shop.now)
    states = []

    async def look() -> None:
        states.append((await card_page.states([watched], now=shop.now))[watched])

    await shop.buy(ada, (Line("GIFT_CARD", 1, 10_000),))
    await look()
    await shop.buy(ada, (Line("GIFT_CARD", 1, 1),))
    await look()
    wanted = UseEntitlement("partner:till", "use", by_id(ada), "REFILL")
    await use_entitlement(shop.program_id, wanted, now=shop.now)
    await look()

    assert len(set(states)) == 3
    assert (await shop.balance(ada)) == 0, "no points moved"


async def test_a_revoked_link_has_no_state(shop: Shop):
    _, token = await linked(shop)
    _, other = await linked(shop)
    gone, stays = [await card_page.find(one, now=shop.now) for one in (token, other)]

    await card_links.revoke(shop.program_id, gone.member_id, gone.link_id, now=shop.now)

    assert set(await card_page.states([gone, stays], now=shop.now)) == {stays}
