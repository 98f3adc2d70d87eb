from typing import Any

import pytest

from loyalty_graph.usecases.rule_words import rule_sentence
from loyalty_graph.usecases.writing import PLAIN


@pytest.mark.parametrize(
    ("case", "told", "sentence"),
    [
        ("no limit", {"points": 120}, "120 points"),
        (
            "a cap of points",
            {"points": 20, "wanted": 50, "cuts": [["POINTS", "DAY", 20, 30]]},
            "50 points, 30 of them over the cap of 20 a day are left out",
        ),
        (
            "a cap for each purchase",
            {"points": 49, "wanted": 50, "cuts": [["POINTS", "PURCHASE", 49, 1]]},
            "50 points, 1 of them over the cap of 49 a purchase is left out",
        ),
        (
            "once",
            {"points": 0, "wanted": 50, "cuts": [["TIMES", "WEEK", 1, 50]]},
            "50 points, left out: it counts once a week",
        ),
        (
            "so many times",
            {"points": 0, "wanted": 50, "cuts": [["TIMES", "EVER", 3, 50]]},
            "50 points, left out: it counts 3 times",
        ),
        (
            "a budget that is used up",
            {"points": 0, "wanted": 50, "cuts": [["BUDGET", "MONTH", 900, 50]]},
            "50 points, all of them over its budget of 900 a month are left out",
        ),
        (
            "a cap and a budget",
            {
                "points": 5,
                "wanted": 50,
                "cuts": [["POINTS", "YEAR", 20, 30], ["BUDGET", "EVER", 900, 15]],
            },
            (
                "50 points, 30 of them over the cap of 20 a year are left out, "
                "15 of them over its budget of 900 are left out"
            ),
        ),
    ],
)
def test_a_rule_is_told_with_what_limits_left_out(case: str, told: dict[str, Any], sentence: str):
    said = rule_sentence({"name": "Holiday bonus", **told}, lambda one: f"{one} points", PLAIN)

    assert said == f"Holiday bonus: {sentence}"
