"""Which mutants are left is said line by line, with the reason."""

import pytest

from tools.mutants import Mutant, explanations, mutant_of, unexplained

DIFFERENCE = """--- src/loyalty_graph/earning/rules.py
+++ src/loyalty_graph/earning/rules.py
@@ -1,3 +1,3 @@
 def check_points(points: int) -> None:
-    if points > POINTS_MAX:
+    if points >= POINTS_MAX:
         raise InvalidInputError("no")
"""
MORE = Mutant("earning/rules.py", "if points > POINTS_MAX:", "if points >= POINTS_MAX:")
WORDS = Mutant("ledger/rules.py", 'assert one, "a reason"', 'assert one, "XXa reasonXX"')


def test_a_mutant_is_known_by_its_lines():
    assert mutant_of("earning/rules.py", DIFFERENCE) == MORE


@pytest.mark.parametrize(
    ("case", "told", "left"),
    [
        ("nothing", {}, [MORE, WORDS]),
        ("its lines", {"survivor": [{**MORE._asdict(), "why": "equal"}]}, [WORDS]),
        (
            "another file",
            {"survivor": [{**MORE._asdict(), "file": "a.py", "why": "-"}]},
            [MORE, WORDS],
        ),
        ("alike in any file", {"alike": [{"was": 'assert .*, ".*"', "why": "words"}]}, [MORE]),
        ("alike in some", {"alike": [{"file": "earning/*", "why": "none"}]}, [WORDS]),
        ("a part of the line", {"alike": [{"was": "if points", "why": "-"}]}, [MORE, WORDS]),
    ],
)
def test_a_survivor_is_explained_by_its_lines_or_with_those_alike(
    case: str, told: dict[str, list[dict[str, str]]], left: list[Mutant]
):
    assert unexplained([MORE, WORDS], explanations(told)) == left


@pytest.mark.parametrize("why", [{}, {"why": " "}])
def test_an_explanation_gives_its_reason(why: dict[str, str]):
    with pytest.raises(ValueError, match="a survivor without why"):
        explanations({"survivor": [{**MORE._asdict(), **why}]})
