"""Python and SQL find the same members, whatever is asked of whomever."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty_graph.conditions.python import compile_python
from loyalty_graph.conditions.reading import read
from loyalty_graph.conditions.tree import Condition
from loyalty_graph.conditions.values import operators
from loyalty_graph.conditions.vocabulary import Term, Type
from loyalty_graph.db import open_database
from loyalty_graph.segments import loading, reads
from loyalty_graph.segments.vocabulary import MEMBER_TERMS, MEMBERS
from tests.segments.people import CLUB, Person, key, people, replace_all
from tests.shop import GUARDED, open_shop, program

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = {
    "an ordinary noon": datetime(2026, 3, 2, 12, tzinfo=UTC),
    "just after midnight": datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
    "the day the clocks go forward": datetime(2026, 3, 29, 12, tzinfo=UTC),
    "the day after": datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
    "the day the clocks go back": datetime(2026, 10, 25, 22, 30, tzinfo=UTC),
    "28 February": datetime(2026, 2, 28, 12, tzinfo=UTC),
    "29 February": datetime(2028, 2, 29, 12, tzinfo=UTC),
}
SLIDING = {"policy": "SLIDING", "months": 6, "resets": ["PURCHASE"]}
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "an ordinary noon": GUARDED,
    "28 February": {"expiry_months": None, "expiry": {**SLIDING, "notice_days": 14}},
    "29 February": {"expiry_months": None, "expiry": SLIDING},
}
"""At which moments points end in another way than by their date."""

TEXTS: Mapping[str, list[str]] = {
    "member.language": ["en", "de", "gsw", "pt", "de-AT", "'"],
    "tier.code": ["BASE", "SILVER", "GOLD", "TIN"],
    "subscription.plan": ["PLUS", "TRY", "NONE"],
}


def values_of(term: Term) -> st.SearchStrategy[Any]:
    if term.type is Type.FLAG:
        return st.booleans()
    if term.type is Type.TEXT:
        return st.sampled_from([*(term.choices or TEXTS[term.name])])
    assert term.type in {Type.NUMBER, Type.MONEY}
    return st.integers(-2, 4) | st.sampled_from([30, 10**15, -(10**15)])


@st.composite
def comparisons(draw: st.DrawFn) -> Any:
    term = draw(st.sampled_from(list(MEMBER_TERMS.values())))
    operator = draw(st.sampled_from(operators(term.type)))
    values = values_of(term)
    match operator:
        case "is_set":
            value: Any = draw(st.booleans())
        case "in" | "not_in":
            value = draw(st.lists(values, min_size=1, max_size=3))
        case "between":
            value = draw(st.lists(values, min_size=2, max_size=2))
        case _:
            value = draw(values)
    group, _, name = term.name.partition(".")
    return {group: {name: {operator.value: value}}}


conditions = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
).map(lambda data: read(data, MEMBERS))


async def check(
    program_id: UUID, found: list[Person], asked: list[Condition], now: datetime
) -> None:
    await replace_all(program_id, found, now=now)
    ids = [key(number) for number in range(1, len(found) + 1)]
    facts = await loading.facts_of(program_id, ids, at=now, now=now, zone=BERLIN)

    expected = []
    for condition in asked:
        holds = compile_python(condition, MEMBERS)
        expected.append([one for one in ids if holds(facts[one])])
    pages = await reads.pages(program_id, asked, first=100, after=None, now=now)
    counts = await reads.counts(program_id, asked, now=now)

    assert pages == expected
    assert counts == [len(page) for page in expected]


@pytest.mark.parametrize("moment", MOMENTS)
def test_python_and_sql_find_the_same_members(database_url: str, moment: str):
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(open_database(database_url)))
        club = {**CLUB, **program(**POLICIES[moment])} if moment in POLICIES else CLUB
        shop = runner.run(open_shop(club, now=datetime(2026, 1, 1, tzinfo=UTC)))

        @settings(
            max_examples=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(
            st.lists(people, min_size=1, max_size=8), st.lists(conditions, min_size=1, max_size=8)
        )
        def compare(found: list[Person], asked: list[Condition]) -> None:
            runner.run(check(shop.program_id, found, asked, MOMENTS[moment]))

        try:
            compare()
        finally:
            runner.run(stack.aclose())
