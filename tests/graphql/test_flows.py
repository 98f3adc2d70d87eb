"""The points flow through the API, down to the entries."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.shop import DAY

FIGURES = "issued reversed forgiven redeemed returned expired reinstated adjusted migrated"
FLOW = f"""query ($from: Date!, $to: Date!, $by: PointsFlowBy!) {{
    pointsFlow(from: $from, to: $to, by: $by) {{ opening closing change {FIGURES}
    transferred fees parts {{ part opening closing change {FIGURES} transferred fees }} }} }}"""
ENTRIES = """query ($of: PointsFlowEntriesInput!, $first: Int!, $after: String) {
    pointsFlowEntries(of: $of, first: $first, after: $after) { totalCount
    pageInfo { hasNextPage endCursor } nodes { kind points sequence } } }"""
DAYS = {"from": "2026-03-02", "to": "2026-03-03"}


@pytest.fixture
def traded(api: Api, ada: Member) -> Member:
    """Ada bought on two days, brought some back and spent some; Bob bought too."""
    bob = api.run(api.shop.enrol)
    bought = api.run(api.shop.buy, ada, store="berlin")
    api.run(api.shop.buy, bob)
    later = api.shop.later(DAY)
    api.run(later.bring_back, bought, {2: 1})
    api.run(later.redeem, ada, 30)
    api.run(later.buy, bob, store="berlin")
    api.now = later.now
    return ada


def flow(api: Api, by: str, **named: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.data(FLOW, {**DAYS, "by": by}, **named)["pointsFlow"]
    return found


def test_what_members_have_is_what_they_had_and_all_that_happened(api: Api, traded: Member):
    found = flow(api, "DAY")

    assert {name: found[name] for name in ("opening", "closing", "change")} == {
        "opening": 0,
        "closing": 220,
        "change": 220,
    }
    assert (found["issued"], found["reversed"], found["redeemed"]) == (324, -74, -30)
    assert [
        (one["part"], one["opening"], one["issued"], one["reversed"], one["closing"])
        for one in found["parts"]
    ] == [("2026-03-02", 0, 216, 0, 216), ("2026-03-03", 216, 108, -74, 220)]
    wallet = "query ($r: MemberRef!) { member(ref: $r) { wallet { balance } } }"
    shown = api.data(wallet, {"r": {"id": member_id(traded)}})["member"]["wallet"]
    assert shown == {"balance": 4}


def test_stores_rules_and_kinds_have_no_opening(api: Api, traded: Member):
    stores, rules, kinds = (flow(api, by)["parts"] for by in ("STORE", "RULE", "KIND"))

    assert {(one["opening"], one["closing"]) for one in (*stores, *rules, *kinds)} == {(None, None)}
    assert [(one["part"], one["change"]) for one in stores] == [("berlin", 142), (None, 78)]
    assert [(one["part"], one["change"]) for one in rules] == [("LINES", 324), (None, -104)]
    assert [(one["part"], one["change"]) for one in kinds] == [
        ("EARN", 324),
        ("REDEEM", -30),
        ("REVERSE", -74),
    ]


@pytest.mark.parametrize(
    ("case", "of", "points"),
    [
        ("a day", {"by": "DAY", "part": "2026-03-03"}, [-74, -30, 108]),
        ("a month", {"by": "MONTH", "part": "2026-03"}, [108, 108, -74, -30, 108]),
        ("a column", {"column": "REDEEMED"}, [-30]),
        ("a day's column", {"by": "DAY", "part": "2026-03-02", "column": "ISSUED"}, [108, 108]),
        ("a store", {"by": "STORE", "part": "berlin"}, [108, -74, 108]),
        ("no store", {"by": "STORE"}, [108, -30]),
        ("a kind", {"by": "KIND", "part": "REVERSE"}, [-74]),
        ("lines", {"by": "RULE", "part": "LINES"}, [108, 108, 108]),
        ("no rule", {"by": "RULE"}, [-74, -30]),
        ("a strange rule", {"by": "RULE", "part": "SOMETHING"}, []),
        ("multipliers", {"by": "RULE", "part": "MULTIPLIERS"}, []),
    ],
)
def test_each_figure_leads_to_its_entries(
    api: Api, traded: Member, case: str, of: dict[str, Any], points: list[int]
):
    found = api.data(ENTRIES, {"of": {**DAYS, **of}, "first": 10})["pointsFlowEntries"]

    assert sorted(one["points"] for one in found["nodes"]) == sorted(points)
    assert found["totalCount"] == len(points)


def test_entries_come_page_by_page(api: Api, traded: Member):
    seen: list[int] = []
    after = None
    for _ in range(3):
        asked = {"of": DAYS, "first": 2, "after": after}
        page = api.data(ENTRIES, asked)["pointsFlowEntries"]
        seen += [one["points"] for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]

    assert sorted(seen) == [-74, -30, 108, 108, 108]
    assert page["pageInfo"]["hasNextPage"] is False
    assert api.error(ENTRIES, {"of": DAYS, "first": 2, "after": "x"}) == "INVALID_INPUT"


def test_days_that_are_none_are_refused(api: Api):
    backwards = {"from": "2026-03-03", "to": "2026-03-02"}

    assert api.error(FLOW, {**backwards, "by": "DAY"}) == "INVALID_INPUT"
    assert api.error(ENTRIES, {"of": backwards, "first": 1}) == "INVALID_INPUT"
    assert (
        api.error(ENTRIES, {"of": {**DAYS, "by": "DAY", "part": "2026-04-01"}, "first": 1})
        == "INVALID_INPUT"
    )


def test_points_of_another_programme_are_not_counted(api: Api, traded: Member):
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))

    for by in ("DAY", "MONTH", "STORE", "RULE", "KIND"):
        found = flow(api, by, token=stranger)
        assert (found["opening"], found["closing"]) == (0, 0)
        assert all(one["change"] == 0 for one in found["parts"])
    page = api.data(ENTRIES, {"of": DAYS, "first": 9}, token=stranger)["pointsFlowEntries"]
    assert (page["totalCount"], page["nodes"]) == (0, [])
