"""The reckoning behind points, line by line, in words a person can read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty_graph.benefits.rules import GrantSource
from loyalty_graph.earning.rules import Granularity, Rounding
from loyalty_graph.money import Money
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases.rule_words import rule_sentence, total_sentence
from loyalty_graph.usecases.writing import InLanguages, Writing, in_words

ROUNDED: Mapping[str, InLanguages] = {
    Rounding.FLOOR: ("rounded down", "abgerundet", "aşağı yuvarlanır", "مع التقريب إلى الأسفل"),
    Rounding.NEAREST: (
        "rounded to the nearest",
        "kaufmännisch gerundet",
        "en yakına yuvarlanır",
        "مع التقريب إلى الأقرب",
    ),
    Rounding.CEIL: ("rounded up", "aufgerundet", "yukarı yuvarlanır", "مع التقريب إلى الأعلى"),
}
PRORATED: InLanguages = (
    "{line} at {points} per {per}, {rounded} = {made}",
    "{line}, {points} je {per}, {rounded} = {made}",
    "{line}, {per} başına {points}, {rounded} = {made}",
    "{line}، {points} لكل {per}، {rounded} = {made}",
)
STEPPED: Mapping[str, InLanguages] = {
    Rounding.FLOOR: (
        "{line} at {points} for each full {per} = {made}",
        "{line}, {points} je volle {per} = {made}",
        "{line}, her tam {per} için {points} = {made}",
        "{line}، {points} عن كل {per} كاملة = {made}",
    ),
    Rounding.NEAREST: (
        "{line} at {points} for each {per}, to the nearest = {made}",
        "{line}, {points} je {per}, auf den nächsten Schritt = {made}",
        "{line}, her {per} için {points}, en yakın adıma = {made}",
        "{line}، {points} عن كل {per} إلى الأقرب = {made}",
    ),
    Rounding.CEIL: (
        "{line} at {points} for each {per} begun = {made}",
        "{line}, {points} je angefangene {per} = {made}",
        "{line}, başlanan her {per} için {points} = {made}",
        "{line}، {points} عن كل {per} ولو بدأت = {made}",
    ),
}
EXCLUDED: InLanguages = (
    "{line} earns nothing here = 0",
    "{line} bringt hier nichts = 0",
    "{line} burada kazandırmaz = 0",
    "{line} لا تكسب هنا شيئًا = 0",
)
EXCHANGED: InLanguages = (
    "{given} at {rate} = {money};",
    "{given} zu {rate} = {money}",
    "{given}, kur {rate} = {money}",
    "{given} بسعر {rate} = {money}",
)
MULTIPLIED: InLanguages = (
    "{amount} {by}, {rounded} = {made}",
    "{amount} {by}, {rounded} = {made}",
    "{amount} {by}, {rounded} = {made}",
    "{amount} {by}، {rounded} = {made}",
)
NAMED: Mapping[str, InLanguages] = {
    GrantSource.TIER: ("tier", "Stufe", "seviye", "المستوى"),
    GrantSource.SUBSCRIPTION: ("membership", "Mitgliedschaft", "üyelik", "العضوية"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reckoning: usually a line of the receipt.

    `product_type` and `amount_minor` are None where all points are multiplied, and where a rule
    gave points beside the lines.
    """

    text: str
    product_type: str | None
    amount_minor: int | None
    points: int


def steps(why: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> list[Step]:
    """Return a step for each line, one for what multiplied their points, and one for each rule."""
    multiplied = [_multiplied(why["multiplied"], settings, writing)] if "multiplied" in why else []
    rules = _rules(why, settings, writing)
    return [*_lines(why.get("steps", ()), settings, writing), *multiplied, *rules]


def _rules(why: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> list[Step]:
    """Return a step for each rule, and one for what caps on all points took of the lines."""

    def amount(points: int) -> str:
        return in_words(points, settings, writing)

    steps = [
        Step(rule_sentence(one, amount, writing), None, None, one["points"])
        for one in why.get("rules", ())
    ]
    if "capped" in why:
        before, after = why["capped"]["lines"]
        told = total_sentence(why["capped"], amount, writing)
        steps.append(Step(told, None, None, after - before))
    return steps


def _multiplied(why: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> Step:
    by = " ".join(
        f"x {ratio} ({writing.say(NAMED[source], {})} {writing.within(name)})"
        for source, _, ratio, name in why["by"]
    )
    values = {
        "amount": in_words(why["from"], settings, writing),
        "by": by,
        "rounded": writing.say(ROUNDED[Rounding.FLOOR], {}),
        "made": writing.number(why["to"]),
    }
    return Step(writing.say(MULTIPLIED, values), None, None, why["to"] - why["from"])


def _lines(
    lines: Sequence[Mapping[str, Any]], settings: ProgramSettings, writing: Writing
) -> list[Step]:
    return [
        Step(_line(line, settings, writing), line["type"], line["amount"], line["points"])
        for line in lines
    ]


def _line(line: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> str:
    counted = writing.money(Money(line["amount"], settings.currency))
    if "paid" in line:
        minor, currency, rate = line["paid"]
        given = writing.money(Money(minor, currency))
        counted = writing.say(EXCHANGED, {"given": given, "rate": rate, "money": counted})
    values = {"line": f"{writing.within(line['type'])}: {counted}"}
    if line.get("excluded"):
        return writing.say(EXCLUDED, values)
    (points, per_minor), (granularity, rounding) = line["rate"], line["by"]
    values |= {
        "points": writing.number(points),
        "per": writing.money(Money(per_minor, settings.currency)),
        "rounded": writing.say(ROUNDED[rounding], {}),
        "made": writing.number(line["points"]),
    }
    by_step = granularity == Granularity.STEP
    return writing.say(STEPPED[rounding] if by_step else PRORATED, values)
