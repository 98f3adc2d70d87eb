"""The rate of a purchase's day: which one it is, and what cannot be converted."""

from datetime import UTC, date, datetime

import pytest

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.errors import RateMissingError
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases.rules import AMOUNT_MINOR_MAX, Line
from loyalty_graph.usecases.exchange_rates import import_rates
from loyalty_graph.usecases.exchanging import Exchanges, Priced
from tests.shop import NOON, PROGRAM, Shop, open_shop

TEA = (Line("TEA", 2, 550),)
DOLLARS = [{"currency": "USD", "from": "2026-01-01", "rate": "0.9"}]


async def settings_of(shop: Shop) -> ProgramSettings:
    return (await programs.in_force(shop.program_id, shop.now, now=shop.now)).settings


async def converted(
    shop: Shop, currency: str | None, at: datetime, lines: tuple[Line, ...] = TEA
) -> tuple[Line, ...]:
    purchase = Priced(currency, await settings_of(shop), at)
    return (await Exchanges.of(shop.program_id, [purchase])).converted(lines, purchase)


async def imports(shop: Shop, *rows: str) -> None:
    text = "\n".join(["day,currency,rate", *rows])
    await import_rates(shop.program_id, text, name="rates.csv", now=shop.now)


@pytest.mark.parametrize("currency", [None, "EUR"])
async def test_the_programmes_own_currency_needs_no_rate(shop: Shop, currency: str | None):
    assert await converted(shop, currency, NOON) is TEA


async def test_an_imported_rate_counts_on_its_day_and_a_week_after_it(shop: Shop):
    await imports(shop, "2026-02-20,USD,0.91", "2026-02-27,USD,0.92", "2026-02-27,JPY,0.006")

    on_day, on_monday = [
        await converted(shop, "USD", datetime(2026, month, day, 12, tzinfo=UTC))
        for month, day in ((2, 26), (3, 2))
    ]

    assert on_day[0].exchange == Exchange("USD", "EUR", "0.91", date(2026, 2, 20))
    assert on_monday[0].exchange == Exchange("USD", "EUR", "0.92", date(2026, 2, 27))
    assert (on_monday[0].net_minor, on_monday[0].earning_minor) == (1100, 1012)
    with pytest.raises(RateMissingError, match="No exchange rate of USD is known for 2026-03-07"):
        await converted(shop, "USD", datetime(2026, 3, 7, 12, tzinfo=UTC))


async def test_days_are_those_of_the_programmes_time_zone(shop: Shop):
    await imports(shop, "2026-03-02,USD,0.92")

    # 23:30 in London is the next day in Berlin.
    next_day = await converted(shop, "USD", datetime(2026, 3, 1, 23, 30, tzinfo=UTC))

    assert next_day[0].earning_minor == 1012
    with pytest.raises(RateMissingError, match="USD is known for 2026-03-01"):
        await converted(shop, "USD", datetime(2026, 3, 1, 22, 30, tzinfo=UTC))


async def test_a_rate_of_the_file_counts_until_a_later_one_is_imported(database: object):
    shop = await open_shop({**PROGRAM, "exchange_rates": DOLLARS})
    await imports(shop, "2026-03-02,USD,0.92")

    before, after = [
        await converted(shop, "USD", datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (1, 2)
    ]

    assert [line.earning_minor for line in (*before, *after)] == [990, 1012]


async def test_rates_of_other_programmes_and_currencies_count_for_nothing(shop: Shop):
    other = await open_shop({**PROGRAM, "program": {**PROGRAM["program"], "slug": "tea-club"}})
    await imports(other, "2026-03-02,USD,0.92")
    await imports(shop, "2026-03-02,JPY,0.006")

    with pytest.raises(RateMissingError):
        await converted(shop, "USD", NOON)


@pytest.mark.parametrize(
    "line",
    [Line("TEA", 1, AMOUNT_MINOR_MAX), Line("TEA", 1, 1, tax_minor=AMOUNT_MINOR_MAX)],
    ids=["by its goods", "by its tax"],
)
async def test_a_purchase_worth_more_than_any_may_be_is_refused(shop: Shop, line: Line):
    await imports(shop, "2026-03-02,KWD,999999999.0")

    with pytest.raises(InvalidInputError, match="total is too large") as refusal:
        await converted(shop, "KWD", NOON, (line,))

    assert refusal.value.field == "lines"
