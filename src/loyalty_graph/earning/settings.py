"""How a programme's members earn, as its file says it."""

from collections import Counter
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loyalty_graph.earning.pending import Pending
from loyalty_graph.earning.rule_settings import (
    CAPS_MAX,
    OFFERS_MAX,
    RULES_MAX,
    EarningRule,
    Label,
    Offer,
    Stacking,
    TotalCap,
)
from loyalty_graph.earning.rules import Rate

ProfileField = Literal["external_id", "email", "phone", "first_name", "last_name", "birthday"]


class UnknownProductTypes(StrEnum):
    """What happens to a product type the programme does not list."""

    REFUSE = "REFUSE"
    DEFAULT = "DEFAULT"


class TypeRate(Rate):
    """The rate of some product types."""

    product_types: tuple[str, ...] = Field(min_length=1)


class EarningSettings(BaseModel):
    """How a programme's members earn: the rates of the lines, bonus rules, offers.

    What is excluded earns nothing, and no bonus counts it, nor the part that points paid; shipping
    is a line like others, of a product type to exclude; without a `default_rate` types without
    a rate of their own earn nothing. Amounts are without tax unless `counts_tax`. A profile that
    has all `profile_fields` is complete, which an activity rule may reward. What purchases earn may
    wait (`pending`), also what rules and offers give for them that say nothing else. `caps` limit
    all points of purchases, whatever gave them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    product_types: tuple[str, ...] = ()
    excluded_product_types: tuple[str, ...] = ()
    excluded_skus: tuple[str, ...] = Field(default=(), max_length=1000)
    excluded_labels: tuple[Label, ...] = Field(default=(), max_length=100)
    unknown_product_types: UnknownProductTypes = UnknownProductTypes.DEFAULT
    counts_tax: bool = False
    default_rate: Rate | None = None
    rates: tuple[TypeRate, ...] = ()
    profile_fields: Annotated[tuple[ProfileField, ...], Field(min_length=1)] = (
        "email",
        "phone",
        "first_name",
        "last_name",
        "birthday",
    )
    pending: Pending | None = None
    stacking: Stacking = Stacking.SUM
    caps: tuple[TotalCap, ...] = Field(default=(), max_length=CAPS_MAX)
    rules: tuple[EarningRule, ...] = Field(default=(), max_length=RULES_MAX)
    offers: tuple[Offer, ...] = Field(default=(), max_length=OFFERS_MAX)

    @property
    def known(self) -> frozenset[str]:
        """Return every product type the rules name."""
        return frozenset((*self.product_types, *self.excluded_product_types, *self._rated))

    @property
    def _rated(self) -> tuple[str, ...]:
        return tuple(name for rate in self.rates for name in rate.product_types)

    @model_validator(mode="after")
    def _say_each_type_once(self) -> Self:
        rated = self._rated
        if twice := sorted({name for name, times in Counter(rated).items() if times > 1}):
            raise ValueError(f"{', '.join(twice)} has two rates")
        if both := sorted(set(rated) & set(self.excluded_product_types)):
            raise ValueError(f"{', '.join(both)} cannot have a rate and be excluded")
        return self

    @model_validator(mode="after")
    def _name_each_bonus_once(self) -> Self:
        places: dict[str, str] = {}
        for kind, bonuses in (("rules", self.rules), ("offers", self.offers)):
            for number, one in enumerate(bonuses):
                place = f"{kind}[{number}]"
                if one.code in places:
                    told = f"{one.code} stands at {places[one.code]} too"
                    raise ValueError(f"{place}.code: {told}; what a bonus gave is kept by it")
                places[one.code] = place
        return self
