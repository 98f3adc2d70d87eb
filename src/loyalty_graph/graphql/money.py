"""Money in the API: exact decimals as text, in the programme's currency."""

from decimal import Decimal

import strawberry

from loyalty_graph import money
from loyalty_graph.errors import InvalidInputError

WHOLE_DIGITS_MAX = 19


@strawberry.type(description="An exact amount of money.")
class Money:
    """A decimal and its currency."""

    amount: Decimal = strawberry.field(
        description='With all decimals of the currency, such as "12.50" EUR or "1250" JPY.'
    )
    currency_code: str = strawberry.field(description="ISO 4217, such as EUR.")


def money_of(minor: int, currency: str) -> Money:
    """Return minor units (cents) as the API shows them."""
    return Money(
        amount=Decimal(money.Money(minor, currency).to_text()),
        currency_code=currency,
    )


def minor_of(amount: Decimal, currency: str, *, field: str) -> int:
    """Return an amount of a request in minor units (cents); nothing is rounded.

    Raises:
        InvalidInputError: more decimals than the currency has, or beyond 64 bits; names `field`.
    """
    whole, _, fraction = format(amount, "f").partition(".")
    fraction = fraction.rstrip("0")
    exponent = money.exponent_of(currency)
    if len(fraction) > exponent:
        raise InvalidInputError(
            f"{amount:f} has more than the {exponent} decimals of {currency}.", field=field
        )
    if len(whole.lstrip("-0")) > WHOLE_DIGITS_MAX:
        raise InvalidInputError(f"{amount:f} {currency} does not fit into 64 bits.", field=field)
    shortest = f"{'-' * whole.startswith('-')}{whole.lstrip('-0') or '0'}.{fraction or '0'}"
    return money.Money.from_text(shortest, currency, field=field).minor
