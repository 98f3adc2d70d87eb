"""Why points moved, in words a person can read: a sentence, and a line for each step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import strawberry

from loyalty_graph.earning.rules import Granularity, Rounding
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.ledger.rules import Kind
from loyalty_graph.money import Money as Amount
from loyalty_graph.programs.rules import ProgramSettings

ROUNDED = {
    Rounding.FLOOR: "rounded down",
    Rounding.NEAREST: "rounded to the nearest",
    Rounding.CEIL: "rounded up",
}
STEPPED = {
    Rounding.FLOOR: "for each full {amount}",
    Rounding.NEAREST: "for each {amount}, to the nearest",
    Rounding.CEIL: "for each {amount} begun",
}


@strawberry.type(description="One step of the reckoning: usually a line of the receipt.")
class ExplanationStep:
    """A line of the explanation."""

    text: str = strawberry.field(
        description="Such as: COFFEE: 13.50 EUR at 2 per 1.00 EUR, rounded down = 27."
    )
    product_type: str = strawberry.field(description="The product type of the line.")
    amount: Money = strawberry.field(description="What counted, net of discounts, without tax.")
    points: Points = strawberry.field(description="What the step came to.")


@strawberry.type(description="Why points moved, for a person to read.")
class Explanation:
    """A summary and its steps."""

    summary: str = strawberry.field(description="One sentence.")
    steps: list[ExplanationStep] = strawberry.field(
        description="The reckoning, step by step; empty where nothing was reckoned."
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What a sentence may speak of: the points (above zero), the details, the words for them."""

    points: int
    why: Mapping[str, Any]
    entry: Entry
    settings: ProgramSettings

    @property
    def amount(self) -> str:
        """How many points, in words."""
        return in_words(self.points, self.settings)


def explain_entry(entry: Entry, settings: ProgramSettings) -> Explanation | None:
    """Return why an entry stands in the ledger, or None when its details were erased."""
    if entry.explanation is None:
        return None
    told = Told(abs(entry.points), entry.explanation, entry, settings)
    steps = entry.explanation.get("steps", ())
    return Explanation(summary=SENTENCES[entry.kind](told), steps=_steps(steps, settings))


def explain_purchase(points: int, why: Mapping[str, Any], settings: ProgramSettings) -> Explanation:
    """Return why a purchase earns its points."""
    return Explanation(summary=_earned(points, why, settings), steps=_steps(why["steps"], settings))


def in_words(points: int, settings: ProgramSettings) -> str:
    """Return points with the programme's name for them, such as 3 beans."""
    name = settings.points.unit_one if points == 1 else settings.points.unit_other
    return f"{points} {name}"


def _earned(points: int, why: Mapping[str, Any], settings: ProgramSettings) -> str:
    total = sum(step["amount"] for step in why["steps"])
    return f"{in_words(points, settings)} for a purchase of {_money(total, settings)}."


def _taken_back(told: Told) -> str:
    return (
        f"{told.amount} taken back: after a refund the purchase is worth "
        f"{told.why['after']} instead of {told.why['before']}."
    )


def _expired(told: Told) -> str:
    if told.why.get("by") == "closing":
        return f"{told.amount} forfeited: the membership was closed."
    # Points live to the end of a day; the instant they end at belongs to the next one.
    last_day = (told.entry.at - timedelta(microseconds=1)).astimezone(told.settings.zone).date()
    return f"{told.amount} expired at the end of {last_day.isoformat()}."


def _adjusted(told: Told) -> str:
    done = "added" if told.entry.points > 0 else "taken"
    return f"{told.amount} {done} by hand: {told.entry.text}"


SENTENCES: Mapping[Kind, Callable[[Told], str]] = {
    Kind.EARN: lambda told: _earned(told.points, told.why, told.settings),
    Kind.REDEEM: lambda told: f"{told.amount} spent.",
    Kind.UNREDEEM: lambda told: f"{told.amount} given back: a redemption was cancelled.",
    Kind.REVERSE: _taken_back,
    Kind.FORGIVE: lambda told: f"{told.amount} forgiven: they were spent before the refund.",
    Kind.RECLAIM: lambda told: (
        f"{told.amount} no longer forgiven: the redemption they were spent in was cancelled."
    ),
    Kind.EXPIRE: _expired,
    Kind.ADJUST: _adjusted,
}


def _steps(steps: Sequence[Mapping[str, Any]], settings: ProgramSettings) -> list[ExplanationStep]:
    return [
        ExplanationStep(
            text=_line(step, settings),
            product_type=step["type"],
            amount=money_of(step["amount"], settings.currency),
            points=Points(step["points"]),
        )
        for step in steps
    ]


def _line(step: Mapping[str, Any], settings: ProgramSettings) -> str:
    amount = f"{step['type']}: {_money(step['amount'], settings)}"
    if step.get("excluded"):
        return f"{amount} earns nothing here = 0"
    points, per_minor = step["rate"]
    granularity, rounding = step["by"]
    per = _money(per_minor, settings)
    if granularity == Granularity.STEP:
        return f"{amount} at {points} {STEPPED[rounding].format(amount=per)} = {step['points']}"
    return f"{amount} at {points} per {per}, {ROUNDED[rounding]} = {step['points']}"


def _money(minor: int, settings: ProgramSettings) -> str:
    return f"{Amount(minor, settings.currency).to_text()} {settings.currency}"
