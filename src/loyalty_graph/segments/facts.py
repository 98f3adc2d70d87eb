"""What conditions know of a member at a moment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member at the moment of a purchase, before it counts; None where nothing is known.

    Days are those of the programme's time zone; amounts minor units of its currency.
    """

    status: str = "ACTIVE"
    language: str | None = None
    enrolled_days: int = 0
    birthday_month: int | None = None
    is_birthday: bool = False
    has_email: bool = False
    has_phone: bool = False
    purchase_count: int = 0
    spend_minor: int = 0
    days_since_purchase: int | None = None
    balance_points: int = 0
    lifetime_points: int = 0
    tier: str | None = None
    tier_rank: int = -1
    plan: str | None = None


NOBODY = MemberFacts()
"""Somebody of whom nothing is known, such as in a simulation without a member."""
