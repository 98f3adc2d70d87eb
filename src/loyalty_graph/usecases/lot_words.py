"""From which lots points came, in words a person can read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases.writing import InLanguages, Writing, in_words

LOTS_TOLD = 5

FROM_ONE: InLanguages = (
    "Earned on {day}.",
    "Gesammelt am {day}.",
    "Kazanıldığı gün: {day}.",
    "كُسبت في {day}.",
)
FROM_SEVERAL: InLanguages = (
    "{amount} came from {lots}: {parts}.",
    "{amount} kamen aus {lots}: {parts}.",
    "{amount} {lots} içinden geldi: {parts}.",
    "جاءت {amount} من {lots}: {parts}.",
)
LOTS: Mapping[int, InLanguages] = {
    2: ("two lots", "zwei Posten", "iki parti", "دفعتين"),
    3: ("three lots", "drei Posten", "üç parti", "ثلاث دفعات"),
    4: ("four lots", "vier Posten", "dört parti", "أربع دفعات"),
    5: ("five lots", "fünf Posten", "beş parti", "خمس دفعات"),
}
MANY_LOTS: InLanguages = ("{lots} lots", "{lots} Posten", "{lots} parti", "دفعات عددها {lots}")
FIRST_PART: InLanguages = (
    "{points} earned on {day}",
    "{points} gesammelt am {day}",
    "{day} tarihinde kazanılan {points}",
    "{points} كُسبت في {day}",
)
PART: InLanguages = (
    "{points} on {day}",
    "{points} am {day}",
    "{day} tarihinde {points}",
    "{points} في {day}",
)
REST: InLanguages = (
    "{points} from the others",
    "{points} aus den übrigen",
    "diğerlerinden {points}",
    "{points} من غيرها",
)
COMMA: InLanguages = (", ", ", ", ", ", "، ")
PAID_DEBT: InLanguages = (
    "Of these, {amount} paid what was owed.",
    "Davon {amount} zum Ausgleich des Fehlbetrags.",
    "Bunun {amount} kadarı borca sayıldı.",
    "منها {amount} سدّدت ما كان مستحقًا.",
)
MISSING: InLanguages = (
    "Of these, {amount} had been spent already.",
    "Davon {amount} bereits ausgegeben.",
    "Bunun {amount} kadarı zaten harcanmıştı.",
    "منها {amount} كانت قد استُخدمت.",
)


@dataclass(frozen=True, slots=True)
class Source:
    """Points that an entry took from a lot, and when they had come in."""

    lot_sequence: int
    points: int
    earned_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Used:
    """What an entry did with lots: what it took from those there were, and what paid debt.

    `missing` is what a claw-back no longer found.
    """

    sources: Sequence[Source] = ()
    debt: int = 0
    missing: int = 0


def consumption(
    used: Used, at: datetime, settings: ProgramSettings, writing: Writing
) -> str | None:
    """Return from which lots points came, what of them paid debt, and what was missing.

    None when there is nothing to tell. Lots of the year of `at` are told without their year.
    """
    told = [
        _sources(used.sources, at, settings, writing) if used.sources else "",
        _amount(PAID_DEBT, used.debt, settings, writing),
        _amount(MISSING, used.missing, settings, writing),
    ]
    return " ".join(filter(None, told)) or None


def _amount(sentence: InLanguages, points: int, settings: ProgramSettings, writing: Writing) -> str:
    amount = in_words(points, settings, writing)
    return writing.say(sentence, {"amount": amount}) if points else ""


def _sources(
    sources: Sequence[Source], at: datetime, settings: ProgramSettings, writing: Writing
) -> str:
    def day(moment: datetime) -> str:
        local: date = moment.astimezone(settings.zone).date()
        is_this_year = local.year == at.astimezone(settings.zone).year
        return writing.day(local) if is_this_year else writing.date(local)

    oldest_first = sorted(sources, key=lambda one: (one.earned_at, one.lot_sequence))
    if len(oldest_first) == 1:
        return writing.say(FROM_ONE, {"day": day(oldest_first[0].earned_at)})
    parts = [
        writing.say(
            PART if place else FIRST_PART,
            {"points": writing.number(one.points), "day": day(one.earned_at)},
        )
        for place, one in enumerate(oldest_first[:LOTS_TOLD])
    ]
    if rest := sum(one.points for one in oldest_first[LOTS_TOLD:]):
        parts.append(writing.say(REST, {"points": writing.number(rest)}))
    many = len(oldest_first)
    return writing.say(
        FROM_SEVERAL,
        {
            "amount": in_words(sum(one.points for one in sources), settings, writing),
            "lots": writing.say(LOTS.get(many, MANY_LOTS), {"lots": writing.number(many)}),
            "parts": writing.say(COMMA, {}).join(parts),
        },
    )
