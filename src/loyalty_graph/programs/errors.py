"""What can go wrong with exchange rates, each failure with its stable code.

LoyaltyError
├── RateMissingError    RATE_MISSING    no exchange rate for the day
└── RateFileError       RATE_FILE       a file of exchange rates that is wrong
"""

from loyalty_graph.errors import LoyaltyError


class RateMissingError(LoyaltyError):
    """No exchange rate of the purchase's currency is known for its day."""

    code = "RATE_MISSING"

    def __init__(self, currency: str, day: object) -> None:
        super().__init__(
            f"No exchange rate of {currency} is known for {day}; import one, then try again.",
            field="currencyCode",
        )


class RateFileError(LoyaltyError):
    """A file of exchange rates cannot be imported; `faults` name the lines, one each."""

    code = "RATE_FILE"
    is_told = False

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
