"""What a programme's settings mean: expiry dates, and which times a command may carry."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.numbers import list_currencies
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.programs import expiry as lives
from loyalty_graph.programs.exchange import RATES_MAX, DatedRate, ExchangeRate, check_rates
from loyalty_graph.programs.expiry import ExpiryPolicy, ExpirySettings
from loyalty_graph.programs.transfers import TransferSettings

STORES_MAX = 500
STORE_LABELS_MAX = 20
CLOCK_SKEW_MAX = timedelta(minutes=5)
CLOCK_STEP_MAX = timedelta(days=2)
"""How far our own clock may be set back between an answer and the retry that is to get it again."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class ClawbackPolicy(StrEnum):
    """What a refund takes when points that were earned are due back.

    What is there is taken; if too little is, the rest is forgiven (CLAMP_TO_ZERO) or becomes debt
    (ALLOW_NEGATIVE). PENDING_FIRST takes whatever waits before what can be spent, and forgives the
    rest; KEEP leaves the member everything.
    """

    CLAMP_TO_ZERO = "CLAMP_TO_ZERO"
    ALLOW_NEGATIVE = "ALLOW_NEGATIVE"
    PENDING_FIRST = "PENDING_FIRST"
    KEEP = "KEEP"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name} is no time zone; use a name such as Europe/Berlin") from error
    return name


def _known_currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError(f"{code} is no currency; use an ISO 4217 code such as EUR")
    return code


def _rgb(text: str) -> str:
    match = re.fullmatch(r"rgb\((\d{1,3}), ?(\d{1,3}), ?(\d{1,3})\)", text)
    if match is None or any(int(part) > COLOR_PART_MAX for part in match.groups()):
        raise ValueError(f"{text} is no colour; use rgb(18, 54, 42)")
    return f"rgb({int(match[1])}, {int(match[2])}, {int(match[3])})"


