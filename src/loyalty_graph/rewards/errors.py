"""What can go wrong with rewards, each failure with its stable code.

LoyaltyError
├── RewardNotOpenError            REWARD_NOT_OPEN           before its window, or after it
├── RewardNotForMemberError       REWARD_NOT_FOR_MEMBER     for other members
├── RewardNotForTierError         REWARD_NOT_FOR_TIER       for members of other tiers
├── RewardLimitError              REWARD_LIMIT              the member had it as often as allowed
├── OutOfStockError               OUT_OF_STOCK              nothing of this reward is left
├── PriceChangedError             PRICE_CHANGED             it costs other than the caller expected
├── RedemptionStateError          REDEMPTION_STATE          the redemption is past that, or before
│   ├── RedemptionHeldError       REDEMPTION_HELD           not confirmed yet
│   ├── RedemptionIssuedError     REDEMPTION_ISSUED         confirmed, and its code not used yet
│   ├── RedemptionUsedError       REDEMPTION_USED           its code was used
│   ├── RedemptionExpiredError    REDEMPTION_EXPIRED        its code was not used in time
│   ├── RedemptionCancelledError  REDEMPTION_CANCELLED      it was called off
│   ├── RedemptionReleasedError   REDEMPTION_RELEASED       it was not confirmed in time
│   └── RedemptionRefundedError   REDEMPTION_REFUNDED       the reward was brought back
├── NotRefundableError            NOT_REFUNDABLE            the reward cannot be brought back
├── VoucherUsedError              VOUCHER_USED              nothing is left on it, or some is gone
├── VoucherVoidError              VOUCHER_VOID              its redemption was undone
├── VoucherExpiredError           VOUCHER_EXPIRED           its date has passed
├── VoucherAmountError            VOUCHER_AMOUNT            more than is left, or than was used
└── PaymentTooLargeError          PAYMENT_TOO_LARGE         points pay less of a purchase than that
"""

from collections.abc import Sequence
from typing import ClassVar

from loyalty_graph.errors import LoyaltyError


class RewardNotOpenError(LoyaltyError):
    """The reward's window has not begun, or is over."""

    code = "REWARD_NOT_OPEN"

    def __init__(self, reward: str, when: str) -> None:
        super().__init__(f"Reward {reward} {when}.", field="reward")


class RewardNotForMemberError(LoyaltyError):
    """The reward is for other members: its segments or its condition leave this one out."""

    code = "REWARD_NOT_FOR_MEMBER"

    def __init__(self, reward: str) -> None:
        super().__init__(f"Reward {reward} is not for this member.", field="reward")


class RewardNotForTierError(LoyaltyError):
    """The reward is for members of other tiers."""

    code = "REWARD_NOT_FOR_TIER"

    def __init__(self, reward: str, tiers: Sequence[str]) -> None:
        super().__init__(f"Reward {reward} is for {', '.join(tiers)} only.", field="reward")


class RewardLimitError(LoyaltyError):
    """The member had the reward as often as allowed."""

    code = "REWARD_LIMIT"

    def __init__(self, reward: str, limit: int) -> None:
        super().__init__(f"A member gets reward {reward} at most {limit} times.", field="reward")


class OutOfStockError(LoyaltyError):
    """Nothing of this reward is left."""

    code = "OUT_OF_STOCK"

    def __init__(self, reward: str) -> None:
        super().__init__(f"Nothing is left of reward {reward}.", field="reward")


class PriceChangedError(LoyaltyError):
    """The reward costs other than the caller expected, for this member and now."""

    code = "PRICE_CHANGED"

    def __init__(self, *, expected: int, cost: int) -> None:
        super().__init__(f"It costs {cost} points, not {expected}.", field="expectedCost")
        self.cost = cost


class RedemptionStateError(LoyaltyError):
    """The redemption is in a state that does not allow this; the subclass says in which."""

    code = "REDEMPTION_STATE"
    because: ClassVar[str] = "is past that"

    def __init__(self, wish: str) -> None:
        super().__init__(f"This cannot be {wish}: it {self.because}.", field="redemption")


class RedemptionHeldError(RedemptionStateError):
    """The points are set aside, but the redemption is not confirmed."""

    code = "REDEMPTION_HELD"
    because = "is not confirmed yet"


class RedemptionIssuedError(RedemptionStateError):
    """The redemption is confirmed, and its code was not used."""

    code = "REDEMPTION_ISSUED"
    because = "is confirmed, and its code was not used yet"


class RedemptionUsedError(RedemptionStateError):
    """The redemption's code was used."""

    code = "REDEMPTION_USED"
    because = "was used already"


class RedemptionExpiredError(RedemptionStateError):
    """The redemption's code was not used in time."""

    code = "REDEMPTION_EXPIRED"
    because = "has expired"


class RedemptionCancelledError(RedemptionStateError):
    """The redemption was called off."""

    code = "REDEMPTION_CANCELLED"
    because = "was cancelled"


class RedemptionReleasedError(RedemptionStateError):
    """The redemption was not confirmed in time, and its points went back."""

    code = "REDEMPTION_RELEASED"
    because = "was not confirmed in time"


class RedemptionRefundedError(RedemptionStateError):
    """The reward was brought back."""

    code = "REDEMPTION_REFUNDED"
    because = "was refunded"


class NotRefundableError(LoyaltyError):
    """The programme does not take this reward back."""

    code = "NOT_REFUNDABLE"

    def __init__(self, reward: str) -> None:
        super().__init__(f"Reward {reward} cannot be brought back.", field="redemption")


class VoucherUsedError(LoyaltyError):
    """Nothing is left on the voucher; or its redemption is to be undone and some of it is gone."""

    code = "VOUCHER_USED"


class VoucherVoidError(LoyaltyError):
    """The redemption that made the voucher was undone."""

    code = "VOUCHER_VOID"


class VoucherExpiredError(LoyaltyError):
    """The voucher's date has passed."""

    code = "VOUCHER_EXPIRED"


class VoucherAmountError(LoyaltyError):
    """More is used than is left, or more is given back than was used."""

    code = "VOUCHER_AMOUNT"


class PaymentTooLargeError(LoyaltyError):
    """The programme lets points pay a smaller part of a purchase."""

    code = "PAYMENT_TOO_LARGE"

    def __init__(self, *, points_max: int) -> None:
        super().__init__(f"At most {points_max} points pay here.", field="payWithPoints")
        self.points_max = points_max
