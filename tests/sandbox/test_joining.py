"""What the demo's households bring and join, by the rules that are written down."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.ledger import reads as ledger
from loyalty_graph.ledger import service as books
from loyalty_graph.ledger.kinds import Book
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.members.models import Member, MemberMerge
from loyalty_graph.purchases.rules import Line
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.joining import (
    JOINED_AFTER,
    PARTED_AFTER,
    TWO_CARDS_WITHIN,
    Joining,
    Pair,
)
from loyalty_graph.usecases import members
from tests.sandbox.scripted import HOUSEHOLD, Decided, visited
from tests.shop import COFFEE, DAY, PROGRAM, Shop, giving, open_shop

pytestmark = pytest.mark.usefixtures("database")

FIRST, SECOND = "household-1", "household-1-second"
TWO = Decided(**{"two cards": 0})
MUG = (Line("MUG", 1, 1000),)


def joining(shop: Shop, chance: Chance) -> Joining:
    return Joining(shop.program_id, chance, shop.now.date())


async def pair(shop: Shop) -> Pair:
    """A household that takes two cards today, and buys a mug with each."""
    cards = joining(shop, TWO).enrolments(shop.now.date(), HOUSEHOLD)
    first, second = await members.enrol(shop.program_id, cards, now=shop.now)
    for member in (first, second):
        await shop.buy(member, MUG)
    return Pair(HOUSEHOLD, first.id, second.id, shop.now.date())


async def evening(shop: Shop, one: Pair, chance: Chance, *, of: Shop) -> None:
    """Let an evening of the demo that began with shop `of` come."""
    await joining(of, chance).evening(shop.now.date(), [one], now=shop.now)


async def balance(shop: Shop, member_id: UUID) -> int:
    return (await ledger.balances(shop.program_id, [member_id], now=shop.now))[member_id].available


@pytest.mark.parametrize(
    ("case", "two_cards", "late", "names"),
    [
        ("a pair", 0, 0 * DAY, [FIRST, SECOND]),
        ("on the last day for it", 0, TWO_CARDS_WITHIN, [FIRST, SECOND]),
        ("too late", 0, TWO_CARDS_WITHIN + DAY, [FIRST]),
        ("another household", 1, 0 * DAY, [FIRST]),
    ],
)
async def test_some_households_take_two_cards(
    case: str, two_cards: int, late: Any, names: list[str]
):
    shop = await open_shop()
    found = joining(shop, Decided(**{"two cards": two_cards}))

    cards = found.enrolments(shop.later(late).now.date(), HOUSEHOLD)

    assert [one.profile.external_id for one in cards] == names


@pytest.mark.parametrize(
    ("case", "cost", "lots"),
    [("the cheapest of two", 1000, (20, 20)), ("an odd one", 25, (12, 13)), ("two", 2, (1, 1))],
)
async def test_what_the_paper_card_was_worth_is_brought_along_in_two_lots(
    case: str, cost: int, lots: tuple[int, int]
):
    shop = await open_shop(giving(COFFEE | {"code": "OTHER", "cost_points": cost}))
    ada = await shop.enrol(external_id=FIRST)

    await joining(shop, Decided(**{"paper card": 0})).bring(
        shop.now.date(), [HOUSEHOLD], now=shop.now
    )

    found = await LotRow.filter(member_id=ada.id).order_by("sequence")
    assert tuple(one.points for one in found) == lots
    # Through the first of May, and six months after the second of March, at the shop's clock.
    assert [one.expires_at for one in found] == [
        datetime(2026, 5, 1, 22, tzinfo=UTC),
        datetime(2026, 9, 2, 22, tzinfo=UTC),
    ]
    texts = await TransferRow.filter(kind="MIGRATE").values_list("text", flat=True)
    assert set(texts) == {"simulated: from the paper card"}
    assert (await books.net_of_books(shop.program_id))[Book.MIGRATED] == -sum(lots)


@pytest.mark.parametrize(
    ("case", "data", "paper_card"),
    [
        ("other households", giving(), 1),
        ("no reward", PROGRAM, 0),
        ("too cheap a reward", {**PROGRAM, "rewards": [COFFEE | {"cost_points": 1}]}, 0),
    ],
)
async def test_nothing_is_brought_by_others_or_where_no_reward_costs_two_points(
    case: str, data: dict[str, Any], paper_card: int
):
    shop = await open_shop(data)
    await shop.enrol(external_id=FIRST)
    chance = Decided(**{"paper card": paper_card})

    await joining(shop, chance).bring(shop.now.date(), [HOUSEHOLD], now=shop.now)

    assert await TransferRow.all().count() == 0


async def test_two_cards_become_one_and_either_is_shown_as_before():
    shop = await open_shop()
    one = await pair(shop)
    later = shop.later(JOINED_AFTER)
    visit = await visited(later, member=await Member.get(id=one.first_id), row=3)
    shown = joining(shop, Decided(**{"second card": 0})).card(visit.basket, one.first_id, one)

    await evening(later.later(-DAY), one, Decided(), of=shop)
    before = await MemberMerge.all().count()
    await evening(later, one, Decided(), of=shop)
    bought = await later.buy(await Member.get(id=one.first_id), MUG, member=shown)

    assert before == 0
    assert (await Member.get(id=one.second_id)).status == "MERGED"
    assert bought.member_id == one.first_id
    assert await balance(later, one.first_id) == 50 + 50 + 500 + 50


@pytest.mark.parametrize(
    ("case", "number", "whose"), [("the second", 0, "second_id"), ("the first", 1, "first_id")]
)
async def test_a_hash_names_the_card_that_is_shown(case: str, number: int, whose: str):
    shop = await open_shop()
    one = await pair(shop)
    visit = await visited(shop, member=await Member.get(id=one.first_id))
    shown = joining(shop, Decided(**{"second card": number})).card(visit.basket, one.first_id, one)

    bought = await shop.buy(await Member.get(id=one.first_id), MUG, member=shown)

    assert bought.member_id == getattr(one, whose)


@pytest.mark.parametrize(
    ("case", "parted", "status"), [("a mistake", 0, "ACTIVE"), ("one household", 1, "MERGED")]
)
async def test_some_pairs_are_parted_again_a_week_later(case: str, parted: int, status: str):
    shop = await open_shop()
    one = await pair(shop)
    await evening(shop.later(JOINED_AFTER), one, Decided(), of=shop)

    await evening(shop.later(PARTED_AFTER), one, Decided(parted=parted), of=shop)

    assert (await Member.get(id=one.second_id)).status == status


async def test_who_has_something_open_keeps_both_cards():
    shop = await open_shop(giving())
    one = await pair(shop)
    later = shop.later(JOINED_AFTER)
    await later.want(await Member.get(id=one.second_id))

    await evening(later, one, Decided(), of=shop)
    await evening(shop.later(PARTED_AFTER), one, Decided(parted=0), of=shop)

    assert await MemberMerge.all().count() == 0
    assert await balance(later, one.second_id) == 10
