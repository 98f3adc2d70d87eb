"""Why points moved, as the API shows it; the words are made in `usecases.explanations`."""

from collections.abc import Mapping
from typing import Any

import strawberry

from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases import explanations


@strawberry.type(description="One step of the reckoning: usually a line of the receipt.")
class ExplanationStep:
    """A line of the explanation."""

    text: str = strawberry.field(
        description="Such as: COFFEE: 13.50 EUR at 2 per 1.00 EUR, rounded down = 27."
    )
    product_type: str | None = strawberry.field(
        description="The product type of the line; null for what is no line."
    )
    amount: Money | None = strawberry.field(
        description="What counted, net of discounts, no tax; null for what is no line."
    )
    points: Points = strawberry.field(description="What the step came to, or added.")


@strawberry.type(description="Why points moved, for a person to read.")
class Explanation:
    """A summary and its steps."""

    summary: str = strawberry.field(description="One sentence.")
    steps: list[ExplanationStep] = strawberry.field(
        description="The reckoning, step by step; empty where nothing was reckoned."
    )


def explain_entry(entry: Entry, settings: ProgramSettings) -> Explanation | None:
    """Return why an entry stands in the ledger, or None when its details were erased."""
    told = explanations.explain_entry(entry, settings)
    return None if told is None else _shown(told, settings)


def explain_purchase(points: int, why: Mapping[str, Any], settings: ProgramSettings) -> Explanation:
    """Return why a purchase earns its points."""
    return _shown(explanations.explain_purchase(points, why, settings), settings)


def _shown(told: explanations.Explanation, settings: ProgramSettings) -> Explanation:
    return Explanation(
        summary=told.summary,
        steps=[
            ExplanationStep(
                text=step.text,
                product_type=step.product_type,
                amount=None
                if step.amount_minor is None
                else money_of(step.amount_minor, settings.currency),
                points=Points(step.points),
            )
            for step in told.steps
        ],
    )
