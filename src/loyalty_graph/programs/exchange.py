"""Exchange rates: what an amount in another currency is worth in the programme's own, exactly.

Two sources know rates. One in the programme file holds from its day until the file's next one of
that currency; an imported one is for its day, and for at most `IMPORTED_DAYS_MAX` days after it,
since banks publish none on weekends and holidays. The later day wins; of one day, the imported one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.money import exponent_of

RATES_MAX = 1000
RATE_LENGTH_MAX = 22
IMPORTED_DAYS_MAX = 7
RATE_TEXT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?", re.ASCII)
DAY_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def check_rate(text: object) -> str:
    """Return the text of a rate, if it is an exact decimal above zero.

    Raises:
        ValueError: It is something else, or has more than 9 digits before the point or 12 after it.
    """
    if not isinstance(text, str):
        raise ValueError('a rate stands in quotes, so that it stays exact: "1.0853"')  # noqa: TRY004 - pydantic reads it
    if not RATE_TEXT.fullmatch(text) or not Fraction(text):
        raise ValueError(f"{text[:RATE_LENGTH_MAX]!r} is no rate; write a decimal such as 1.0853")
    return text


def check_day(value: object) -> date:
    """Return a day that is given as one, or as text.

    Raises:
        ValueError: There is no such day, or it is written in another way.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and DAY_TEXT.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"there is no day {value}") from None
    raise ValueError(f"{str(value)[:20]!r} is no day; write it as 2026-11-22")


def check_currency(code: str) -> str:
    """Return the code of a currency that exists.

    Raises:
        ValueError: ISO 4217 has no such code.
    """
    try:
        exponent_of(code)
    except InvalidInputError:
        raise ValueError(f"{code[:10]!r} is no currency; use an ISO 4217 code") from None
    return code


class ExchangeRate(BaseModel):
    """A rate in the programme file: units of the programme's currency for one of `currency`."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    currency: Annotated[str, AfterValidator(check_currency)]
    from_day: Annotated[date, BeforeValidator(check_day)] = Field(alias="from")
    rate: Annotated[str, BeforeValidator(check_rate)]


def check_rates(rates: tuple[ExchangeRate, ...]) -> tuple[ExchangeRate, ...]:
    """Return a file's rates, if no two of a currency begin on one day.

    Raises:
        ValueError: Two do.
    """
    places: dict[tuple[str, date], int] = {}
    for place, one in enumerate(rates):
        if (first := places.setdefault((one.currency, one.from_day), place)) != place:
            raise ValueError(
                f"[{place}]: a rate of {one.currency} from {one.from_day} stands at [{first}] too"
            )
    return rates


class DatedRate(NamedTuple):
    """What is known of a day: units of the programme's currency for one unit of another."""

    currency: str
    day: date
    rate: str
    is_imported: bool


@dataclass(frozen=True)
class Exchange:
    """How a purchase's amounts are converted: `rate` units `into` one for one of `currency`.

    `day` is the rate's, which may lie before the purchase's.
    """

    currency: str
    into: str
    rate: str
    day: date

    @cached_property
    def _ratio(self) -> Fraction:
        """The minor units of the one currency for a minor unit of the other."""
        shift = exponent_of(self.into) - exponent_of(self.currency)
        return Fraction(self.rate) * Fraction(10) ** shift

    def floor_minor(self, amount_minor: int) -> int:
        """Return what an amount is worth in minor units of `into`, rounded down once."""
        return amount_minor * self._ratio.numerator // self._ratio.denominator

    def to_json(self) -> dict[str, str]:
        """Return it as it is kept with a purchase."""
        return {
            "currency": self.currency,
            "into": self.into,
            "rate": self.rate,
            "day": self.day.isoformat(),
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """Return what was kept."""
        return cls(kept["currency"], kept["into"], kept["rate"], date.fromisoformat(kept["day"]))


def rate_on(day: date, rates: Iterable[DatedRate]) -> DatedRate | None:
    """Return the rate that holds on a day, of those known of one currency; None if none does."""
    holding = [one for one in rates if _holds(one, day)]
    return max(holding, key=lambda one: (one.day, one.is_imported), default=None)


def _holds(one: DatedRate, day: date) -> bool:
    age = (day - one.day).days
    return age >= 0 and (age <= IMPORTED_DAYS_MAX or not one.is_imported)


def rates_between(first: date, last: date, rates: Iterable[DatedRate]) -> list[DatedRate]:
    """Return the rates of the days of a period, by currency and day.

    A rate of the programme file that began before the period and holds on its first day is one.
    """
    known = sorted(rates, key=_place)
    begun = {one.currency: one for one in known if one.day <= first and not one.is_imported}
    within = (one for one in known if first <= one.day <= last)
    return sorted({*begun.values(), *within}, key=_place)


def _place(one: DatedRate) -> tuple[str, date, bool]:
    return one.currency, one.day, one.is_imported
