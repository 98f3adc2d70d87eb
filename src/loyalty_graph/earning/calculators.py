"""Calculators: the lines of a purchase become points, with every step written down."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from loyalty_graph.benefits.rules import Multiplier, multiplied
from loyalty_graph.earning.rules import check_points
from loyalty_graph.earning.settings import EarningSettings, UnknownProductTypes
from loyalty_graph.errors import UnknownProductTypeError
from loyalty_graph.purchases.rules import Line


@dataclass(frozen=True, slots=True)
class Calculation:
    """Points for a purchase; `line_points` stand beside the lines, `steps` hold JSON values.

    `points` are the lines' points, times the `multipliers` of the member.
    """

    points: int
    line_points: tuple[int, ...]
    steps: tuple[dict[str, Any], ...]
    multipliers: tuple[Multiplier, ...] = ()

    def times(self, multipliers: Sequence[Multiplier]) -> "Calculation":
        """Return the same lines with all their points multiplied, rounded down once.

        Raises:
            InvalidInputError: The points are more than one purchase may earn.
        """
        if not multipliers:
            return self
        points = multiplied(sum(self.line_points), multipliers)
        check_points(points)
        return replace(self, points=points, multipliers=tuple(multipliers))

    def pinned(self) -> dict[str, Any] | None:
        """Return what recomputing the points later needs beside the lines, as JSON values."""
        if not self.multipliers:
            return None
        return {"multipliers": [one.to_json() for one in self.multipliers]}

    def reckoning(self) -> dict[str, Any]:
        """Return how the points came about, as JSON values."""
        if not self.multipliers:
            return {"steps": list(self.steps)}
        multiplied = {
            "from": sum(self.line_points),
            "by": [one.to_json() for one in self.multipliers],
            "to": self.points,
        }
        return {"steps": list(self.steps), "multiplied": multiplied}


class RewardCalculator(ABC):
    """A way to turn the lines of a purchase into points."""

    name: str

    @abstractmethod
    def amounts(self, lines: Sequence[Line]) -> list[int]:
        """Return what may earn of each line: what money paid for what is left of it.

        In minor units of the programme's currency.
        """

    @abstractmethod
    def calculate(self, lines: Sequence[Line]) -> Calculation:
        """Return the points for what is left of these lines, and how they came about."""


class ProductTypeRewardCalculator(RewardCalculator):
    """Points by product type: each line at the rate of its type, or at the default rate."""

    name = "PRODUCT_TYPE"

    def __init__(self, settings: EarningSettings) -> None:
        self._default = settings.default_rate
        self._rates = {name: rate for rate in settings.rates for name in rate.product_types}
        self._excluded = frozenset(settings.excluded_product_types)
        self._known = settings.known
        self._refuses = settings.unknown_product_types is UnknownProductTypes.REFUSE
        self._counts_tax = settings.counts_tax
        self._excluded_skus = frozenset(settings.excluded_skus)
        self._excluded_labels = frozenset(settings.excluded_labels)
        self._refines = bool(self._excluded_skus or self._excluded_labels)

    def amounts(self, lines: Sequence[Line]) -> list[int]:
        """Return what may earn of each line: without tax, unless the programme counts it.

        Tax is spread over the units like a discount, so that partial refunds add up exactly. Points
        pay for goods, never for tax. Other currencies are converted line by line.
        """
        if self._counts_tax:
            return [line.converted(self._paid(line)) for line in lines]
        return [line.earning_minor for line in lines]

    def _paid(self, line: Line) -> int:
        """Return what money paid for what is left of a line, in the purchase's currency."""
        tax = line.tax_left_minor if self._counts_tax else 0
        return line.money_minor + tax

    def excludes(self, line: Line) -> bool:
        """Return whether the programme excludes what a line holds from earning anything."""
        return (
            line.product_type in self._excluded
            or line.sku in self._excluded_skus
            or not self._excluded_labels.isdisjoint(line.labels)
        )

    def calculate(self, lines: Sequence[Line]) -> Calculation:
        """Return the sum of the lines' points; each line is rounded by itself.

        Raises:
            UnknownProductTypeError: The rules refuse a product type they do not name.
            InvalidInputError: The points are more than one purchase may earn.
        """
        steps = tuple(map(self._step, lines, self.amounts(lines)))
        if lines and lines[0].exchange is not None:
            steps = tuple(map(self._exchanged, lines, steps))
        line_points = tuple(step["points"] for step in steps)
        points = sum(line_points)
        check_points(points)
        return Calculation(points, line_points, steps)

    def _exchanged(self, line: Line, step: dict[str, Any]) -> dict[str, Any]:
        """Return a step with what was converted: the amount, its currency, the rate."""
        assert line.exchange is not None, "all lines of a purchase have the same"
        return {**step, "paid": [self._paid(line), line.exchange.currency, line.exchange.rate]}

    def _step(self, line: Line, amount: int) -> dict[str, Any]:
        kind = line.product_type
        if self._refuses and kind not in self._known:
            raise UnknownProductTypeError(kind, sorted(self._known))
        if kind in self._excluded or (self._refines and self.excludes(line)):
            return {"type": kind, "amount": amount, "excluded": True, "points": 0}
        rate = self._rates.get(kind, self._default)
        if rate is None:
            return {"type": kind, "amount": amount, "excluded": True, "points": 0}
        return {
            "type": kind,
            "amount": amount,
            "rate": [rate.points, rate.per_amount_minor],
            "by": [rate.granularity, rate.rounding],
            "points": rate.points_for(amount),
        }
