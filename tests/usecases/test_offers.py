import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.earning.errors import (
    OfferActivatedError,
    OfferNotOpenError,
    OfferUsedUpError,
)
from loyalty_graph.earning.models import OfferActivation
from loyalty_graph.earning.offers import OfferState
from loyalty_graph.earning.rule_settings import Offer
from loyalty_graph.errors import (
    IdempotencyMismatchError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.outbox import FactRow
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases import members, offers, program_file, purchases, simulating
from loyalty_graph.usecases.offer_words import gives
from tests.shop import DAY, GOLDEN, NOON, PROGRAM, Shop, by_id, only, open_shop

BREAD: dict[str, Any] = {
    "code": "BREAD",
    "name": "Fresh bread",
    "description": "With any tea.",
    "points": 20,
    "lines": {"product_type": "TEA"},
}
LETTERS: dict[str, Any] = {
    "code": "LETTERS",
    "name": "For our readers",
    "multiplier": "2",
    "uses": 2,
    "audience": {"member": {"has_email": True}},
}
SOON: dict[str, Any] = {
    "code": "SOON",
    "name": "Spring",
    "points": 5,
    "opens_at": (NOON + DAY).isoformat(),
    "closes_at": (NOON + 2 * DAY).isoformat(),
}
SETTINGS = ProgramSettings.model_validate(PROGRAM["program"])
keys = count(1)


def offering(*given: dict[str, Any]) -> dict[str, Any]:
    return {**PROGRAM, "earning": {**PROGRAM["earning"], "offers": list(given)}}


@pytest.fixture
async def shop(database: BaseDBAsyncClient) -> Shop:
    return await open_shop(offering(BREAD, LETTERS, SOON))


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol(email="ada@example.com")


@pytest.fixture
async def bob(shop: Shop) -> Member:
    """Somebody without an address."""
    return await shop.enrol()


def wish(member: Member, code: str, **changes: Any) -> offers.ActivateOffer:
    wanted = offers.ActivateOffer("partner:till", f"clip-{next(keys)}", by_id(member), code)
    return replace(wanted, **changes)


async def clip(shop: Shop, member: Member, code: str) -> offers.OfferActivated:
    return await offers.activate(shop.program_id, wish(member, code), now=shop.now)


async def shown(shop: Shop, member: Member) -> list[tuple[str, OfferState, int]]:
    found = await offers.offers(shop.program_id, [member.id], now=shop.now)
    return [(one.offer.code, one.state, one.uses_left) for one in found[member.id]]


async def test_members_see_the_open_offers_that_are_for_them(shop: Shop, ada: Member, bob: Member):
    assert await shown(shop, ada) == [
        ("BREAD", OfferState.AVAILABLE, 1),
        ("LETTERS", OfferState.AVAILABLE, 2),
    ]
    assert await shown(shop, bob) == [("BREAD", OfferState.AVAILABLE, 1)]


@pytest.mark.parametrize(
    ("hours", "is_open"),
    [(23, False), (24, True), (47, True), (48, False)],
    ids=["before", "as it opens", "at its end", "as it closes"],
)
async def test_an_offer_is_open_from_its_opening_until_it_closes(
    shop: Shop, ada: Member, hours: int, *, is_open: bool
):
    then = shop.later(timedelta(hours=hours))

    codes = [code for code, _, _ in await shown(then, ada)]

    assert ("SOON" in codes) == is_open


async def test_an_offer_is_aimed_at_tiers_plans_and_segments_too(database: BaseDBAsyncClient):
    data = offering({**BREAD, "segments": ["READERS"]})
    segment = {"code": "READERS", "name": "Readers", "when": {"member": {"has_email": True}}}
    shop = await open_shop({**data, "segments": [segment]})
    ada, bob = await shop.enrol(email="ada@example.com"), await shop.enrol()

    assert [code for code, _, _ in await shown(shop, ada)] == ["BREAD"]
    assert await shown(shop, bob) == []
    with pytest.raises(NotFoundError):
        await clip(shop, bob, "BREAD")


async def test_an_activated_offer_is_kept_with_its_uses(shop: Shop, ada: Member):
    done = await clip(shop, ada, "LETTERS")

    assert done == offers.OfferActivated(ada.id, "LETTERS")
    row = await OfferActivation.get(member_id=ada.id)
    assert (row.offer, row.activated_at, row.used, row.uses_left) == ("LETTERS", NOON, 0, 2)
    assert (await shown(shop, ada))[1] == ("LETTERS", OfferState.ACTIVATED, 2)
    fact = await FactRow.get(kind="offer.activated")
    assert (fact.member_id, fact.payload) == (ada.id, {"offer": "LETTERS", "usesLeft": 2})


async def test_a_retry_activates_once_and_gets_the_first_answer(shop: Shop, ada: Member):
    command = wish(ada, "BREAD")

    first = await offers.activate(shop.program_id, command, now=NOON)
    again = await offers.activate(shop.program_id, command, now=NOON + DAY)

    assert again == replace(first, replayed=True)
    with pytest.raises(IdempotencyMismatchError):
        await offers.activate(shop.program_id, replace(command, offer="LETTERS"), now=NOON)
    assert await OfferActivation.all().count() == 1


async def test_what_was_activated_is_kept_whatever_the_member_becomes(shop: Shop, ada: Member):
    await clip(shop, ada, "LETTERS")
    await Member.filter(id=ada.id).update(email=None)

    assert ("LETTERS", OfferState.ACTIVATED, 2) in await shown(shop, ada)


async def test_what_cannot_be_activated_is_refused_and_nothing_is_kept(
    shop: Shop, ada: Member, bob: Member
):
    await clip(shop, ada, "BREAD")
    await clip(shop, ada, "LETTERS")
    await OfferActivation.filter(offer="LETTERS").update(used=2, uses_left=0)
    refusals: list[tuple[type[LoyaltyError], str | None]] = []

    for member, code in [
        (ada, "BREAD"),
        (ada, "LETTERS"),
        (ada, "SOON"),
        (bob, "LETTERS"),
        (bob, "NOTHING"),
        (bob, "x" * 500),
    ]:
        with pytest.raises(LoyaltyError) as refusal:
            await clip(shop, member, code)
        refusals.append((type(refusal.value), refusal.value.field))

    assert refusals == [
        (OfferActivatedError, "offer"),
        (OfferUsedUpError, "offer"),
        (OfferNotOpenError, "offer"),
        (NotFoundError, "offer"),
        (NotFoundError, "offer"),
        (NotFoundError, "offer"),
    ]
    assert await OfferActivation.filter(member_id=bob.id).count() == 0
    assert await OfferActivation.filter(member_id=ada.id).count() == 2
    assert await FactRow.filter(kind="offer.activated").count() == 2


async def test_offers_that_are_not_for_one_and_those_there_are_not_cannot_be_told_apart(
    shop: Shop, bob: Member
):
    messages = []
    for code in ("LETTERS", "NOTHING"):
        with pytest.raises(NotFoundError) as refusal:
            await clip(shop, bob, code)
        messages.append(refusal.value.message.replace(code, "?"))

    assert messages[0] == messages[1]


async def test_who_is_not_active_is_offered_nothing(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    assert await shown(shop, ada) == []
    with pytest.raises(MemberNotActiveError):
        await clip(shop, ada, "BREAD")
    assert not await OfferActivation.exists(member_id=ada.id)


async def test_an_offer_that_left_the_programme_is_shown_no_more(shop: Shop, ada: Member):
    await clip(shop, ada, "BREAD")
    later = shop.later(DAY)
    file = program_file.check(offering(LETTERS), name="test")
    await program_file.load(file, now=later.now)

    assert [code for code, _, _ in await shown(later, ada)] == ["LETTERS"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"points": 1}, "1 bean"),
        ({"multiplier": "3/2"}, "3/2 times the beans"),
        ({"rate": {"points": 2, "per_amount_minor": 100}}, "2 beans per 1.00 EUR"),
        (
            {"rate": {"points": 5, "per_amount_minor": 1000, "granularity": "STEP"}},
            "5 beans for each full 10.00 EUR",
        ),
        (
            {"steps": [{"from_minor": 2000, "points": 50}, {"from_minor": 4000, "points": 120}]},
            "50 beans from 20.00 EUR, 120 beans from 40.00 EUR",
        ),
    ],
)
def test_an_offer_says_what_it_gives(given: dict[str, Any], words: str):
    offer = Offer.model_validate({"code": "X", "name": "X", **given})

    assert gives(offer, SETTINGS) == words


