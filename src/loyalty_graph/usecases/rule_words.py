"""What bonus rules gave, in words a person can read."""

from collections.abc import Callable, Mapping
from typing import Any

from loyalty_graph.earning.outcomes import Cut, CutKind
from loyalty_graph.earning.rule_settings import CapPeriod

A = {
    CapPeriod.PURCHASE: " a purchase",
    CapPeriod.DAY: " a day",
    CapPeriod.WEEK: " a week",
    CapPeriod.MONTH: " a month",
    CapPeriod.YEAR: " a year",
    CapPeriod.EVER: "",
}
"""How a limit in a period is said: 20 a day; without a period it is for ever."""


def rule_sentence(
    rule: Mapping[str, Any], amount: Callable[[int], str], number: Callable[[int], str]
) -> str:
    """Return what an explanation tells of a rule: its points, and what limits left out of them.

    `amount` says points with the programme's name for them, `number` how numbers are written.
    """
    cuts = [Cut(*cut) for cut in rule.get("cuts", ())]
    wanted = rule.get("wanted", rule["points"])
    left_out = "".join(_left_out(cut, wanted, number) for cut in cuts)
    return f"{rule['name']}: {amount(wanted)}{left_out}"


def _left_out(cut: Cut, wanted: int, number: Callable[[int], str]) -> str:
    per = A[CapPeriod(cut.per)]
    if cut.kind == CutKind.TIMES:
        times = "once" if cut.limit == 1 else f"{number(cut.limit)} times"
        return f", left out: it counts {times}{per}"
    over = "its budget" if cut.kind == CutKind.BUDGET else "the cap"
    taken = "all" if cut.taken == wanted else number(cut.taken)
    are = "is" if cut.taken == 1 < wanted else "are"
    return f", {taken} of them over {over} of {number(cut.limit)}{per} {are} left out"
