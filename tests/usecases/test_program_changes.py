from typing import Any

import pytest

from loyalty_graph.usecases.program_changes import Change, changes

CLUB: dict[str, Any] = {
    "program": {"name": "Bean Club", "points": {"expiry_months": 6}, "branding": {}},
    "earning": {
        "product_types": ["TEA"],
        "rates": [
            {"product_types": ["MUG", "CUP"], "points": 5},
            {"product_types": ["TEA"], "points": 1},
        ],
    },
    "tiers": [{"code": "GOLD", "entry": 100}],
}


def test_a_file_does_not_differ_from_itself():
    assert changes(CLUB, CLUB) == []


@pytest.mark.parametrize(
    ("case", "part", "expected"),
    [
        (
            "a value",
            {"program": {**CLUB["program"], "points": {"expiry_months": None}}},
            [Change("program.points.expiry_months", 6, None)],
        ),
        (
            "a list of words",
            {"earning": {**CLUB["earning"], "product_types": ["TEA", "COFFEE"]}},
            [Change("earning.product_types", ["TEA"], ["TEA", "COFFEE"])],
        ),
        (
            "one in front",
            {"tiers": [{"code": "SILVER", "entry": 50}, {"code": "GOLD", "entry": 100}]},
            [
                Change("tiers[SILVER].code", None, "SILVER"),
                Change("tiers[SILVER].entry", None, 50),
            ],
        ),
        (
            "one inside",
            {
                "earning": {
                    "product_types": ["TEA"],
                    "rates": [{"product_types": ["MUG", "CUP"], "points": 6}],
                }
            },
            [
                Change("earning.rates[MUG+CUP].points", 5, 6),
                Change("earning.rates[TEA].points", 1, None),
                Change("earning.rates[TEA].product_types", ["TEA"], None),
            ],
        ),
        (
            "a part that is gone",
            {"tiers": []},
            [
                Change("tiers[GOLD].code", "GOLD", None),
                Change("tiers[GOLD].entry", 100, None),
            ],
        ),
    ],
)
def test_what_differs_is_told_by_its_place(case: str, part: dict[str, Any], expected: list[Change]):
    assert changes(CLUB, {**CLUB, **part}) == expected


def test_entries_without_a_name_are_counted():
    assert changes({"a": [{"x": 1}]}, {"a": [{"x": 2}]}) == [Change("a[0].x", 1, 2)]
