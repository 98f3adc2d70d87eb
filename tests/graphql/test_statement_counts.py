"""A page of fifty members costs as many statements as a page of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from loyalty_graph.db import connection
from loyalty_graph.db.sqlite_files import PROCESS_TABLE
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.wallet import service
from tests.api import Api, member_id, receipt
from tests.shop import COFFEE, NOON, NOTE
from tests.tiers.shop import with_tiers
from tests.usecases.subscribing import PLANS, Club
from tests.usecases.test_activities import REVIEW, earning_by
from tests.usecases.test_offers import LETTERS

PAGE = """query ($first: Int!) { members(first: $first) { totalCount pageInfo { endCursor } nodes {
    id PARTS } } }"""
PARTS = [
    """number purchaseCount spend { amount } lastPurchaseAt consents { purpose }
    wallet { available balance debt qualifying lifetime expirations { points expiresAt } }""",
    """wallet { lots(first: 2, spent: true) { totalCount nodes { remaining state
      consumedBy(first: 2) { totalCount nodes { points } } } } }
    entries(first: 3) { nodes { lots(first: 2) { totalCount nodes { points } } } }""",
    """wallet(asOf: "2026-03-02T12:00:00Z") { available
    lots(first: 2) { totalCount nodes { remaining } } }""",
    """tier { tier { benefits { code } } since until progress next { code } risk { at } }
    tierHistory(first: 2) { totalCount nodes { sequence kind } }
    entitlements { benefit { code } sources { until } left }""",
    """subscription { status plan { code } amountDue { amount } feesPaid { amount } member { id }
      savedValue { amount } }""",
    "availableRewards { cost pointsShort reasons reward { code stockLeft } }",
    """redemptions(first: 2) { totalCount nodes { status code reward { name } entry { held }
      voucher { remaining { amount } uses { amount { amount } } } member { number } } }""",
    "passes { serial url state installedDevices freshness { wantedVersion stale lagSeconds } }",
    "vouchers { code remaining { amount } uses { number } }",
    "offers { code state gives usesLeft }",
    """activities(first: 3) { totalCount nodes { kind outcomes { reason } member { number }
      entry { points activity { kind } } } }""",
    """entries(first: 3) { totalCount nodes { sequence points redemption { status }
      explanation { summary steps { text } }
      purchase { externalId total { amount } lines { productType points } pointsByRule { code }
        refunds { pointsDue }
        entry { sequence } member { number } } } }""",
]
"""Parts that load nothing in two places: such loads are one statement only if they meet in time."""
RECORD = """mutation ($input: RecordPurchasesInput!) { recordPurchases(input: $input) {
    results { balance purchase { lines { points } } entry { explanation { summary } }
    member { wallet { available } } } } }"""
DONE = "results { points activity { reason } entry { points } }"
ASKS = ("execute_query", "execute_query_dict", "run")
MEMBERS = 50


@contextmanager
def counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note every hop to the database: on PostgreSQL a statement, on SQLite perhaps several."""
    hops: list[str] = []
    client = api.run(_client_class)
    with monkeypatch.context() as patch:
        for name in (name for name in ASKS if hasattr(client, name)):
            patch.setattr(client, name, _noting(getattr(client, name), name, hops))
        yield hops


async def _client_class() -> type:
    return type(connection())


def _noting(ask: Any, name: str, hops: list[str]) -> Any:
    async def noting(self: object, *given: Any, **named: Any) -> Any:
        # The application says now and then that it runs; that is no part of an answer.
        if PROCESS_TABLE not in str(given[:1]):
            hops.append(name)
        return await ask(self, *given, **named)

    return noting


async def _fill(api: Api) -> None:
    club = Club(api.shop, api.now)
    for _ in range(MEMBERS):
        member = await api.shop.enrol(birthday=NOON.date())
        bought = await api.shop.buy(member)
        await api.shop.bring_back(bought, {1: 1})
        await club.subscribe(member, "TRY")
        await api.shop.do(member, ActivityKind.REVIEW)
        note = await api.shop.want(member, "NOTE")
        await api.shop.use_money(note, 500)
        await service.issue(api.shop.program_id, [member.id], now=api.now)


def test_a_page_of_members_costs_the_same_however_long_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    limited = {**COFFEE, "stock": 5, "limit_per_member": 1, "tier_costs": {"GOLD": 30}}
    limited["when"] = {"member": {"purchase_count": {"at_least": 1}}}
    api.shop = api.open_shop(
        {
            **with_tiers(),
            **earning_by({**REVIEW, "once_per": "MEMBER"}, offers=[LETTERS]),
            "subscription_plans": PLANS,
            "rewards": [limited, NOTE],
        }
    )
    api.run(_fill, api)
    for part in PARTS:
        query = PAGE.replace("PARTS", part)
        api.data(query, {"first": 2})

        with counted(api, monkeypatch) as for_one:
            one = api.data(query, {"first": 1})["members"]["nodes"]
        with counted(api, monkeypatch) as for_fifty:
            fifty = api.data(query, {"first": MEMBERS})["members"]["nodes"]

        assert (len(one), len(fifty)) == (1, MEMBERS)
        assert fifty[0] == one[0]
        assert len(for_fifty) == len(for_one) > 1, part


def test_the_answer_to_many_purchases_costs_the_same_however_many_they_are(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    ada = api.run(api.shop.enrol)
    api.data(RECORD, {"input": {"purchases": [receipt(ada)]}})

    with counted(api, monkeypatch) as for_one:
        api.data(RECORD, {"input": {"purchases": [receipt(ada)]}})
    with counted(api, monkeypatch) as for_fifty:
        api.data(RECORD, {"input": {"purchases": [receipt(ada) for _ in range(MEMBERS)]}})

    assert len(for_fifty) == len(for_one) > 5


def test_recording_activities_costs_the_same_however_many_they_are(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    capped = {**REVIEW, "caps": [{"points": 50, "per": "DAY"}], "budget": {"points": 500}}
    api.shop = api.open_shop(earning_by(capped))
    people = [api.run(api.shop.enrol) for _ in range(MEMBERS)]

    def given(key: str, *members: Member) -> dict[str, Any]:
        return {
            "activities": [
                {
                    "idempotencyKey": f"{key}-{place}",
                    "member": {"id": member_id(one)},
                    "kind": "REVIEW",
                    "proof": f"{key}-{place}",
                }
                for place, one in enumerate(members)
            ]
        }

    api.do("recordActivities", given("first", people[0]), DONE)
    with counted(api, monkeypatch) as for_one:
        api.do("recordActivities", given("one", people[0]), DONE)
    with counted(api, monkeypatch) as for_fifty:
        done = api.do("recordActivities", given("fifty", *people), DONE)

    assert sum(one["points"] for one in done["results"]) == 500 - 2 * 15
    assert len(for_fifty) == len(for_one) > 1
