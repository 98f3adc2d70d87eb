"""What conditions know of a member at a moment."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP_DAY = (2, 29)


@dataclass(slots=True)
class MemberFacts:
    """A member at the moment `at`, which is in the programme's time zone and decides the day.

    `purchase_count`, `spend_minor` and `last_purchase_at` are of what was recorded before.
    `balance_points` leaves out points that are past their date or pending; below zero it is debt.
    `plan` is that of the subscription the member has the benefits of. Days are local days.
    """

    at: datetime = _NO_MOMENT
    status: str = ""
    locale: str = ""
    enrolled_at: datetime = _NO_MOMENT
    birthday: date | None = None
    has_email: bool = False
    has_phone: bool = False
    purchase_count: int = 0
    spend_minor: int = 0
    last_purchase_at: datetime | None = None
    balance_points: int = 0
    lifetime_points: int = 0
    tier: str | None = None
    tier_rank: int | None = None
    plan: str | None = None

    @property
    def language(self) -> str:
        """Return the language of the member's locale, such as `de` of `de-AT`."""
        return self.locale.replace("_", "-").partition("-")[0].lower()

    @property
    def enrolled_days(self) -> int:
        """Return how many days ago the member joined; 0 on the day itself."""
        return self._days_since(self.enrolled_at)

    @property
    def days_since_purchase(self) -> int | None:
        """Return how many days ago the last purchase was; None before the first."""
        return None if self.last_purchase_at is None else self._days_since(self.last_purchase_at)

    @property
    def birthday_month(self) -> int | None:
        """Return the month of the birthday, 1 to 12; None when it is not known."""
        return None if self.birthday is None else self.birthday.month

    @property
    def is_birthday(self) -> bool | None:
        """Return whether it is the member's birthday; None when that is not known.

        Who was born on 29 February has it on the 28th in the years between.
        """
        if self.birthday is None:
            return None
        return (self.birthday.month, self.birthday.day) in birthdays(self.at.date())

    @property
    def is_subscribed(self) -> bool:
        """Return whether the member has the benefits of a subscription."""
        return self.plan is not None

    def _days_since(self, instant: datetime) -> int:
        return (self.at.date() - instant.astimezone(self.at.tzinfo).date()).days


@lru_cache(maxsize=1024)
def birthdays(day: date) -> tuple[tuple[int, int], ...]:
    """Return the birthdays (month, day) that are kept on a day."""
    own = (day.month, day.day)
    is_leap = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
    return (own, _LEAP_DAY) if own == (2, 28) and not is_leap else (own,)


NOBODY = MemberFacts()
"""What is known when there is no member, as for a basket that is only tried."""
