from decimal import Decimal

import pytest

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.money import minor_of, money_of


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12.500000000000000000000000000000", "EUR", 1250),
        ("0000000000000000000000000000012", "JPY", 12),
        ("-0.01", "EUR", -1),
        ("-0", "EUR", 0),
        ("92233720368547758.07", "EUR", 2**63 - 1),
    ],
)
def test_an_amount_becomes_minor_units_exactly(text: str, currency: str, minor: int):
    assert minor_of(Decimal(text), currency, field="tax") == minor


@pytest.mark.parametrize(
    ("text", "currency", "message"),
    [
        ("0.001", "EUR", "0.001 has more than the 2 decimals of EUR."),
        ("1.5", "JPY", "1.5 has more than the 0 decimals of JPY."),
        (
            "0.0000000000000000000000001",
            "EUR",
            "0.0000000000000000000000001 has more than the 2 decimals of EUR.",
        ),
        (
            "92233720368547758.08",
            "EUR",
            "92233720368547758.08 EUR does not fit into 64 bits.",
        ),
        ("9" * 30, "EUR", f"{'9' * 30} EUR does not fit into 64 bits."),
    ],
)
def test_an_amount_that_cannot_be_is_refused_by_its_field(text: str, currency: str, message: str):
    with pytest.raises(InvalidInputError) as refused:
        minor_of(Decimal(text), currency, field="tax")

    assert (refused.value.message, refused.value.field) == (message, "tax")


def test_minor_units_are_shown_with_all_decimals():
    assert [str(money_of(minor, "EUR").amount) for minor in (0, 5, -1250)] == [
        "0.00",
        "0.05",
        "-12.50",
    ]
