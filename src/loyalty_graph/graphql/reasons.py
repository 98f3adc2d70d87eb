"""Why points moved, as the API shows it; the words are made in `usecases.explanations`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.members import reads as members
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import NEVER, ProgramSettings
from loyalty_graph.usecases import explanations, used_lots
from loyalty_graph.usecases.lot_words import Source
from loyalty_graph.usecases.phrases import SENTENCES, Phrase
from loyalty_graph.usecases.writing import writing_of
from loyalty_graph.wallet.locales import known_locale

LOCALE_CHARACTERS_MAX = 35
Locale = Annotated[
    str | None,
    strawberry.argument(
        name="locale",
        description=(
            "The language and country to write for, such as de-AT; the member's, if not given. "
            "Sentences are in English, German, Turkish and Arabic; other languages get English."
        ),
    ),
]

describe_enum(
    Phrase,
    "Why points moved. The descriptions are the sentences in English.",
    {phrase: f"{SENTENCES[phrase][0].removesuffix('.')}." for phrase in Phrase},
    name="ExplanationReason",
)


@strawberry.type(description="One step of the reckoning: usually a line of the receipt.")
class ExplanationStep:
    """A line of the explanation."""

    text: str = strawberry.field(
        description="Such as: COFFEE: €13.50 at 2 per €1.00, rounded down = 27."
    )
    product_type: str | None = strawberry.field(
        description="The product type of the line; null for what is no line."
    )
    amount: Money | None = strawberry.field(
        description="What counted, net of discounts, no tax; null for what is no line."
    )
    points: Points = strawberry.field(description="What the step came to, or added.")


@strawberry.type(description="Points that came from one lot.")
class ExplanationLot:
    """A part of the consumption."""

    points: Points = strawberry.field(description="How many.")
    earned_at: datetime = strawberry.field(description="When they had come in.")
    expires_at: datetime | None = strawberry.field(
        description="When they would have expired, or did; null when they never did."
    )


@strawberry.type(description="Why points moved, for a person to read.")
class Explanation:
    """A summary and its steps."""

    reason: Phrase = strawberry.field(description="Why, for a program to read.")
    summary: str = strawberry.field(description="Why, in one sentence.")
    consumption: str | None = strawberry.field(
        description=(
            "Which lots the points came from, such as: 70 points came from two lots: 50 earned on "
            "May 3, 20 on Jun 9. Null when there is nothing to tell."
        )
    )
    lots: list[ExplanationLot] = strawberry.field(
        description="The same in numbers, soonest to come in first."
    )
    debt_paid: Points = strawberry.field(
        description="How many of the points that came in paid what was owed."
    )
    missing: Points = strawberry.field(
        description="How many of the points to be taken back were spent already."
    )
    steps: list[ExplanationStep] = strawberry.field(
        description="The reckoning, step by step; empty where nothing was reckoned."
    )


def asked_locale(text: str | None) -> str | None:
    """Return the locale to write for, or None for the member's own.

    Raises:
        InvalidInputError: it is longer than any locale.
    """
    if text is not None and len(text) > LOCALE_CHARACTERS_MAX:
        raise InvalidInputError(f"At most {LOCALE_CHARACTERS_MAX} characters.", field="locale")
    return None if text is None else known_locale(text)


async def entry_explanations(
    entries: Sequence[Entry], *, program_id: UUID, now: datetime, locale: str | None
) -> list[Explanation | None]:
    """Return why these entries stand in the ledger, None for those whose details were erased."""
    settings = (await programs.in_force(program_id, now, now=now)).settings
    used = await used_lots.used(program_id, entries)
    ids = [] if locale else sorted({entry.member_id for entry in entries})
    known = await members.members(program_id, ids)
    spoken = {one: known_locale(row.locale) for one, row in known.items()}
    told = [
        explanations.explain_entry(
            entry, settings, writing_of(locale or spoken[entry.member_id]), one
        )
        for entry, one in zip(entries, used, strict=True)
    ]
    return [None if one is None else _shown(one, settings) for one in told]


def explain_purchase(
    points: int, why: Mapping[str, Any], settings: ProgramSettings, *, locale: str
) -> Explanation:
    """Return why a purchase earns its points."""
    told = explanations.explain_purchase(points, why, settings, writing_of(locale))
    return _shown(told, settings)


def _shown(told: explanations.Explanation, settings: ProgramSettings) -> Explanation:
    sources = sorted(told.used.sources, key=lambda one: (one.earned_at, one.lot_sequence))
    return Explanation(
        reason=told.phrase,
        summary=told.summary,
        consumption=told.consumption,
        lots=[_lot(source) for source in sources],
        debt_paid=Points(told.used.debt),
        missing=Points(told.used.missing),
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


def _lot(source: Source) -> ExplanationLot:
    return ExplanationLot(
        points=Points(source.points),
        earned_at=source.earned_at,
        expires_at=None if source.expires_at >= NEVER else source.expires_at,
    )
