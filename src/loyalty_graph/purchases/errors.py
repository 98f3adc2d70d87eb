"""What can go wrong with purchases, each failure with its stable code.

LoyaltyError
├── PurchaseVoidedError           PURCHASE_VOIDED           it was undone as a whole
├── PurchaseRefundedError         PURCHASE_REFUNDED         some of it came back already
├── RefundAmountTooLargeError     REFUND_AMOUNT_TOO_LARGE   more than is left of the purchase
├── SpendLimitError               SPEND_LIMIT               more than one member can have spent
├── ClaimCodeUnknownError         CLAIM_CODE_UNKNOWN        no receipt has this code
├── ReceiptClaimedError           CLAIMED                   somebody has claimed it already
├── ReceiptUnclaimedError         RECEIPT_UNCLAIMED         it is nobody's purchase yet
├── ClaimExpiredError             CLAIM_EXPIRED             it had to be claimed before
└── TooManyClaimsError            TOO_MANY_CLAIMS           so many at once look like guessing
"""

from uuid import UUID

from loyalty_graph.errors import LoyaltyError, NotFoundError
from loyalty_graph.money import Money


class PurchaseVoidedError(LoyaltyError):
    """The purchase was voided: nothing of it is left to refund, to undo or to claim."""

    code = "PURCHASE_VOIDED"

    def __init__(self, *, field: str = "purchase") -> None:
        super().__init__("This purchase was voided.", field=field)


class PurchaseRefundedError(LoyaltyError):
    """Some of the purchase came back already, so it cannot be undone as a whole."""

    code = "PURCHASE_REFUNDED"

    def __init__(self) -> None:
        super().__init__(
            "Some of this purchase was refunded; refund the rest of it.", field="purchase"
        )


class RefundAmountTooLargeError(LoyaltyError):
    """More is to be given back than is left of what the purchase cost."""

    code = "REFUND_AMOUNT_TOO_LARGE"

    def __init__(self, *, asked: Money, left: Money) -> None:
        super().__init__(
            f"{_told(asked)} to refund, but only {_told(left)} are left of the purchase.",
            field="amount",
        )


class SpendLimitError(LoyaltyError):
    """A member would have spent more in all than can be kept."""

    code = "SPEND_LIMIT"

    def __init__(self, *, most: Money, spent: Money, more: Money) -> None:
        super().__init__(
            f"A member spends at most {_told(most)} in all; after {_told(spent)},"
            f" {_told(more)} are too much.",
            field="lines",
        )


class ClaimCodeUnknownError(LoyaltyError):
    """No receipt of this programme has this code."""

    code = "CLAIM_CODE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("No receipt has this code.", field="code")


class ReceiptClaimedError(LoyaltyError):
    """The receipt was claimed before."""

    code = "CLAIMED"

    def __init__(self, *, field: str = "code") -> None:
        super().__init__("This receipt has been claimed already.", field=field)


class ReceiptUnclaimedError(NotFoundError):
    """The receipt is nobody's purchase yet: it has earned nothing, so nothing can be taken back."""

    code = "RECEIPT_UNCLAIMED"

    def __init__(self, external_id: str, source: str, receipt_id: UUID) -> None:
        LoyaltyError.__init__(
            self,
            f"Nobody has claimed receipt {external_id} of {source}, and it has earned nothing. "
            "Void it as a whole, or claim it for a member first.",
            field="purchase",
        )
        self.receipt_id = receipt_id


class ClaimExpiredError(LoyaltyError):
    """The receipt could be claimed until a day that has passed."""

    code = "CLAIM_EXPIRED"

    def __init__(self, expires_at: object) -> None:
        super().__init__(f"This receipt could be claimed until {expires_at}.", field="code")


class TooManyClaimsError(LoyaltyError):
    """This caller has tried many codes in a short time; try again a little later."""

    code = "TOO_MANY_CLAIMS"

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many codes at once; try again in {wait_s} seconds.", field="code")


def _told(money: Money) -> str:
    return f"{money.to_text()} {money.currency}"
