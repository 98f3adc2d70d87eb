"""Other currencies: purchases get the rate of their day, at which their amounts count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple, Self
from uuid import UUID

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.money import exponent_of
from loyalty_graph.programs import rates
from loyalty_graph.programs.errors import RateMissingError
from loyalty_graph.programs.exchange import IMPORTED_DAYS_MAX, DatedRate, Exchange, rate_on
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases.rules import AMOUNT_MINOR_MAX, Line


def check_currency(currency: str | None) -> None:
    """Refuse what cannot be a purchase's currency; None is the programme's.

    Raises:
        InvalidInputError: ISO 4217 has no such code.
    """
    if currency is not None:
        exponent_of(currency, field="currencyCode")


class Priced(NamedTuple):
    """What a purchase's rate depends on: its currency (None: the programme's), settings, time."""

    currency: str | None
    settings: ProgramSettings
    at: datetime

    @property
    def foreign(self) -> str | None:
        """The currency, if it is another than the programme's."""
        return None if self.currency == self.settings.currency else self.currency

    @property
    def day(self) -> date:
        """The day of the purchase in the programme's time zone."""
        return self.at.astimezone(self.settings.zone).date()


@dataclass(frozen=True, slots=True)
class Exchanges:
    """What was imported of the currencies and days of some purchases."""

    imported: Mapping[str, Sequence[DatedRate]]

    @classmethod
    async def of(cls, program_id: UUID, purchases: Iterable[Priced]) -> Self:
        """Read what these purchases need; nothing, if all are in the programme's currency."""
        foreign = [(one.foreign, one.day) for one in purchases if one.foreign is not None]
        if not foreign:
            return cls({})
        days = [day for _, day in foreign]
        found = await rates.imported(
            program_id,
            min(days) - timedelta(days=IMPORTED_DAYS_MAX),
            max(days),
            currencies={currency for currency, _ in foreign},
        )
        known: dict[str, list[DatedRate]] = {}
        for one in found:
            known.setdefault(one.currency, []).append(one)
        return cls(known)

    def converted(self, lines: tuple[Line, ...], purchase: Priced) -> tuple[Line, ...]:
        """Return a purchase's lines with the rate of its day, if it is in another currency.

        Raises:
            RateMissingError: None is known for the day.
            InvalidInputError: It is worth more than a purchase may be.
        """
        currency, into = purchase.foreign, purchase.settings.currency
        if currency is None:
            return lines
        own = (one for one in purchase.settings.known_rates() if one.currency == currency)
        found = rate_on(purchase.day, (*own, *self.imported.get(currency, ())))
        if found is None:
            raise RateMissingError(currency, purchase.day)
        exchange = Exchange(currency, into, found.rate, found.day)
        exchanged = tuple(replace(line, exchange=exchange) for line in lines)
        goods = sum(line.converted(line.net_minor) for line in exchanged)
        tax = sum(line.converted(line.tax_minor) for line in exchanged)
        if max(goods, tax) > AMOUNT_MINOR_MAX:
            raise InvalidInputError("The purchase's total is too large.", field="lines")
        return exchanged
