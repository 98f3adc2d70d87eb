"""How numbers, amounts, dates and names are written in sentences, and in which language."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from babel.lists import format_list

from loyalty_graph.money import Money
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet.locales import Script
from loyalty_graph.wallet.words import FALLBACK, LANGUAGES, language

WRITINGS_CACHED = 256

InLanguages = tuple[str, str, str, str]
"""The same in each of `LANGUAGES`: English, German, Turkish, Arabic."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How values are written in the sentences of a language, one of `LANGUAGES`.

    `within` sets apart a name or a text somebody typed; `day` is a date without its year.
    """

    language: str
    number: Callable[[int], str]
    money: Callable[[Money], str]
    date: Callable[[dt.date], str]
    day: Callable[[dt.date], str]
    listed: Callable[[Sequence[str]], str]
    within: Callable[[str], str]

    def say(self, sentence: InLanguages, values: Mapping[str, object]) -> str:
        """Return a sentence in this language, with its values filled in.

        Where it ends with a value that has a full stop of its own, such as 2. Apr., that one does.
        """
        wanted = sentence[LANGUAGES.index(self.language)]
        told = wanted.format(**values)
        return told.removesuffix(".") if wanted.endswith("}.") and told.endswith("..") else told


PLAIN = Writing(
    language=FALLBACK,
    number=str,
    money=lambda one: f"{one.to_text()} {one.currency}",
    date=lambda day: day.isoformat(),
    day=lambda day: day.isoformat(),
    listed=" and ".join,
    within=str,
)
"""The same for everybody: 1878, 1012.77 USD, 2026-12-30, in English."""


@lru_cache(WRITINGS_CACHED)
def writing_of(locale: str) -> Writing:
    """Return how people of a locale write; `locale` comes from `wallet.locales.known_locale`.

    Where nobody speaks the language, the sentences and their values are English.
    """
    spoken = language(locale, LANGUAGES)
    script = Script(locale if locale.startswith(spoken) else FALLBACK)
    return Writing(
        language=spoken,
        number=script.number,
        money=lambda amount: script.within(script.money(amount)),
        date=lambda day: script.within(script.full_date(day)),
        day=lambda day: script.within(script.day(day)),
        listed=lambda texts: format_list(texts, locale=script.locale),
        within=script.within,
    )


def in_words(points: int, settings: ProgramSettings, writing: Writing) -> str:
    """Return points with the programme's name for them, such as 3 beans."""
    name = settings.points.unit_one if points == 1 else settings.points.unit_other
    return f"{writing.number(points)} {name}"
