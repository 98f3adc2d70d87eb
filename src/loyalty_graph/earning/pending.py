"""Until when points that were earned cannot be spent, as the programme file says it."""

from datetime import date, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

DAYS_MAX = 365


class Pending(BaseModel):
    """For so many days, until a date, or for an event and at the latest for so many days.

    A day is one of the programme's time zone: the points can be spent as it begins. For 0 days they
    do not wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int | None = Field(default=None, ge=0, le=DAYS_MAX)
    until: date | None = None
    event: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,29}$")] | None = None
    latest_days: int | None = Field(default=None, ge=1, le=DAYS_MAX)

    @model_validator(mode="after")
    def _wait_for_one_thing(self) -> Self:
        if sum(one is not None for one in (self.days, self.until, self.event)) != 1:
            raise ValueError("points wait for one thing: days, until or event")
        if (self.event is None) != (self.latest_days is None):
            raise ValueError("an event has latest_days, since it may never come; nothing else has")
        return self

    @property
    def name(self) -> str:
        """Return a short name, the same for the same wait."""
        if self.event is not None:
            return f"{self.event}-{self.latest_days}"
        return str(self.days) if self.until is None else self.until.isoformat()

    def last_day(self, day: date) -> date:
        """Return the day on which points that were earned on a day can be spent at the latest."""
        if self.until is not None:
            return self.until
        return day + timedelta(days=self.days or self.latest_days or 0)

    def told(self) -> dict[str, Any]:
        """Return the wait as it stands in an explanation, as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)
