"""Exchange rates: what other currencies are worth in the programme's, day by day."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.money import exponent_of
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.exchange import DatedRate
from loyalty_graph.usecases import exchange_rates

DAYS_MAX = 366
DAYS_DEFAULT = timedelta(days=30)


@strawberry.type(description="What one unit of another currency is worth in the programme's.")
class ExchangeRate:
    """A rate and the day it is of."""

    currency_code: str = strawberry.field(description="The other currency: ISO 4217, such as USD.")
    day: date = strawberry.field(description="The first day it holds for.")
    rate: Decimal = strawberry.field(
        description="Units of the programme's currency for one unit of the other, exactly."
    )
    imported: bool = strawberry.field(
        description=(
            "It was imported: it holds for its day, and until the next one for at most 7 days "
            "more. Otherwise it stands in the programme file and holds until the next one there."
        )
    )


def _rate(one: DatedRate) -> ExchangeRate:
    return ExchangeRate(
        currency_code=one.currency, day=one.day, rate=Decimal(one.rate), imported=one.is_imported
    )


async def _known(
    context: Context, currency: str, first: date | None, last: date | None
) -> list[ExchangeRate]:
    """Return the rates of a period.

    Raises:
        InvalidInputError: No such currency, or no such period.
    """
    exponent_of(currency, field="currencyCode")
    version = await programs.in_force(context.program_id, context.now, now=context.now)
    until = last or context.now.astimezone(version.settings.zone).date()
    since = first or until - min(DAYS_DEFAULT, until - date.min)
    if not 0 <= (until - since).days < DAYS_MAX:
        raise InvalidInputError(f"Ask for 1 to {DAYS_MAX} days.", field="from")
    found = await exchange_rates.known_between(
        context.program_id, since, until, now=context.now, currency=currency
    )
    return [_rate(one) for one in found]


@strawberry.type
class ExchangeRateQuery:
    """Queries about exchange rates."""

    @strawberry.field(
        description=(
            "The exchange rates of a currency that are known for some days, at most 366. "
            "A purchase keeps the one it was converted at: see `Purchase.exchangeRate`."
        ),
        extensions=[NeedsScope(Scope.PURCHASES_WRITE)],
    )
    async def exchange_rates(
        self,
        info: Info,
        currency_code: Annotated[
            str, strawberry.argument(description="Of which currency, such as USD.")
        ],
        first: Annotated[
            date | None,
            strawberry.argument(
                name="from", description="The first day; if not given, 30 days before the last."
            ),
        ] = None,
        last: Annotated[
            date | None,
            strawberry.argument(name="to", description="The last day; today, if not given."),
        ] = None,
    ) -> list[ExchangeRate]:
        return await _known(info.context, currency_code, first, last)
