"""What bonus rules gave, in words a person can read."""

from collections.abc import Callable, Mapping
from typing import Any

from loyalty_graph.earning.outcomes import Cut, CutKind
from loyalty_graph.earning.rule_settings import CapPeriod
from loyalty_graph.usecases.writing import InLanguages, Writing

A: Mapping[CapPeriod, InLanguages] = {
    CapPeriod.PURCHASE: (
        " a purchase",
        " je Einkauf",
        " alışveriş başına",
        " لكل عملية شراء",
    ),
    CapPeriod.DAY: (" a day", " am Tag", " günde", " في اليوم"),
    CapPeriod.WEEK: (" a week", " in der Woche", " haftada", " في الأسبوع"),
    CapPeriod.MONTH: (" a month", " im Monat", " ayda", " في الشهر"),
    CapPeriod.YEAR: (" a year", " im Jahr", " yılda", " في السنة"),
    CapPeriod.EVER: ("", "", "", ""),
}
"""How a limit in a period is said: 20 a day; without a period it is for ever."""

ONCE: InLanguages = (
    ", left out: it counts once{per}",
    ", ausgelassen: zählt nur einmal{per}",
    ", sayılmadı:{per} yalnızca bir kez sayılır",
    "، لم تُحتسب: تُحتسب مرة واحدة{per}",
)
TIMES: InLanguages = (
    ", left out: it counts {limit} times{per}",
    ", ausgelassen: zählt nur {limit}-mal{per}",
    ", sayılmadı:{per} yalnızca {limit} kez sayılır",
    "، لم تُحتسب: عدد المرات المحتسبة{per}: {limit}",
)
OVER: InLanguages = (
    ", {taken} of them over {most} of {limit}{per} {are} left out",
    ", davon {taken} über {most} von {limit}{per} ausgelassen",
    ", {most} ({limit}{per}) aşıldığı için {taken} sayılmadı",
    "، لم يُحتسب منها {taken} فوق {most} ({limit}{per})",
)
BUDGET: InLanguages = ("its budget", "dem Budget", "bütçe", "الميزانية")
CAP: InLanguages = ("the cap", "der Obergrenze", "üst sınır", "الحد الأقصى")
MOST: Mapping[str, InLanguages] = {
    CutKind.BUDGET: BUDGET,
    CutKind.MEMBER_TOTAL: (
        "the cap on all points",
        "der Gesamtobergrenze",
        "toplam üst sınır",
        "الحد الأقصى الإجمالي",
    ),
    CutKind.PROGRAM_TOTAL: (
        "the programme's cap on all points",
        "der Gesamtobergrenze des Programms",
        "programın toplam üst sınırı",
        "الحد الأقصى الإجمالي للبرنامج",
    ),
}
"""What limits are called that are not just a cap."""
ALL: InLanguages = ("all", "alle", "tümü", "جميعها")
IN_ALL: InLanguages = (
    "In all: {amount}{left_out}",
    "Insgesamt: {amount}{left_out}",
    "Toplam: {amount}{left_out}",
    "المجموع: {amount}{left_out}",
)


def rule_sentence(rule: Mapping[str, Any], amount: Callable[[int], str], writing: Writing) -> str:
    """Return what an explanation tells of a rule: its points, and what limits left out of them.

    `amount` says points with the programme's name for them.
    """
    cuts = [Cut(*cut) for cut in rule.get("cuts", ())]
    wanted = rule.get("wanted", rule["points"])
    left_out = "".join(_left_out(cut, wanted, writing) for cut in cuts)
    return f"{writing.within(rule['name'])}: {amount(wanted)}{left_out}"


def total_sentence(
    capped: Mapping[str, Any], amount: Callable[[int], str], writing: Writing
) -> str:
    """Return what caps on all points left of a purchase: what was wanted, and each cap's cut."""
    cuts = [Cut(*cut) for cut in capped["cuts"]]
    left_out = "".join(_left_out(cut, capped["wanted"], writing) for cut in cuts)
    values = {"amount": amount(capped["wanted"]), "left_out": left_out}
    return writing.say(IN_ALL, values)


def _left_out(cut: Cut, wanted: int, writing: Writing) -> str:
    values = {
        "per": writing.say(A[CapPeriod(cut.per)], {}),
        "limit": writing.number(cut.limit),
        "most": writing.say(MOST.get(cut.kind, CAP), {}),
        "taken": writing.say(ALL, {}) if cut.taken == wanted else writing.number(cut.taken),
        "are": "is" if cut.taken == 1 < wanted else "are",
    }
    if cut.kind == CutKind.TIMES:
        return writing.say(ONCE if cut.limit == 1 else TIMES, values)
    return writing.say(OVER, values)
