"""Purchases in other currencies: what they earn and count for, and their refunds."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.programs.errors import RateMissingError
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases import reads
from loyalty_graph.purchases.models import MemberSummary, Purchase, PurchaseReference, Refund
from loyalty_graph.purchases.rules import Line
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases import program_file, purchases, simulating
from loyalty_graph.usecases.exchange_rates import import_rates
from tests.shop import DAY, GOLDEN, NOON, PROGRAM, Shop, open_shop, program
from tests.tiers.shop import with_tiers

RATES = [
    {"currency": "USD", "from": "2026-01-01", "rate": "0.9214"},
    {"currency": "JPY", "from": "2026-01-01", "rate": "0.0061"},
    {"currency": "KWD", "from": "2026-01-01", "rate": "3.0127"},
]
ABROAD: dict[str, Any] = {**PROGRAM, "exchange_rates": RATES}
TABLES = (TransferRow, Purchase, PurchaseReference, MemberSummary, FactRow)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(ABROAD)


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol()


async def everything() -> list[list[str]]:
    return [sorted(str(dict(row)) for row in await table.all()) for table in TABLES]


async def spend(member: Member) -> int:
    return (await MemberSummary.get(member_id=member.id)).spend_minor


async def test_a_purchase_keeps_its_amounts_and_earns_what_they_are_worth(shop: Shop, ada: Member):
    # COFFEE 13.50 USD = 12.4389 EUR earns 24, MUG 14.99 = 13.811786 earns 69, TEA 7.50 = 6.9105: 6.
    bought = await shop.buy(ada, currency="USD")

    stored = await Purchase.get()
    assert bought.points == 24 + 69 + 6
    assert (stored.currency, stored.total_minor) == ("USD", 6099)
    assert stored.spend_minor == 1243 + 1381 + 2303 + 691
    assert stored.exchange == {
        "currency": "USD",
        "into": "EUR",
        "rate": "0.9214",
        "day": "2026-01-01",
    }
    assert await spend(ada) == 5618


@pytest.mark.parametrize(
    ("currency", "unit", "points", "worth"),
    [("JPY", 1000, 6, 610), ("KWD", 1234, 3, 371)],
    ids=["no decimals", "three decimals"],
)
async def test_decimals_of_a_currency_are_its_own(
    shop: Shop, ada: Member, *, currency: str, unit: int, points: int, worth: int
):
    bought = await shop.buy(ada, (Line("TEA", 1, unit),), currency=currency)

    assert bought.points == points
    assert await spend(ada) == worth


async def test_refunds_in_parts_take_back_exactly_what_was_earned_at_the_rate_of_the_day(
    shop: Shop, ada: Member
):
    bought = await shop.buy(ada, currency="USD")
    await import_rates(
        shop.program_id, "day,currency,rate\n2026-03-03,USD,2\n", name="r.csv", now=NOON + DAY
    )
    cheaper = {**ABROAD, "exchange_rates": [{**RATES[0], "rate": "0.5"}]}
    await program_file.load(program_file.check(cheaper, name="test"), now=NOON + DAY)
    later = shop.later(2 * DAY)

    parts = [
        await later.bring_back(bought, {number: units})
        for number, units in ((1, 1), (2, 1), (1, 2), (4, 2), (3, 1))
    ]

    assert sum(part.due_points for part in parts) == bought.points
    assert sum(part.amount_minor for part in parts) == 6099
    assert {part.currency for part in parts} == {"USD"}
    refunds = await Refund.all()
    assert sum(row.spend_minor for row in refunds) == 5618
    assert await spend(ada) == 0
    assert await later.balance(ada) == 0
    counted = await reads.counted(shop.program_id, [ada.id])
    assert [(one.spend_minor, one.points) for one in counted[ada.id]] == [(0, 0)]


async def test_the_same_refund_twice_says_the_same(shop: Shop, ada: Member):
    bought = await shop.buy(ada, currency="USD")

    first = await shop.bring_back(bought, {1: 1}, idempotency_key="back")
    again = await shop.bring_back(bought, {1: 1}, idempotency_key="back")

    assert again == replace(first, replayed=True)


async def test_each_purchase_of_a_batch_has_the_rate_of_its_own_day(shop: Shop, ada: Member):
    text = "day,currency,rate\n2026-03-01,USD,0.5\n2026-03-02,USD,2\n"
    await import_rates(shop.program_id, text, name="r.csv", now=shop.now)
    tea = (Line("TEA", 1, 1000),)
    commands = [
        shop.receipt(ada, tea, currency="USD", purchased_at=NOON - timedelta(days=days))
        for days in (0, 1, 2)
    ]
    commands += [shop.receipt(ada, tea), shop.receipt(ada, tea, currency="GBP")]

    *done, refused = await purchases.record(shop.program_id, commands, now=shop.now)

    assert [one.points for one in done if not isinstance(one, LoyaltyError)] == [20, 5, 9, 10]
    assert isinstance(refused, RateMissingError)
    assert await spend(ada) == 2000 + 500 + 921 + 1000


async def test_a_member_rises_by_what_purchases_are_worth(database: object):
    shop = await open_shop({**with_tiers(), "exchange_rates": RATES})
    ada, bob = await shop.enrol(), await shop.enrol()

    # SILVER begins at 100.00 EUR: 108.54 USD are 100.008..., 108.53 are 99.999... of them.
    await shop.buy(ada, (Line("TEA", 1, 10854),), currency="USD")
    await shop.buy(bob, (Line("TEA", 1, 10853),), currency="USD")

    found = await tiers.tiers_of(shop.program_id, [ada.id, bob.id], now=shop.now)
    assert (found[ada.id], found[bob.id]) == ("SILVER", "BASE")


@pytest.mark.parametrize(
    ("case", "changes", "error", "field"),
    [
        ("no rate", {"currency": "GBP"}, RateMissingError, "currencyCode"),
        ("no currency", {"currency": "usd"}, InvalidInputError, "currencyCode"),
        (
            "paid with points",
            {"currency": "USD", "pay_points": 1},
            InvalidInputError,
            "payWithPoints",
        ),
    ],
)
async def test_what_cannot_be_converted_is_refused_and_nothing_changes(
    shop: Shop,
    ada: Member,
    *,
    case: str,
    changes: dict[str, Any],
    error: type[LoyaltyError],
    field: str,
):
    await shop.buy(ada)
    before = await everything()

    with pytest.raises(error) as refusal:
        await shop.buy(ada, **changes)

    assert refusal.value.field == field, case
    assert await everything() == before


async def test_points_pay_in_the_programmes_currency_only(database: object):
    worth = {"points": 1, "worth_minor": 1}
    shop = await open_shop({**program(payment=worth), "exchange_rates": RATES})
    ada = await shop.enrol()
    await shop.buy(ada)

    with pytest.raises(InvalidInputError, match="Points pay for purchases in EUR, not in USD"):
        await shop.buy(ada, currency="USD", pay_points=10)

    assert (await shop.buy(ada, pay_points=10)).paid_minor == 10


async def test_a_retry_with_another_currency_is_another_purchase(shop: Shop, ada: Member):
    command = shop.receipt(ada, currency="USD")
    first, again, other = await purchases.record(
        shop.program_id, [command, command, replace(command, currency="JPY")], now=shop.now
    )

    assert not isinstance(first, LoyaltyError)
    assert not isinstance(again, LoyaltyError)
    assert again == replace(first, replayed=True)
    assert isinstance(other, LoyaltyError)
    assert other.code == "IDEMPOTENCY_MISMATCH"


async def test_a_simulation_says_what_recording_gives(shop: Shop, ada: Member):
    basket = simulating.Basket(GOLDEN, NOON, currency="USD")

    tried = await simulating.simulate(shop.program_id, basket, now=shop.now)
    bought = await shop.buy(ada, currency="USD")

    assert tried.points == bought.points == 99
    assert tried.exchange is not None
    assert tried.exchange == Exchange("USD", "EUR", "0.9214", tried.exchange.day)
    with pytest.raises(RateMissingError):
        await simulating.simulate(shop.program_id, replace(basket, currency="GBP"), now=shop.now)


async def test_conditions_ask_for_the_receipts_currency_and_the_programmes_amount(
    database: object,
):
    cheap = {"at_most": 1000}
    by_total: dict[str, Any] = {"code": "TOTAL", "name": "A small purchase", "points": 50}
    by_total["when"] = {"purchase": {"currency": "USD", "total_minor": cheap}}
    by_unit: dict[str, Any] = {"code": "UNIT", "name": "Something small", "points": 7}
    by_unit["when"] = {"purchase": {"currency": "USD"}, "any_line": {"unit_minor": cheap}}
    earning = {**PROGRAM["earning"], "rules": [by_total, by_unit]}
    shop = await open_shop({**ABROAD, "earning": earning})
    ada = await shop.enrol()

    in_dollars = await shop.buy(ada, (Line("TEA", 1, 1085),), currency="USD")
    dearer = await shop.buy(ada, (Line("TEA", 1, 1087),), currency="USD")
    in_euros = await shop.buy(ada, (Line("TEA", 1, 900),))
    back = await shop.bring_back(in_dollars, None)

    assert [one.points for one in (in_dollars, dearer, in_euros)] == [66, 10, 9]
    assert back.due_points == 66
