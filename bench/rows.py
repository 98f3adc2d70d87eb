"""What every suite returns: one row for each figure, with what it is held against."""

from collections.abc import Callable
from typing import Any, NamedTuple

Row = dict[str, Any]
ROUNDS = 5


class Measured(NamedTuple):
    value: float
    unit: str


def row(
    suite: str,
    name: str,
    measured: Measured,
    *,
    against: str,
    against_value: float,
    bar: float | None,
) -> Row:
    """Return one row; it holds when value / against_value reaches the bar (None: only reported)."""
    ratio = measured.value / against_value
    return {
        "suite": suite,
        "name": name,
        "value": round(measured.value, 1),
        "unit": measured.unit,
        "against": against,
        "against_value": round(against_value, 1),
        "ratio": round(ratio, 3),
        "bar": bar,
        "holds": None if bar is None else ratio >= bar,
    }


def skipped(suite: str, name: str, unit: str, *, against: str, bar: float, why: str) -> Row:
    """Return the row of what was not measured, and why; it neither holds nor fails."""
    return {
        "suite": suite,
        "name": name,
        "value": None,
        "unit": unit,
        "against": f"{against}, skipped: {why}",
        "against_value": None,
        "ratio": None,
        "bar": bar,
        "holds": None,
        "skipped": why,
    }


def alternate(
    one: Callable[[], float], other: Callable[[], float], *, rounds: int = ROUNDS
) -> tuple[float, float]:
    """Return both figures of the round whose ratio is the median.

    The two take turns, so that a busy moment of the machine hits both.
    """
    pairs = sorted(((one(), other()) for _ in range(rounds)), key=lambda pair: pair[0] / pair[1])
    return pairs[rounds // 2]
