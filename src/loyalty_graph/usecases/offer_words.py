"""What an offer gives, in words a person can read."""

from loyalty_graph.earning.rule_settings import Offer, Step
from loyalty_graph.earning.rules import Granularity, Rate
from loyalty_graph.money import Money
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases.writing import PLAIN, Writing, in_words


def gives(offer: Offer, settings: ProgramSettings, writing: Writing = PLAIN) -> str:
    """Return what an offer gives, such as 20 beans, or 2 times the beans."""
    if offer.points is not None:
        return in_words(offer.points, settings, writing)
    if offer.multiplier is not None:
        return f"{offer.multiplier} times the {settings.points.unit_other}"
    if offer.rate is not None:
        return _per_amount(offer.rate, settings, writing)
    return ", ".join(_step(one, settings, writing) for one in offer.steps)


def _step(step: Step, settings: ProgramSettings, writing: Writing) -> str:
    amount = _money(step.from_minor, settings, writing)
    return f"{in_words(step.points, settings, writing)} from {amount}"


def _per_amount(rate: Rate, settings: ProgramSettings, writing: Writing) -> str:
    per = "for each full" if rate.granularity is Granularity.STEP else "per"
    amount = _money(rate.per_amount_minor, settings, writing)
    return f"{in_words(rate.points, settings, writing)} {per} {amount}"


def _money(minor: int, settings: ProgramSettings, writing: Writing) -> str:
    return writing.money(Money(minor, settings.currency))
