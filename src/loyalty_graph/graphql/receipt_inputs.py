"""What a till says of a receipt, whether it asks or records."""

from collections.abc import Sequence
from decimal import Decimal

import strawberry

from loyalty_graph.graphql.inputs import bounded
from loyalty_graph.graphql.money import minor_of
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases.exchanging import check_currency

STORE_CHARACTERS_MAX = 60
SKU_CHARACTERS_MAX = 60
CURRENCY = (
    "Of all its amounts, such as USD; the programme's, if not given. Another one counts by the "
    "exchange rate of the day, and points cannot pay a part of it."
)
PAYMENT = "How it was paid, such as CARD or CASH; rules may ask for it. At most 20 characters."


@strawberry.input(description="One line of a receipt. Amounts are in the receipt's currency.")
class PurchaseLineInput:
    """A line."""

    product_type: str = strawberry.field(description="What decides how it earns, such as COFFEE.")
    quantity: int = strawberry.field(description="How many units: 1 to 1,000,000.")
    unit_amount: Decimal = strawberry.field(
        description='The price of one unit, without tax, such as "4.50".'
    )
    discount: Decimal = strawberry.field(
        default=Decimal(0), description="Taken off the whole line, not off each unit."
    )
    tax: Decimal = strawberry.field(default=Decimal(0), description="On the whole line.")
    sku: str | None = strawberry.field(
        default=None, description="The article, in your own system; at most 60 characters."
    )
    labels: list[str] = strawberry.field(
        default_factory=list,
        description="What else rules may know it by, such as ORGANIC: at most 20 of 40 characters.",
    )

    def line(self, currency: str, *, field: str) -> Line:
        """Return the line in minor units.

        Raises:
            InvalidInputError: an amount or text cannot be used; names the part of `field`.
        """
        return Line(
            product_type=self.product_type,
            quantity=self.quantity,
            unit_minor=minor_of(self.unit_amount, currency, field=f"{field}.unitAmount"),
            discount_minor=minor_of(self.discount, currency, field=f"{field}.discount"),
            tax_minor=minor_of(self.tax, currency, field=f"{field}.tax"),
            sku=bounded(self.sku, SKU_CHARACTERS_MAX, field=f"{field}.sku"),
            labels=tuple(dict.fromkeys(label.strip() for label in self.labels)),
        )


def lines_of(given: Sequence[PurchaseLineInput], currency: str) -> tuple[Line, ...]:
    """Return the lines in minor units of their currency.

    Raises:
        InvalidInputError: there is no such currency, or an amount or text cannot be used.
    """
    check_currency(currency)
    return tuple(line.line(currency, field=f"lines.{place}") for place, line in enumerate(given))


def other_currency(given: str | None, own: str) -> str | None:
    """Return the currency of a receipt, or None when it is the programme's own."""
    return None if given == own else given
