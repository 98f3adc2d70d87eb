"""Which locale a member's language stands for, and how values are written in it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal

from loyalty_graph.money import Money

FALLBACK = "en"
LOCALES_CACHED = 256
RIGHT_TO_LEFT = "rtl"
FIRST_STRONG, ISOLATE_END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


@lru_cache(LOCALES_CACHED)
def known_locale(text: str) -> str:
    """Return the nearest locale that is known, in CLDR's spelling: de-AT-1996 is de_AT.

    A language nobody knows is written as English.
    """
    parts = text.replace("-", "_").split("_")
    for length in range(len(parts), 0, -1):
        try:
            return str(Locale.parse("_".join(parts[:length])))
        except (UnknownLocaleError, ValueError):
            continue
    return FALLBACK


@dataclass(frozen=True, slots=True)
class Script:
    """Writes values as people of one locale do; `locale` comes from `known_locale`."""

    locale: str

    @property
    def is_right_to_left(self) -> bool:
        """Return whether lines begin at the right."""
        return str(Locale.parse(self.locale).text_direction) == RIGHT_TO_LEFT

    def number(self, value: int) -> str:
        """Return a whole number, grouped: 1,878."""
        return format_decimal(value, locale=self.locale)

    def change(self, value: int) -> str:
        """Return a number with its sign: +61, or 500 after a real minus."""
        sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
        return sign + self.number(abs(value))

    def money(self, amount: Money) -> str:
        """Return an amount with its currency: $1,012.77."""
        return format_currency(Decimal(amount.to_text()), amount.currency, locale=self.locale)

    def full_date(self, day: date) -> str:
        """Return a date in the medium form: 30 Dec 2026."""
        return format_date(day, "medium", self.locale)

    def day(self, day: date) -> str:
        """Return day and month: 30 Dec."""
        return format_skeleton("MMMd", day, locale=self.locale)

    def within(self, text: str) -> str:
        """Return a value as its own unit within a sentence, where lines begin at the right.

        Unicode's isolates (UAX 9) keep its parts in order among words of the other direction.
        """
        return f"{FIRST_STRONG}{text}{ISOLATE_END}" if self.is_right_to_left else text
