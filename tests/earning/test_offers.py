"""Offers as they are counted, opened and used."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.earning import offers
from loyalty_graph.earning.offers import Activation, OfferState, OnOffer
from loyalty_graph.segments.facts import MemberFacts
from tests.earning.books import ADA, BOB, NOON, book, rule

BEANS, TEAS = UUID(int=21), UUID(int=22)
CLIPPED = Activation("BREAD", NOON, 0, 2)


def on_offer(**given: object) -> OnOffer:
    [made] = book(offers=[rule("BREAD", **given)]).bonuses
    return OnOffer(made)


def test_an_offer_is_used_until_nothing_is_left_and_may_be_given_back():
    once, twice = CLIPPED.use(1), CLIPPED.use(2)

    assert (once.used, once.uses_left, once.state) == (1, 1, OfferState.ACTIVATED)
    assert (twice.used, twice.uses_left, twice.state) == (2, 0, OfferState.USED_UP)
    assert twice.use(-2) == CLIPPED


def test_an_offer_is_open_from_its_first_instant_to_before_its_last():
    hour, moment = timedelta(hours=1), timedelta(microseconds=1)
    both = {"opens_at": (NOON - hour).isoformat(), "closes_at": (NOON + hour).isoformat()}
    one = on_offer(**both)
    instants = (NOON - hour - moment, NOON - hour, NOON + hour - moment, NOON + hour)

    assert [one.is_open(at) for at in instants] == [False, True, True, False]
    assert on_offer().is_open(NOON)


def test_an_offer_is_for_those_it_names_and_who_hears_of_it():
    gold = MemberFacts(tier="GOLD", has_email=True)
    one = on_offer(tiers=["GOLD"], audience={"member": {"has_email": True}})

    assert one.is_for(gold)
    assert not one.is_for(replace(gold, has_email=False))
    assert not one.is_for(replace(gold, tier=None))
    assert on_offer().is_for(MemberFacts())


def test_rules_are_not_on_offer():
    with pytest.raises(AssertionError, match="rules need no activation"):
        OnOffer(book(rule()).bonuses[0])


async def test_those_count_who_can_still_use_an_offer(database: object):
    @transaction
    async def keep(program_id: UUID, member_id: UUID, one: Activation) -> None:
        await store(program_id, [offers.activate(member_id, one)])

    await keep(BEANS, ADA, replace(CLIPPED, uses_left=1))
    await keep(BEANS, BOB, CLIPPED)
    await keep(BEANS, UUID(int=3), CLIPPED.use(2))
    await keep(BEANS, ADA, replace(CLIPPED, offer="MILK"))
    await keep(TEAS, ADA, CLIPPED)

    found = await offers.activated_counts(BEANS, ["BREAD", "SOON", "MILK"])

    assert found == {"BREAD": 2, "SOON": 0, "MILK": 1}


async def test_what_was_activated_is_found_by_member_and_offer(database: object):
    milk = replace(CLIPPED, offer="MILK", used=3, uses_left=0)
    for one in (CLIPPED, milk):
        await transaction(store)(BEANS, [offers.activate(ADA, one)])

    used = {(ADA, "BREAD"): CLIPPED.use(1), (ADA, "MILK"): milk.use(-1)}
    await transaction(store)(BEANS, [offers.use_writes(used)])

    found = await transaction(offers.activations)(BEANS, [BOB, ADA])
    assert found == {BOB: {}, ADA: {"BREAD": CLIPPED.use(1), "MILK": milk.use(-1)}}