COLOR_PART_MAX = 255
Color = Annotated[str, AfterValidator(_rgb)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PaymentSettings(_Settings):
    """What points are worth when they pay a part of a basket: an exact ratio, and the largest part.

    `points` are worth `worth_minor` minor units; they pay at most `basket_percent_max` percent.
    """

    points: int = Field(ge=1, le=1_000_000)
    worth_minor: int = Field(ge=1, le=10**9)
    basket_percent_max: int = Field(default=100, ge=1, le=100)

    def floor_minor(self, points: int) -> int:
        """Return what these points are worth in minor units, rounded down."""
        return points * self.worth_minor // self.points

    def ceil_points(self, amount_minor: int) -> int:
        """Return the fewest points that are worth the amount."""
        return -(-amount_minor * self.points // self.worth_minor)

    def points_max(self, amount_minor: int) -> int:
        """Return the most points that are worth no more than the amount."""
        return ((amount_minor + 1) * self.points - 1) // self.worth_minor


APPROVAL_ABOVE_MAX = 10**12
APPROVAL_DAYS_MAX = 365


class PointSettings(_Settings):
    """How the programme's points are called, how long they live, and what they pay."""

    unit_one: str = Field(min_length=1, max_length=20)
    unit_other: str = Field(min_length=1, max_length=20)
    expiry_months: int | None = Field(default=None, ge=1, le=lives.MONTHS_MAX)
    expiry: ExpirySettings | None = None
    clawback: ClawbackPolicy = ClawbackPolicy.CLAMP_TO_ZERO
    payment: PaymentSettings | None = None
    transfers: TransferSettings | None = None
    approval_above: int | None = Field(default=None, ge=0, le=APPROVAL_ABOVE_MAX)
    approval_days: int = Field(default=14, ge=1, le=APPROVAL_DAYS_MAX)

    @model_validator(mode="after")
    def _expire_by_one_policy(self) -> Self:
        if self.expiry is not None and self.expiry_months is not None:
            raise ValueError("expiry_months is short for an expiry; write one of them")
        return self

    @cached_property
    def lives(self) -> ExpirySettings:
        """Return how long points live, however the file says it."""
        if self.expiry is not None:
            return self.expiry
        if self.expiry_months is None:
            return ExpirySettings(policy=ExpiryPolicy.NONE)
        return ExpirySettings(policy=ExpiryPolicy.ROLLING, months=self.expiry_months)


class Branding(_Settings):
    """How the programme looks on cards and pages; `template` is a folder of card templates."""

    template: str = Field(default="store-card", pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)
    background: Color = "rgb(18, 54, 42)"
    foreground: Color = "rgb(250, 247, 238)"
    label: Color = "rgb(228, 184, 92)"
    terms: str = Field(default="", max_length=4000)
    support: str = Field(default="", max_length=200)


class Store(_Settings):
    """A shop, as purchases name it by its `code`; `labels` say what conditions look for."""

    code: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    name: str = Field(min_length=1, max_length=60)
    labels: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = Field(
        default=(), max_length=STORE_LABELS_MAX
    )
    city: str = Field(default="", max_length=60)
    latitude: Decimal | None = Field(default=None, ge=-90, le=90, decimal_places=6)
    longitude: Decimal | None = Field(default=None, ge=-180, le=180, decimal_places=6)

    @model_validator(mode="after")
    def _be_somewhere_or_nowhere(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        return self


def _distinct_stores(stores: tuple[Store, ...]) -> tuple[Store, ...]:
    places: dict[str, int] = {}
    for place, store in enumerate(stores):
        if (first := places.setdefault(store.code, place)) != place:
            raise ValueError(f"[{place}].code: {store.code} stands at [{first}] too")
    return stores


class ProgramSettings(_Settings):
    """The settings of one version of a programme."""

    name: str = Field(min_length=1, max_length=60)
    slug: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    currency: Annotated[str, AfterValidator(_known_currency)]
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    accept_days: int = Field(default=365, ge=1, le=3650)
    claim_days: int | None = Field(default=None, ge=1, le=3650)
    sandbox: bool = False
    points: PointSettings
    branding: Branding = Branding()
    stores: Annotated[
        tuple[Store, ...], Field(max_length=STORES_MAX), AfterValidator(_distinct_stores)
    ] = ()
    exchange_rates: Annotated[
        tuple[ExchangeRate, ...], Field(max_length=RATES_MAX), AfterValidator(check_rates)
    ] = ()

    @model_validator(mode="after")
    def _convert_other_currencies(self) -> Self:
        if any(one.currency == self.currency for one in self.exchange_rates):
            raise ValueError(
                f"{self.currency} is the programme's own currency and has no exchange rate"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone that decides day and month edges."""
        return ZoneInfo(self.time_zone)

    def labels_of(self, store: str | None) -> frozenset[str]:
        """Return the labels of the store with a code; none where the programme knows no such."""
        return self._labels.get(store, frozenset())

    @cached_property
    def _labels(self) -> Mapping[str | None, frozenset[str]]:
        return {one.code: frozenset(one.labels) for one in self.stores}

    def expires_at(self, earned_at: datetime) -> datetime:
        """Return the instant from which points earned at `earned_at` cannot be spent any more.

        They live through their last local day; `NEVER` when they do not expire.
        """
        local_day = earned_at.astimezone(self.zone).date()
        return lives.expires_at(self.points.lives, local_day, self.time_zone) or NEVER

    def check_time(self, at: datetime, *, now: datetime, field: str) -> None:
        """Refuse a time that is ahead of now, or older than the programme accepts.

        Raises:
            InvalidInputError: `at` is more than 5 minutes ahead, or more than `accept_days` old.
        """
        _check_not_ahead(at, now=now, field=field)
        if at < now - timedelta(days=self.accept_days):
            raise InvalidInputError(
                f"{at.isoformat()} is more than {self.accept_days} days ago;"
                " this programme accepts nothing older.",
                field=field,
            )

    def known_rates(self) -> list[DatedRate]:
        """Return the exchange rates that the programme file says."""
        return [
            DatedRate(one.currency, one.from_day, one.rate, is_imported=False)
            for one in self.exchange_rates
        ]

    def as_sandbox(self) -> Self:
        """Return the same settings for a programme in which nothing is real."""
        return self.model_copy(update={"sandbox": True})

    def same_tenant(self, other: Self) -> bool:
        """Return whether `other` may be a later version of this programme."""
        return (self.slug, self.currency, self.sandbox) == (
            other.slug,
            other.currency,
            other.sandbox,
        )


def check_offset(at: datetime, *, field: str) -> None:
    """Refuse a time that does not say which instant it means.

    Raises:
        InvalidInputError: It has no offset.
    """
    if at.tzinfo is None:
        raise InvalidInputError("The time needs an offset, such as Z or +02:00.", field=field)


def check_moment(
    at: datetime, *, now: datetime, field: str, ahead: timedelta = CLOCK_SKEW_MAX
) -> None:
    """Refuse a time that no programme accepts, before its day is counted in one's time zone.

    Raises:
        InvalidInputError: It has no offset, is more than `ahead` of now, or before 1970.
    """
    check_offset(at, field=field)
    _check_not_ahead(at, now=now, field=field, ahead=ahead)
    if at < EARLIEST:
        raise InvalidInputError(f"{at.isoformat()} is before 1970.", field=field)


def _check_not_ahead(
    at: datetime, *, now: datetime, field: str, ahead: timedelta = CLOCK_SKEW_MAX
) -> None:
    if at > now + ahead:
        raise InvalidInputError(
            f"{at.isoformat()} lies in the future; it is {now.isoformat()}.", field=field
        )
