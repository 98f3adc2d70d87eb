"""A second, naive opinion of what bonus rules give, and of what stands when goods come back."""

from collections import Counter
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

from tests.usecases.naive_shop import ZONE, Bought, NoBonuses, points_for

DAYS_TO_WAIT = 14
DAILY_MUGS = 40
SHARED = 100
RULES: list[dict[str, Any]] = [
    {
        "code": "FIRST",
        "name": "First purchase",
        "points": 25,
        "when": {"purchase": {"is_first": True}},
    },
    {
        "code": "MUGS",
        "name": "Mugs",
        "multiplier": "3/2",
        "lines": {"product_type": "MUG"},
        "caps": [{"points": DAILY_MUGS, "per": "DAY"}],
    },
    {
        "code": "LARGE",
        "name": "Large",
        "points": 11,
        "when": {"purchase": {"total_minor": {"at_least": 5000}}},
        "caps": [{"times": 1, "per": "DAY"}],
    },
    {"code": "SHARED", "name": "Shared", "points": 9, "budget": {"points": SHARED}},
    {
        "code": "LATE",
        "name": "Later",
        "points": 13,
        "lines": {"product_type": "COFFEE"},
        "pending": {"days": DAYS_TO_WAIT},
    },
]


class NaiveBonuses(NoBonuses):
    """What the rules above gave, told by their words."""

    def __init__(self) -> None:
        self.mugs = Counter[tuple[int, date]]()
        self.large = Counter[tuple[int, date]]()
        self.shared = 0

    def give(self, bought: Bought, *, is_first: bool) -> None:
        """Give what the rules want to, as far as there is room."""
        bought.is_first = is_first
        wanted, today = self._wanted(bought), self._day(bought)
        wanted["MUGS"] = min(wanted["MUGS"], DAILY_MUGS - self.mugs[today])
        wanted["LARGE"] = 0 if self.large[today] else wanted["LARGE"]
        wanted["SHARED"] = min(wanted["SHARED"], SHARED - self.shared)
        bought.bonuses = wanted
        self._count(bought, wanted, 1)

    def take_back(self, bought: Bought) -> None:
        """Leave what the rules would give for what is left, and no more than stands."""
        before = bought.bonuses
        wanted = self._wanted(bought)
        bought.bonuses = {code: min(points, wanted[code]) for code, points in before.items()}
        gone = {code: points - bought.bonuses[code] for code, points in before.items()}
        self._count(bought, gone, -1)

    def _count(self, bought: Bought, points: dict[str, int], sign: int) -> None:
        today = self._day(bought)
        self.mugs[today] += sign * points["MUGS"]
        self.large[today] += sign * bool(points["LARGE"])
        self.shared += sign * points["SHARED"]

    @staticmethod
    def _day(bought: Bought) -> tuple[int, date]:
        return id(bought.member), bought.at.astimezone(ZONE).date()

    @staticmethod
    def _wanted(bought: Bought) -> dict[str, int]:
        cash = [
            (line.product_type, cents)
            for line, cents in zip(bought.lines, bought.cash(), strict=True)
            if line.product_type != "GIFT_CARD"
        ]
        total = sum(cents for _, cents in cash)
        coffee = sum(cents for kind, cents in cash if kind == "COFFEE")
        mugs = sum(
            points_for(Fraction(cents), bought.rates["MUG"])
            for kind, cents in cash
            if kind == "MUG"
        )
        return {
            "FIRST": 25 if bought.is_first and total else 0,
            "MUGS": floor(Fraction(mugs, 2)),
            "LARGE": 11 if total >= 5000 else 0,
            "SHARED": 9 if total else 0,
            "LATE": 13 if coffee else 0,
        }
