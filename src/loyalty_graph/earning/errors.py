"""What can go wrong with offers, each failure with its stable code.

LoyaltyError
├── OfferNotOpenError             OFFER_NOT_OPEN            before its window, or after it
├── OfferActivatedError           OFFER_ACTIVATED           the member has activated it already
└── OfferUsedUpError              OFFER_USED_UP             the member has used it up
"""

from loyalty_graph.errors import LoyaltyError


class OfferNotOpenError(LoyaltyError):
    """The offer opens later, or is over."""

    code = "OFFER_NOT_OPEN"

    def __init__(self, offer: str) -> None:
        super().__init__(f"The offer {offer} is not open now.", field="offer")


class OfferActivatedError(LoyaltyError):
    """The member has activated the offer already; it waits for a purchase."""

    code = "OFFER_ACTIVATED"

    def __init__(self, offer: str, *, uses_left: int) -> None:
        super().__init__(
            f"The offer {offer} is activated already; uses left: {uses_left}.", field="offer"
        )


class OfferUsedUpError(LoyaltyError):
    """The member has used the offer as often as it may be used."""

    code = "OFFER_USED_UP"

    def __init__(self, offer: str) -> None:
        super().__init__(f"The offer {offer} is used up.", field="offer")
