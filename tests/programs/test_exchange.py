from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.programs.exchange import (
    DatedRate,
    Exchange,
    ExchangeRate,
    check_rate,
    rate_on,
    rates_between,
)

MONDAY = date(2026, 3, 2)


def day(number: int) -> date:
    """Return a day of March 2026."""
    return date(2026, 3, number)


def imported(number: int, rate: str = "1.1") -> DatedRate:
    return DatedRate("USD", day(number), rate, is_imported=True)


def from_file(number: int, rate: str = "1.5") -> DatedRate:
    return DatedRate("USD", day(number), rate, is_imported=False)


@pytest.mark.parametrize(
    ("currency", "into", "rate", "amount", "worth"),
    [
        ("EUR", "USD", "1.0853", 1000, 1085),  # 10.00 EUR = 10.853 USD
        ("USD", "EUR", "0.9214", 1, 0),
        ("JPY", "EUR", "0.0061", 1000, 610),  # 1000 JPY = 6.10 EUR: no decimals here, two there
        ("EUR", "JPY", "163.42", 1050, 1715),  # 10.50 EUR = 1715.91 JPY
        ("KWD", "USD", "3.2512", 1234, 401),  # 1.234 KWD = 4.0119... USD
        ("USD", "KWD", "0.307571", 999, 3072),  # 9.99 USD = 3.07263... KWD
        ("KWD", "JPY", "488.5", 1, 0),
        ("EUR", "USD", "1", 10**15, 10**15),
    ],
)
def test_an_amount_is_converted_exactly_and_rounded_down_once(
    currency: str, into: str, rate: str, amount: int, worth: int
):
    assert Exchange(currency, into, rate, MONDAY).floor_minor(amount) == worth


@given(
    st.decimals("0.000001", "1000", places=6),
    st.lists(st.integers(0, 10**9), min_size=2, max_size=6),
)
def test_what_parts_are_worth_adds_up_to_the_whole(rate: Decimal, amounts: list[int]):
    exchange = Exchange("JPY", "KWD", str(rate), MONDAY)
    left = [sum(amounts[number:]) for number in range(len(amounts) + 1)]

    worth = [exchange.floor_minor(amount) for amount in left]

    parts = [more - less for more, less in pairwise(worth)]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == worth[0]


def test_what_is_kept_with_a_purchase_converts_it_again():
    exchange = Exchange("EUR", "USD", "1.0853", MONDAY)

    kept = exchange.to_json()

    assert kept == {"currency": "EUR", "into": "USD", "rate": "1.0853", "day": "2026-03-02"}
    assert Exchange.from_json(kept) == exchange


@pytest.mark.parametrize(
    ("case", "known", "rate"),
    [
        ("nothing is known", [], None),
        ("of the day", [imported(20)], "1.1"),
        ("of the day after", [imported(21)], None),
        ("a week old", [imported(13)], "1.1"),
        ("older than a week", [imported(12)], None),
        ("the newest", [imported(18), imported(19, "1.2"), imported(17)], "1.2"),
        ("of the file, however old", [from_file(1)], "1.5"),
        ("the file's next one", [from_file(1), from_file(20, "1.6"), from_file(21)], "1.6"),
        ("imported after the file's began", [from_file(10), imported(14)], "1.1"),
        ("the file's began after the imported one", [from_file(15), imported(14)], "1.5"),
        ("both of one day", [from_file(14), imported(14)], "1.1"),
        ("the file's, where the imported one is old", [from_file(1), imported(12)], "1.5"),
    ],
)
def test_the_rate_of_the_later_day_holds(case: str, known: list[DatedRate], rate: str | None):
    found = rate_on(day(20), known)

    assert (found and found.rate) == rate, case


def test_the_rates_of_a_period_begin_with_the_files_that_holds_then():
    yen = DatedRate("JPY", day(1), "0.006", is_imported=False)
    known = [from_file(9), imported(12), imported(10), imported(9), from_file(5), imported(13), yen]

    assert rates_between(day(10), day(12), known) == [yen, from_file(9), imported(10), imported(12)]
    assert rates_between(day(9), day(9), known) == [yen, from_file(9), imported(9)]


def test_a_rate_keeps_all_its_decimals_and_its_day_in_a_file():
    rate = ExchangeRate.model_validate(
        {"currency": "JPY", "from": MONDAY, "rate": "0.006123456789"}
    )

    assert rate.model_dump(mode="json") == {
        "currency": "JPY",
        "from": "2026-03-02",
        "rate": "0.006123456789",
    }
    assert ExchangeRate.model_validate(rate.model_dump(mode="json")) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1e3",
        ".5",
        "5.",
        "0",
        "0.000",
        "1_0",
        "1" * 10,
        f"0.{'1' * 13}",
        "\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_what_is_no_exact_decimal_above_zero_is_no_rate(text: str):
    with pytest.raises(ValueError, match="is no rate; write a decimal such as"):
        check_rate(text)


def test_a_rate_of_all_digits_fits():
    assert check_rate(f"{'9' * 9}.{'9' * 12}") == "999999999.999999999999"


def test_a_week_is_counted_in_days():
    assert rate_on(day(20) + timedelta(days=1), [imported(13)]) is None
