"""What a version of a programme earns by, as it is stored and found again."""

from itertools import count
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.earning import service
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.programs.service import Version
from loyalty_graph.purchases.rules import ActivityKind, Line
from loyalty_graph.segments import service as segments
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.rules import SegmentSettings
from tests.earning.books import NEW_YORK, NOON, Shop, rule, settings
from tests.shop import PROGRAM

BEANS, TEAS = UUID(int=31), UUID(int=32)
store_rules = transaction(service.store_rules)
programs = map(UUID, (f"{number:032}" for number in count(100)))
"""A programme of each test's own: what is compiled is kept by the process."""


@pytest.mark.parametrize(
    ("case", "given", "usual"),
    [
        ("the first", {"product_types": ["TEA", "MUG"]}, "TEA"),
        (
            "not what is excluded",
            {"product_types": ["GIFT", "MUG"], "excluded_product_types": ["GIFT"]},
            "MUG",
        ),
        ("none is named", {}, "OTHER"),
    ],
)
async def test_a_version_has_a_product_type_that_earns(
    case: str, given: dict[str, Any], usual: str, database: object
):
    await store_rules(BEANS, 1, settings(product_types=["OLD"]))
    await store_rules(BEANS, 2, settings(**given))
    await store_rules(TEAS, 2, settings(product_types=["ELSE"]))

    assert await service.usual_product_type(BEANS, 2) == usual


async def a_version(*rules: dict[str, Any], number: int = 1, **given: Any) -> Version:
    """Return a version of a new programme in New York that earns by these rules."""
    told = {**PROGRAM["program"], "time_zone": NEW_YORK.key}
    version = Version(next(programs), number, ProgramSettings.model_validate(told), NOON)
    await store_rules(version.program_id, number, settings(*rules, **given))
    return version


async def test_a_book_is_made_once_of_the_versions_rules_zone_and_segments(database: object):
    at_noon = {"rrule": "FREQ=DAILY", "begins": "2026-01-01T12:00", "minutes": 60}
    version = await a_version(rule(segments=["NEW"], schedule=at_noon))
    when = {"member": {"purchase_count": {"at_most": 1}}}
    new = SegmentSettings.model_validate({"code": "NEW", "name": "New", "when": when})
    await transaction(segments.store_segments)(version.program_id, 1, [new])
    await store_rules(version.program_id, 2, settings())
    later = Version(version.program_id, 2, version.settings, NOON)

    made = await service.rule_book(version)

    shop = Shop(made)
    tea, old = Line("TEA", 1, 100), MemberFacts(purchase_count=2)
    assert [shop.buy(tea).points, shop.buy(tea, member=old).points] == [51, 1]
    assert [made.bonuses[0].is_open(NOON.replace(hour=hour)) for hour in (11, 12)] == [False, True]
    assert await service.rule_book(version) is made
    assert (await service.rule_book(later)).is_plain


async def test_a_version_has_offers_by_their_codes_in_the_order_of_its_file(database: object):
    version = await a_version(rule(), offers=[rule("MILK"), rule("BREAD")])

    found = await service.on_offer(version)

    assert [(code, one.settings.code) for code, one in found.items()] == [
        ("MILK", "MILK"),
        ("BREAD", "BREAD"),
    ]
    assert await service.on_offer(version) is found


async def test_a_version_has_rules_for_activities(database: object):
    version = await a_version(rule(), rule("REVIEWED", on="REVIEW"))
    await store_rules(version.program_id, 2, settings(profile_fields=["email"]))

    found = await service.activity_rules(version.program_id, 1)
    later = await service.activity_rules(version.program_id, 2)

    assert [one.code for one in found.of(ActivityKind.REVIEW)] == ["REVIEWED"]
    assert await service.activity_rules(version.program_id, 1) is found
    assert (later.by_kind, later.profile_fields) == ({}, ("email",))


async def test_each_programme_has_its_own_rules_of_a_version(database: object):
    teas = await a_version(rule("TEAS", on="REVIEW"), offers=[rule("TEA_OFFER")])
    beans = await a_version(rule("BEANS", on="REVIEW"), offers=[rule("BEAN_OFFER")])

    earning = [await service.activity_rules(one.program_id, 1) for one in (teas, beans)]
    offers = [await service.on_offer(one) for one in (teas, beans)]

    codes = [[one.code for one in rules.of(ActivityKind.REVIEW)] for rules in earning]
    assert codes == [["TEAS"], ["BEANS"]]
    assert [[*one] for one in offers] == [["TEA_OFFER"], ["BEAN_OFFER"]]


async def test_dates_and_exact_numbers_of_a_rule_are_stored_as_they_were_read(database: object):
    told = rule(multiplier="5/4", opens_at=NOON.isoformat(), pending={"until": "2026-12-24"})
    version = await a_version(told)

    [found] = (await service.rule_book(version)).bonuses

    assert [found.settings] == list(settings(told).rules)
