import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.money import Money, exponent_of

MINORS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF", "IQD"])


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("IQD", 3), ("ALL", 2)],
)
def test_decimals_are_those_of_iso_4217(currency: str, exponent: int):
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (1250, "JPY", "1250"),
        (-7, "JPY", "-7"),
        (1, "KWD", "0.001"),
        (2**63 - 1, "EUR", "92233720368547758.07"),
        (-(2**63), "CLF", "-922337203685477.5808"),
    ],
)
def test_money_is_written_with_all_its_decimals(minor: int, currency: str, text: str):
    assert Money(minor, currency).to_text() == text
    assert Money.from_text(text, currency) == Money(minor, currency)


@given(MINORS, CURRENCIES)
def test_text_and_money_are_the_same_thing(minor: int, currency: str):
    money = Money(minor, currency)

    assert Money.from_text(money.to_text(), currency) == money


@pytest.mark.parametrize(
    ("text", "minor"), [("12", 1200), ("12.5", 1250), ("12.5000", 1250), ("-0", 0), ("007", 700)]
)
def test_fewer_decimals_and_trailing_zeros_are_read_exactly(text: str, minor: int):
    assert Money.from_text(text, "EUR") == Money(minor, "EUR")


@pytest.mark.parametrize(
    "text", ["", " 1", "1,50", "1e3", "NaN", "Infinity", "+1", ".5", "5.", "\u0661", "1_000", "0x1"]
)
def test_what_is_no_decimal_is_refused_by_its_field(text: str):
    with pytest.raises(InvalidInputError, match=r"is not a decimal amount such as 12\.50") as no:
        Money.from_text(text, "EUR", field="amount")

    assert no.value.field == "amount"


def test_nothing_is_rounded():
    with pytest.raises(InvalidInputError, match=r"1\.005 has more than the 2 decimals of EUR"):
        Money.from_text("1.005", "EUR")
    with pytest.raises(InvalidInputError, match=r"more than the 0 decimals of JPY"):
        Money.from_text("1.5", "JPY")


def test_beyond_64_bits_is_refused():
    most = Money(2**63 - 1, "EUR")

    with pytest.raises(InvalidInputError, match="64 bits"):
        most + Money(1, "EUR")
    with pytest.raises(InvalidInputError, match="64 bits"):
        -Money(-(2**63), "EUR")
    with pytest.raises(InvalidInputError, match="64 bits") as refused:
        Money.from_text("92233720368547758.08", "EUR", field="unitAmount")
    assert refused.value.field == "unitAmount"


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "ZZZ", "€"])
def test_an_unknown_currency_is_refused(currency: str):
    with pytest.raises(InvalidInputError, match="is not an ISO 4217 currency code"):
        Money(1, currency)


def test_money_of_one_currency_is_reckoned_exactly():
    assert Money(250, "EUR") + Money(5, "EUR") == Money(255, "EUR")
    assert Money(250, "EUR") - Money(255, "EUR") == Money(-5, "EUR")
    assert Money(250, "EUR") * 3 == Money(750, "EUR")


def test_mixed_currencies_are_refused():
    with pytest.raises(InvalidInputError, match="EUR and USD cannot be reckoned together"):
        Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(InvalidInputError, match="EUR and JPY cannot be reckoned together"):
        Money(1, "EUR") - Money(1, "JPY")
