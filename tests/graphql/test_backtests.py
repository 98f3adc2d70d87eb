"""Trying rules and programmes on the past through the API."""

import pytest

from loyalty_graph.purchases.rules import Line
from tests.api import Api

RULE = """query ($rule: String!, $from: Date, $to: Date) {
    backtestRule(input: {rule: $rule, from: $from, to: $to}) {
        purchases refunds refused gaining losing unchanged
        points { before after cost { amount currencyCode } } takenBack { before after }
        liability { before after } tierMoves { before after members }
        rules { code name purchases points wanted months { month points pointsBefore } }
        months { month points pointsBefore }
        mostChanged { number before after tierBefore tierAfter reasons { code name points } }
        chartSvg } }"""
PROGRAMME = """query ($toml: String!) {
    backtestProgram(input: {toml: $toml}) { purchases points { before after } } }"""
TEA_TIME = """
code = "TEA_TIME"
name = "Tea time"
points = 7
when = { any_line = { product_type = "TEA" } }
caps = [{ times = 1, per = "MONTH" }]
"""
TOML = """
[program]
name = "Bean Club"
slug = "bean-club"
currency = "EUR"
time_zone = "Europe/Berlin"
points = { unit_one = "bean", unit_other = "beans" }
[earning.default_rate]
points = 3
per_amount_minor = 100
"""


@pytest.fixture
def number(api: Api) -> str:
    """The number of a member who bought tea for 20 twice."""
    member = api.run(api.shop.enrol, external_id="ada")
    for _ in range(2):
        api.run(api.shop.buy, member, (Line("TEA", 1, 2000),))
    return str(member.number)


def test_a_rule_is_tried_with_the_present_ones(api: Api, number: str):
    before = api.everything()

    tried = api.data(RULE, {"rule": TEA_TIME})["backtestRule"]

    assert tried.pop("chartSvg").startswith("<svg")
    months = [{"month": "2026-03", "points": 40, "pointsBefore": None}]
    assert tried == {
        "purchases": 2,
        "refunds": 0,
        "refused": 0,
        "gaining": 1,
        "losing": 0,
        "unchanged": 0,
        "points": {"before": 40, "after": 47, "cost": None},
        "takenBack": {"before": 0, "after": 0},
        "liability": {"before": 40, "after": 47},
        "tierMoves": [],
        "rules": [
            {
                "code": "LINES",
                "name": "Points of the lines",
                "purchases": 2,
                "points": 40,
                "wanted": 40,
                "months": months,
            },
            {
                "code": "TEA_TIME",
                "name": "Tea time",
                "purchases": 1,
                "points": 7,
                "wanted": 14,
                "months": [{**months[0], "points": 7}],
            },
        ],
        "months": [{"month": "2026-03", "points": 47, "pointsBefore": 40}],
        "mostChanged": [
            {
                "number": number,
                "before": 40,
                "after": 47,
                "tierBefore": None,
                "tierAfter": None,
                "reasons": [{"code": "TEA_TIME", "name": "Tea time", "points": 7}],
            }
        ],
    }
    assert api.everything() == before


def test_a_whole_programme_is_tried_too(api: Api, number: str):
    tried = api.data(PROGRAMME, {"toml": TOML})["backtestProgram"]

    assert tried == {"purchases": 2, "points": {"before": 40, "after": 120}}


@pytest.mark.parametrize(
    ("case", "rule", "told"),
    [
        ("no TOML", "code = ", "rule:1:8: is no TOML: Invalid value."),
        (
            "a misspelt name",
            TEA_TIME.replace("caps", "cap"),
            "rule: cap: there is no setting cap here; did you mean caps?",
        ),
        (
            "a misspelt term",
            TEA_TIME.replace("product_type", "product_typ"),
            "did you mean product_type?",
        ),
        (
            "no effect",
            'code = "A"\nname = "A"',
            "rule: say what it gives: one of rate, multiplier, points or steps.",
        ),
        (
            "for an activity",
            'code = "A"\nname = "A"\non = "REVIEW"\npoints = 5',
            "rule: on: purchases are replayed, and no REVIEW.",
        ),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(
    api: Api, number: str, case: str, rule: str, told: str
):
    before = api.everything()

    [error] = api.ask(RULE, {"rule": rule})["errors"]

    assert error["extensions"] == {"code": "PROGRAM_FILE", "field": "rule"}, case
    assert error["message"].startswith("rule:")
    assert error["message"].endswith(told)
    assert api.everything() == before


def test_another_programmes_file_is_refused(api: Api):
    [error] = api.ask(PROGRAMME, {"toml": TOML.replace("bean-club", "tea-club")})["errors"]

    assert error["message"] == "toml: program.slug: this is not bean-club."


def test_who_may_not_write_programmes_may_not_try_them(api: Api):
    assert api.error(RULE, {"rule": TEA_TIME}, token=api.token("members:read")) == "FORBIDDEN"
