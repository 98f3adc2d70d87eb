"""What can go wrong with purchases, each failure with its stable code.

LoyaltyError
└── RefundAmountTooLargeError     REFUND_AMOUNT_TOO_LARGE   more than is left of the purchase
"""

from loyalty_graph.errors import LoyaltyError


class RefundAmountTooLargeError(LoyaltyError):
    """More is to be given back than is left of what the purchase cost; in minor units."""

    code = "REFUND_AMOUNT_TOO_LARGE"

    def __init__(self, *, asked_minor: int, left_minor: int) -> None:
        super().__init__(
            f"{asked_minor} minor units to refund, but only {left_minor} are left of the purchase.",
            field="amount",
        )
        self.asked_minor, self.left_minor = asked_minor, left_minor
