"""Segments in a programme file: what cannot be is refused at its place, and nothing is stored."""

import re
from typing import Any

import pytest

from loyalty_graph.errors import ProgramFileError
from loyalty_graph.programs.models import ProgramVersion
from loyalty_graph.segments import service
from loyalty_graph.usecases import program_file
from tests.segments.people import CLUB
from tests.shop import PROGRAM, Shop, open_shop

TEXT = """
[program]
name = "Bean Club"
slug = "bean-club"
currency = "EUR"
time_zone = "Europe/Berlin"
points = { unit_one = "bean", unit_other = "beans" }
[earning]
[earning.default_rate]
points = 1
per_amount_minor = 100
[[tiers.levels]]
code = "GOLD"
name = "Gold"
entry = 100
[tiers]
basis = "SPEND"
window = "CALENDAR_YEAR"
[[segments]]
code = "CHOSEN"
name = "The chosen"
when = WHEN
"""


@pytest.mark.parametrize(
    ("when", "place", "told"),
    [
        (
            "{ member = { purchase_cout = 3 } }",
            "22:",
            (
                "segments[0].when.member.purchase_cout: there is no term member.purchase_cout;"
                " did you mean purchase_count?"
            ),
        ),
        (
            "{ membr = { purchase_count = 3 } }",
            "22:",
            "segments[0].when.membr: there is no group membr; did you mean member?",
        ),
        (
            '{ member = { purchase_count = { at_least = "3" } } }',
            "22:",
            (
                "segments[0].when.member.purchase_count.at_least: should be a whole"
                ' number without quotes, not "3".'
            ),
        ),
        (
            "{ member = { purchase_count = { at_least = 10, at_most = 5 } } }",
            "22:",
            (
                "segments[0].when.member.purchase_count.at_most: this can never be true:"
                " member.purchase_count at_least 10 and at_most 5 exclude each other."
            ),
        ),
        (
            "{ member = { birthday_month = 13 } }",
            "22:",
            (
                "segments[0].when.member.birthday_month: this can never be true:"
                " member.birthday_month is at least 1 and at most 12."
            ),
        ),
        (
            '{ member = { status = "active" } }',
            "22:",
            "segments[0].when.member.status: member.status is never active; did you mean ACTIVE?",
        ),
        (
            '{ tier = { code = ["GOLD", "GLOD"] } }',
            "22:",
            "segments[0].when.tier.code[1]: there is no tier GLOD; did you mean GOLD?",
        ),
        (
            '{ not = { subscription = { plan = "PLUS" } } }',
            "22:",
            "segments[0].when.not.subscription.plan: there is no plan PLUS",
        ),
        (
            '{ any_line = { product_type = "TEA" } }',
            "22:",
            "segments[0].when.any_line: there is no group any_line",
        ),
    ],
    ids=str,
)
def test_a_condition_that_cannot_be_is_refused_at_its_place(when: str, place: str, told: str):
    with pytest.raises(ProgramFileError) as refused:
        program_file.parse(TEXT.replace("WHEN", when), name="club.toml")

    [fault] = refused.value.faults
    assert re.match(rf"club\.toml:{place}\d+: ", fault)
    assert told in fault


async def test_a_refused_segment_stores_nothing(database: object):
    twice = {"code": "A", "name": "A", "when": {"member": {"has_email": True}}}

    with pytest.raises(ProgramFileError, match=r"segments\[1\].code: A stands at \[0\] too"):
        await open_shop({**PROGRAM, "segments": [twice, twice]})

    assert await ProgramVersion.all().count() == 0


async def test_each_version_keeps_its_own_segments(database: object):
    shop = await open_shop({**CLUB, "segments": [segment("OLD")]})
    await open_shop({**CLUB, "segments": [segment("NEW"), segment("OTHER")]})
    await open_shop(CLUB)

    assert [await codes(shop, version) for version in (1, 2, 3)] == [
        ["OLD"],
        ["NEW", "OTHER"],
        [],
    ]
    again = (await service.segments(shop.program_id, 1))["OLD"]
    assert again.when == {"tier": {"code": "GOLD"}, "subscription": {"plan": ["PLUS", "TRY"]}}


def segment(code: str) -> dict[str, Any]:
    when = {"tier": {"code": "GOLD"}, "subscription": {"plan": ["PLUS", "TRY"]}}
    return {"code": code, "name": code.title(), "when": when}


async def codes(shop: Shop, version: int) -> list[str]:
    return list(await service.segments(shop.program_id, version))
