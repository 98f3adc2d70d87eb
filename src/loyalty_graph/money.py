"""Exact money: whole minor units of an ISO 4217 currency, never a float."""

import re
from dataclasses import dataclass
from functools import lru_cache

from babel.numbers import get_currency_precision, is_currency

from loyalty_graph.errors import InvalidInputError

MINOR_MAX = 2**63 - 1
MINOR_MIN = -(2**63)

# CLDR (babel) gives the digits people write, ISO 4217 list one the minor unit. They differ here.
TWO_DECIMALS_UNLIKE_CLDR = frozenset(
    {"AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER"}
)
ISO_EXPONENTS_UNLIKE_CLDR = {"IQD": 3, **dict.fromkeys(TWO_DECIMALS_UNLIKE_CLDR, 2)}
DECIMAL_TEXT = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,9}))?", re.ASCII)


def exponent_of(currency: str, *, field: str | None = None) -> int:
    """Return how many decimals the currency has: 2 for EUR, 0 for JPY, 3 for KWD.

    Raises:
        InvalidInputError: no such ISO 4217 code.
    """
    exponent = _known_exponent(currency)
    if exponent is None:
        raise InvalidInputError(
            f"{currency!r} is not an ISO 4217 currency code such as EUR.", field=field
        )
    return exponent


@lru_cache(maxsize=512)
def _known_exponent(currency: str) -> int | None:
    # Every amount asks, and babel goes through all its currencies each time.
    if not (currency.isupper() and is_currency(currency, locale="en")):
        return None
    digits: int = get_currency_precision(currency)
    return ISO_EXPONENTS_UNLIKE_CLDR.get(currency, digits)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents) of one currency, within signed 64 bits.

    Raises:
        InvalidInputError: the amount does not fit, or the currency does not exist.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if not MINOR_MIN <= self.minor <= MINOR_MAX:
            raise InvalidInputError(f"An amount of {self.currency} does not fit into 64 bits.")

    @classmethod
    def from_text(cls, text: str, currency: str, *, field: str | None = None) -> "Money":
        """Read decimal text such as "12.5"; nothing is rounded.

        Raises:
            InvalidInputError: not a decimal, too many decimals, or too large; names `field`.
        """
        exponent = exponent_of(currency, field=field)
        match = DECIMAL_TEXT.fullmatch(text)
        if match is None:
            raise InvalidInputError(
                f"{text[:40]!r} is not a decimal amount such as 12.50.", field=field
            )
        sign, whole, fraction = match[1], match[2], (match[3] or "")
        if len(fraction.rstrip("0")) > exponent:
            raise InvalidInputError(
                f"{text} has more than the {exponent} decimals of {currency}.", field=field
            )
        minor = int(sign + whole + fraction[:exponent].ljust(exponent, "0"))
        if not MINOR_MIN <= minor <= MINOR_MAX:
            raise InvalidInputError(f"{text} {currency} does not fit into 64 bits.", field=field)
        return cls(minor, currency)

    def to_text(self) -> str:
        """Return the exact decimal with all its decimals: 1250 cents are "12.50"."""
        exponent = exponent_of(self.currency)
        digits = str(abs(self.minor)).rjust(exponent + 1, "0")
        sign = "-" if self.minor < 0 else ""
        if exponent == 0:
            return sign + digits
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._minor_of(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._minor_of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __mul__(self, times: int) -> "Money":
        return Money(self.minor * times, self.currency)

    def _minor_of(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise InvalidInputError(
                f"{self.currency} and {other.currency} cannot be reckoned together."
            )
        return other.minor
