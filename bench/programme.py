"""What a programme's rules cost: compiled from data, against the same rules written by hand.

Both sides begin with what the till sent and what is known of the member, and end with the points of
each rule; what the lines earn at their rates is given to both. By hand, a rule is a Python function
of the sale, and a driver of a few lines keeps groups, caps and budgets.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from time import thread_time_ns
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bench.rows import Measured, Row, alternate, row
from loyalty_graph.earning.basket import Basket
from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.counters import Counters
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.purchases.rules import Channel, Line
from loyalty_graph.segments.facts import MemberFacts

RULES = 50
BASKETS = 2_000
BAR = 2.5
ZONE = ZoneInfo("America/New_York")
MEMBER = UUID(int=1)
TYPES = ("GROCERY", "PRODUCE", "DELI", "BAKERY", "COFFEE", "FUEL")
LABELS = ("ORGANIC", "LOCAL", "CLEARANCE")
STORES = ("N1", "N2", "S1")
TIERS = (None, "SILVER", "GOLD")
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(slots=True)
class Sale:
    """What the till sent, what is known of the member, and what the lines earned.

    The last three are made from the others by the driver of the rules that are written by hand.
    """

    lines: tuple[Line, ...]
    purchased_at: datetime
    channel: str
    store: str
    payment: str
    tier: str | None
    birthday: date
    purchase_count: int
    base: Calculation
    at: datetime = START
    amounts: Sequence[int] = ()
    total: int = 0


Points = Callable[[Sale], int]


@dataclass(frozen=True, slots=True)
class Written:
    """A rule twice: as the programme file says it, and as a function."""

    data: dict[str, Any]
    points: Points
    group: str | None = None
    cap_a_day: int | None = None
    budget: int | None = None


def written_rules() -> Iterator[Written]:
    """Go through kinds of rules, over and over, with other numbers each time."""
    for turn in count():
        for kind in (
            spend, weekend, tier_rate, by_label, combination, first, birthday, at_store,
            happy_hour, stairs, many_of_one, not_on_sale, paid_by_app,
        ):  # fmt: skip
            yield kind(turn)


def spend(turn: int) -> Written:
    least, points = 6000 + 1500 * turn, 10 + turn
    return Written(
        {
            "points": points,
            "when": {"purchase": {"total_minor": {"at_least": least}}},
            **group(turn),
        },
        lambda sale: points if sale.total >= least else 0,
        f"GROUP{turn}",
    )


def group(turn: int) -> dict[str, str]:
    return {"group": f"GROUP{turn}"}


def weekend(turn: int) -> Written:
    types = frozenset(TYPES[turn : turn + 2])
    return Written(
        {
            "multiplier": "2",
            "when": {"time": {"weekday": ["SATURDAY", "SUNDAY"]}},
            "lines": {"product_type": sorted(types)},
            **group(turn),
        },
        lambda sale: (
            sum(
                points
                for line, points in zip(sale.lines, sale.base.line_points, strict=True)
                if line.product_type in types
            )
            if sale.at.weekday() >= 5
            else 0
        ),
        f"GROUP{turn}",
    )


def tier_rate(turn: int) -> Written:
    tiers, per = TIERS[1 + turn % 2 : 2 + turn % 2], 100 + turn
    return Written(
        {
            "rate": {"points": 1, "per_amount_minor": per},
            "tiers": list(tiers),
            "caps": [{"points": 40, "per": "DAY"}],
        },
        lambda sale: sale.total // per if sale.tier in tiers else 0,
        cap_a_day=40,
    )


def by_label(turn: int) -> Written:
    label, channel = LABELS[turn % 2], (Channel.POS, Channel.MOBILE)[turn // 2]
    return Written(
        {
            "rate": {"points": 3, "per_amount_minor": 200},
            "when": {"purchase": {"channel": channel.value}},
            "lines": {"labels": {"has": label}},
        },
        lambda sale: (
            3
            * sum(
                amount
                for line, amount in zip(sale.lines, sale.amounts, strict=True)
                if label in line.labels
            )
            // 200
            if sale.channel == channel
            else 0
        ),
    )


def combination(turn: int) -> Written:
    one, other = TYPES[turn], TYPES[turn + 1]
    return Written(
        {
            "points": 25,
            "when": {
                "all": [{"any_line": {"product_type": one}}, {"any_line": {"product_type": other}}]
            },
        },
        lambda sale: (
            25
            if any(line.product_type == one for line in sale.lines)
            and any(line.product_type == other for line in sale.lines)
            else 0
        ),
    )


def first(turn: int) -> Written:
    return Written(
        {"points": 100 + turn, "when": {"purchase": {"is_first": True}}},
        lambda sale: 100 + turn if sale.purchase_count == 0 else 0,
    )


def birthday(turn: int) -> Written:
    return Written(
        {"points": 200 + turn, "when": {"member": {"birthday_month": 1 + turn}}},
        lambda sale: 200 + turn if sale.birthday.month == 1 + turn else 0,
    )


def at_store(turn: int) -> Written:
    store = STORES[turn % 3]
    return Written(
        {
            "rate": {"points": 1, "per_amount_minor": 150, "granularity": "STEP"},
            "when": {"store": {"code": store}},
            "budget": {"points": 10**9},
        },
        lambda sale: sale.total // 150 if sale.store == store else 0,
        budget=10**9,
    )


def happy_hour(turn: int) -> Written:
    begins = 8 + turn
    return Written(
        {
            "points": 15,
            "when": {
                "time": {"hour": {"between": [begins, begins + 2]}},
                "purchase": {"channel": "MOBILE"},
            },
        },
        lambda sale: (
            15 if begins <= sale.at.hour <= begins + 2 and sale.channel == Channel.MOBILE else 0
        ),
    )


def stairs(turn: int) -> Written:
    steps, tier = ((1000 + turn, 5), (3000 + turn, 20), (6000 + turn, 60)), TIERS[1 + turn % 2]
    return Written(
        {
            "tiers": [tier],
            "steps": [{"from_minor": least, "points": points} for least, points in steps],
        },
        lambda sale: (
            next((points for least, points in reversed(steps) if sale.total >= least), 0)
            if sale.tier == tier
            else 0
        ),
    )


def many_of_one(turn: int) -> Written:
    kind, least = TYPES[turn], 2 + turn
    return Written(
        {
            "points": 12,
            "when": {"any_line": {"product_type": kind, "quantity": {"at_least": least}}},
        },
        lambda sale: (
            12
            if any(line.product_type == kind and line.left >= least for line in sale.lines)
            else 0
        ),
    )


def not_on_sale(turn: int) -> Written:
    least = 9000 + 1000 * turn
    return Written(
        {
            "points": 8,
            "when": {
                "sum_lines": {
                    "of": "amount_minor",
                    "where": {"not": {"labels": {"has": "CLEARANCE"}}},
                    "at_least": least,
                }
            },
        },
        lambda sale: (
            8
            if sum(
                amount
                for line, amount in zip(sale.lines, sale.amounts, strict=True)
                if "CLEARANCE" not in line.labels
            )
            >= least
            else 0
        ),
    )


def paid_by_app(turn: int) -> Written:
    begins = f"2026-01-0{1 + turn}T09:00"
    return Written(
        {
            "points": 6,
            "when": {"purchase": {"payment": "APP"}},
            "schedule": {"rrule": "FREQ=DAILY", "begins": begins, "minutes": 480},
        },
        lambda sale: 6 if sale.payment == "APP" and 9 <= sale.at.hour < 17 else 0,
    )


class Compiled:
    """The rules as the product runs them: a book is made once for a version."""

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self.counters = Counters()

    def decide(self, sale: Sale) -> dict[str, int]:
        at = sale.purchased_at.astimezone(ZONE)
        member = MemberFacts(
            at=at,
            status="ACTIVE",
            birthday=sale.birthday,
            purchase_count=sale.purchase_count,
            tier=sale.tier,
        )
        basket = Basket(
            sale.lines,
            self.book.calculator.amounts(sale.lines),
            at,
            channel=sale.channel,
            store=sale.store,
            payment=sale.payment,
            currency="USD",
            member=member,
        )
        mine = self.counters.of(MEMBER)
        earned = self.book.decide(basket, mine, sale.base)
        mine.take(earned.outcomes)
        return {one.code: one.points for one in earned.outcomes if one.points}


class ByHand:
    """The rules as somebody would write them down for one shop."""

    def __init__(self, rules: Sequence[Written]) -> None:
        self.rules = [(f"RULE{place}", one) for place, one in enumerate(rules)]
        self.given: dict[tuple[str, date], int] = {}
        self.spent: dict[str, int] = {}

    def decide(self, sale: Sale) -> dict[str, int]:
        sale.at = sale.purchased_at.astimezone(ZONE)
        sale.amounts = [line.earning_minor for line in sale.lines]
        sale.total = sum(sale.amounts)
        earned: dict[str, int] = {}
        best: dict[str, str] = {}
        for code, rule in self.rules:
            points = rule.points(sale)
            if not points:
                continue
            if rule.group is not None:
                other = best.setdefault(rule.group, code)
                if points <= earned.get(other, 0):
                    continue
                earned.pop(other, None)
                best[rule.group] = code
            if rule.cap_a_day is not None or rule.budget is not None:
                points = self.limited(code, rule, points, sale.at.date())
            if points:
                earned[code] = points
        return earned

    def limited(self, code: str, rule: Written, points: int, day: date) -> int:
        if rule.cap_a_day is not None:
            given = self.given.get((code, day), 0)
            points = min(points, rule.cap_a_day - given)
            self.given[code, day] = given + points
        if rule.budget is not None:
            spent = self.spent.get(code, 0)
            points = min(points, rule.budget - spent)
            self.spent[code] = spent + points
        return points


def sales(book: RuleBook) -> list[Sale]:
    """Return baskets of five lines, always the same."""
    chance = random.Random(5)  # noqa: S311 - it guards nothing
    made = []
    for _ in range(BASKETS):
        lines = tuple(
            Line(
                chance.choice(TYPES),
                chance.randint(1, 4),
                chance.randint(50, 2000),
                labels=tuple(one for one in LABELS if chance.random() < 0.2),
            )
            for _ in range(5)
        )
        made.append(
            Sale(
                lines,
                START + timedelta(minutes=chance.randrange(60 * 24 * 60)),
                chance.choice((Channel.POS, Channel.MOBILE)),
                chance.choice(STORES),
                chance.choice(("CARD", "APP")),
                chance.choice(TIERS),
                date(1990, chance.randint(1, 12), 5),
                chance.randrange(4),
                book.calculator.calculate(lines),
            )
        )
    return made


def rules50() -> list[Row]:
    """Fifty active rules over baskets of five lines, in turns with the same rules by hand."""
    rules = [rule for rule, _ in zip(written_rules(), range(RULES), strict=False)]
    settings = EarningSettings.model_validate(
        {
            "default_rate": {"points": 1, "per_amount_minor": 100},
            "rules": [
                {"code": f"RULE{place}", "name": f"Rule {place}", **one.data}
                for place, one in enumerate(rules)
            ],
        }
    )
    book = RuleBook(settings, ZONE)
    baskets = sales(book)
    assert rounds(Compiled(book), baskets) == rounds(ByHand(rules), baskets)
    ours, theirs = alternate(
        lambda: microseconds(Compiled(book), baskets),
        lambda: microseconds(ByHand(rules), baskets),
    )
    figure = row(
        "programme",
        "rules50",
        Measured(ours, "us/basket"),
        against="the same rules as Python functions",
        against_value=theirs,
        bar=BAR,
    )
    return [{**figure, "holds": figure["ratio"] <= BAR}]


def rounds(way: Compiled | ByHand, baskets: Sequence[Sale]) -> list[dict[str, int]]:
    return [way.decide(replace(sale)) for sale in baskets]


def microseconds(way: Compiled | ByHand, baskets: Sequence[Sale]) -> float:
    """Return the microseconds of the processor that a basket takes."""
    started = thread_time_ns()
    for sale in baskets:
        way.decide(sale)
    return (thread_time_ns() - started) / len(baskets) / 1000


SUITES = {"programme": rules50}