async def left(member: Member) -> tuple[int, int]:
    row = await OfferActivation.get(member_id=member.id)
    return row.used, row.uses_left


async def test_purchases_at_the_same_time_use_an_offer_no_more_often_than_it_may_be(
    shop: Shop, ada: Member
):
    await clip(shop, ada, "LETTERS")

    bought = await asyncio.gather(*(shop.buy(ada) for _ in range(5)))

    assert sorted(one.points for one in bought) == [108, 108, 108, 216, 216]
    assert await left(ada) == (2, 0)
    used = await FactRow.filter(kind="offer.used").order_by("id").values_list("payload", flat=True)
    assert used == [{"offer": "LETTERS", "usesLeft": 1}, {"offer": "LETTERS", "usesLeft": 0}]


async def test_in_a_batch_the_first_purchase_uses_an_offer_and_a_retry_none(
    shop: Shop, ada: Member
):
    await clip(shop, ada, "BREAD")
    commands = [shop.receipt(ada) for _ in range(2)]

    first = await purchases.record(shop.program_id, commands, now=NOON)
    again = await purchases.record(shop.program_id, commands, now=NOON)

    assert [only([one]).points for one in first] == [128, 108]
    assert [only([one]).replayed for one in again] == [True, True]
    assert await left(ada) == (1, 0)


async def test_a_use_comes_back_when_nothing_of_its_points_stands(shop: Shop, ada: Member):
    await clip(shop, ada, "BREAD")
    bought = await shop.buy(ada)

    coffee = await shop.bring_back(bought, {1: 3})
    after_coffee = await left(ada)
    tea = await shop.bring_back(bought, {4: 2})

    assert (coffee.due_points, after_coffee) == (27, (1, 0))
    assert (tea.due_points, await left(ada)) == (7 + 20, (0, 1))
    assert (await FactRow.get(kind="offer.returned")).payload == {"offer": "BREAD", "usesLeft": 1}


async def test_a_simulation_knows_what_was_activated_and_uses_nothing(shop: Shop, ada: Member):
    await clip(shop, ada, "BREAD")
    basket = simulating.Basket(GOLDEN, NOON)

    mine = await simulating.simulate(shop.program_id, basket, now=NOON, member=by_id(ada))
    anybodys = await simulating.simulate(shop.program_id, basket, now=NOON)

    assert (mine.points, anybodys.points, await left(ada)) == (128, 108, (0, 1))
