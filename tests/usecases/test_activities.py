import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import reads
from loyalty_graph.purchases.models import Activity, ActivityCount, ActivityProof
from loyalty_graph.purchases.rules import ActivityKind, Line
from loyalty_graph.usecases import activations, activities, members
from loyalty_graph.usecases.explanations import explain_entry
from tests.shop import DAY, NOON, PROGRAM, Shop, by_id, only, open_shop
from tests.tiers.shop import Watch, with_tiers

FOLLOW: dict[str, Any] = {
    "code": "FOLLOWS",
    "name": "Follow us",
    "on": "SOCIAL_FOLLOW",
    "points": 20,
    "once_per": "NETWORK",
}
REVIEW: dict[str, Any] = {
    "code": "REVIEWS",
    "name": "Tell others",
    "on": "REVIEW",
    "points": 15,
    "once_per": "PROOF",
}
VISIT: dict[str, Any] = {
    "code": "VISITS",
    "name": "Drop in",
    "on": "CHECK_IN",
    "points": 5,
    "cooldown_hours": 20,
}
WORKOUT: dict[str, Any] = {
    "code": "WORKOUTS",
    "name": "Work out",
    "on": "CUSTOM",
    "points": 3,
    "needs_proof": True,
}
APP: dict[str, Any] = {
    "code": "APP",
    "name": "Get the app",
    "on": "APP_INSTALLED",
    "points": 50,
    "once_per": "MEMBER",
}


def earning_by(*rules: dict[str, Any], **earning: Any) -> dict[str, Any]:
    """Return the programme's data with these rules."""
    return {**PROGRAM, "earning": {**PROGRAM["earning"], "rules": list(rules), **earning}}


@pytest.fixture
async def shop(database: BaseDBAsyncClient) -> Shop:
    return await open_shop(earning_by(FOLLOW, REVIEW, VISIT, WORKOUT, APP))


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol()


async def reasons(member: Member) -> list[str | None]:
    """Why each rule gave nothing, activity by activity; None where it gave points."""
    rows = await Activity.filter(member_id=member.id).order_by("id")
    return [one["reason"] for row in rows for one in row.verdicts]


async def nothing_changed(shop: Shop) -> bool:
    tables = (Activity, ActivityCount, ActivityProof)
    return not any([await table.exists(program_id=shop.program_id) for table in tables])


async def test_an_activity_earns_the_points_of_its_rule(shop: Shop, ada: Member):
    done = await shop.do(ada, ActivityKind.SOCIAL_FOLLOW, network="INSTAGRAM")

    assert (done.points, done.balance_points, done.entry_sequence) == (20, 20, 1)
    row = await Activity.get(id=done.activity_id)
    assert (row.member_id, row.kind, row.network) == (ada.id, "SOCIAL_FOLLOW", "INSTAGRAM")
    assert (row.points, row.entry_sequence, row.occurred_at, row.rule_version) == (20, 1, NOON, 1)
    assert row.verdicts == [
        {"rule": "FOLLOWS", "name": "Follow us", "points": 20, "reason": None, "until": None}
    ]
    fact = await FactRow.get(kind="activity.recorded")
    assert fact.payload == {
        "activity": str(done.activity_id),
        "activityKind": "SOCIAL_FOLLOW",
        "entry": 1,
        "points": 20,
        "reason": None,
        "balance": 20,
    }
    assert await CardMark.filter(member_id=ada.id).count() == 1


async def test_the_entry_says_which_activity_and_which_rule(shop: Shop, ada: Member):
    await shop.do(ada, ActivityKind.SOCIAL_FOLLOW, network="INSTAGRAM")

    entry = (await ledger.entries(shop.program_id, [(ada.id, 1)]))[ada.id, 1]
    version = await programs.in_force(shop.program_id, NOON, now=NOON)
    told = explain_entry(entry, version.settings)

    assert told is not None
    assert told.summary == "20 beans for following on INSTAGRAM: Follow us."
    assert entry.explanation == {
        "activity": {"kind": "SOCIAL_FOLLOW", "network": "INSTAGRAM"},
        "rules": [{"code": "FOLLOWS", "name": "Follow us", "points": 20}],
    }


async def test_following_counts_once_for_each_network_and_member(shop: Shop, ada: Member):
    bob = await shop.enrol()
    follow = ActivityKind.SOCIAL_FOLLOW

    done = [
        await shop.do(ada, follow, network="INSTAGRAM"),
        await shop.do(ada, follow, network="INSTAGRAM"),
        await shop.do(ada, follow, network="MASTODON"),
        await shop.do(bob, follow, network="INSTAGRAM"),
    ]

    assert [one.points for one in done] == [20, 0, 20, 20]
    assert await reasons(ada) == [None, "COUNTED_ALREADY", None]
    assert done[1].entry_sequence is None


async def test_once_per_member_holds_whatever_else_is_said(shop: Shop, ada: Member):
    done = [await shop.do(ada, ActivityKind.APP_INSTALLED) for _ in range(2)]

    assert [one.points for one in done] == [50, 0]
    assert await reasons(ada) == [None, "COUNTED_ALREADY"]


async def test_a_proof_counts_once_whoever_brings_it(shop: Shop, ada: Member):
    bob = await shop.enrol()

    first = await shop.do(ada, ActivityKind.REVIEW, proof="order-7")
    stolen = await shop.do(bob, ActivityKind.REVIEW, proof="order-7")
    own = await shop.do(bob, ActivityKind.REVIEW, proof="order-8")
    unproven = await shop.do(bob, ActivityKind.REVIEW)

    assert [one.points for one in (first, stolen, own, unproven)] == [15, 0, 15, 0]
    assert await reasons(bob) == ["COUNTED_ALREADY", None, "NEEDS_PROOF"]
    assert await ActivityProof.all().order_by("proof").values_list("proof", "member_id") == [
        ("order-7", ada.id),
        ("order-8", bob.id),
    ]


async def test_in_a_batch_a_proof_counts_for_the_first_who_brings_it(shop: Shop, ada: Member):
    bob = await shop.enrol()
    commands = [shop.deed(one, ActivityKind.REVIEW, proof="order-7") for one in (ada, bob)]

    answers = await activities.record(shop.program_id, commands, now=NOON)

    assert [only([one]).points for one in answers] == [15, 0]


async def test_between_two_that_count_lies_the_cooldown(shop: Shop, ada: Member):
    visit = ActivityKind.CHECK_IN
    pause = timedelta(hours=20)

    done = [
        await shop.do(ada, visit, store="mitte"),
        await shop.later(pause - timedelta(seconds=1)).do(ada, visit, store="kreuzberg"),
        await shop.later(pause).do(ada, visit, store="mitte"),
        await shop.later(DAY).do(ada, visit, store="mitte"),
    ]

    assert [one.points for one in done] == [5, 0, 5, 0]
    rows = await Activity.filter(member_id=ada.id).order_by("id")
    assert rows[1].verdicts[0]["until"] == (NOON + pause).isoformat()
    assert await reasons(ada) == [None, "COOLDOWN", None, "COOLDOWN"]


async def test_what_is_brought_late_does_not_get_round_the_cooldown(shop: Shop, ada: Member):
    visit = ActivityKind.CHECK_IN
    await shop.do(ada, visit, store="mitte")

    late = await shop.do(ada, visit, store="mitte", occurred_at=NOON - DAY)

    assert late.points == 0
    assert await reasons(ada) == [None, "COOLDOWN"]


async def test_what_needs_a_proof_earns_nothing_without_and_every_time_with_one(
    shop: Shop, ada: Member
):
    custom = ActivityKind.CUSTOM

    done = [
        await shop.do(ada, custom, name="WORKOUT_DONE"),
        await shop.do(ada, custom, name="WORKOUT_DONE", proof="w-1"),
        await shop.do(ada, custom, name="WORKOUT_DONE", proof="w-1"),
    ]

    assert [one.points for one in done] == [0, 3, 3]
    assert await reasons(ada) == ["NEEDS_PROOF", None, None]


async def test_what_no_rule_is_for_is_recorded_all_the_same(shop: Shop, ada: Member):
    done = await shop.do(ada, ActivityKind.NEWSLETTER)

    assert (done.points, done.entry_sequence, await shop.balance(ada)) == (0, None, 0)
    assert (await Activity.get(id=done.activity_id)).verdicts == []
    assert (await FactRow.get(kind="activity.recorded")).payload["reason"] == "NO_RULE"


async def test_a_retry_counts_once_and_gets_the_first_answer(shop: Shop, ada: Member):
    command = shop.deed(ada, ActivityKind.CHECK_IN, store="mitte", is_dated=False)
    first = only(await activities.record(shop.program_id, [command], now=NOON))
    retry = replace(command, occurred_at=NOON + DAY)

    again = only(await activities.record(shop.program_id, [retry], now=NOON + DAY))

    assert again == replace(first, replayed=True)
    assert await Activity.all().count() == 1


async def test_the_same_key_with_another_activity_is_refused(shop: Shop, ada: Member):
    command = shop.deed(ada, ActivityKind.CHECK_IN, store="mitte")
    await activities.record(shop.program_id, [command], now=NOON)
    other = replace(command, deed=replace(command.deed, store="kreuzberg"))

    [refusal] = await activities.record(shop.program_id, [other], now=NOON)

    assert isinstance(refusal, IdempotencyMismatchError)
    assert await Activity.all().count() == 1


async def test_a_refusal_does_not_disturb_its_neighbours(shop: Shop, ada: Member):
    commands = [
        shop.deed(ada, ActivityKind.APP_INSTALLED),
        shop.deed(ada, ActivityKind.APP_INSTALLED, name="X"),
        shop.deed(ada, ActivityKind.CHECK_IN, store="mitte", occurred_at=NOON + DAY),
        shop.deed(ada, ActivityKind.CHECK_IN, store="mitte"),
    ]

    answers = await activities.record(shop.program_id, commands, now=NOON)

    assert [
        one.field if isinstance(one, LoyaltyError) else one.balance_points for one in answers
    ] == [50, "name", "occurredAt", 55]


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        pytest.param("SIGN_UP", {}, "kind", id="happens by itself"),
        pytest.param("BIRTHDAY", {}, "kind", id="is known to the programme"),
        pytest.param("CUSTOM", {}, "name", id="custom without a name"),
        pytest.param("REVIEW", {"name": "X"}, "name", id="a name that is not asked for"),
        pytest.param("SOCIAL_FOLLOW", {}, "network", id="no network"),
        pytest.param("REVIEW", {"network": "X"}, "network", id="a network of nothing"),
        pytest.param("CHECK_IN", {}, "store", id="nowhere"),
        pytest.param("CHECK_IN", {"store": " "}, "store", id="an empty store"),
        pytest.param("CUSTOM", {"name": "\n"}, "name", id="a name nobody can read"),
        pytest.param("SOCIAL_SHARE", {"network": "x" * 41}, "network", id="a long network"),
        pytest.param("REVIEW", {"proof": "x" * 101}, "proof", id="a long proof"),
        pytest.param(
            "REVIEW", {"occurred_at": NOON.replace(tzinfo=None)}, "occurredAt", id="no offset"
        ),
        pytest.param("REVIEW", {"occurred_at": NOON + DAY}, "occurredAt", id="tomorrow"),
        pytest.param("REVIEW", {"occurred_at": NOON - 366 * DAY}, "occurredAt", id="too old"),
        pytest.param("REVIEW", {"idempotency_key": ""}, "idempotencyKey", id="no key"),
    ],
)
async def test_what_cannot_be_an_activity_is_refused_and_nothing_is_kept(
    shop: Shop, ada: Member, kind: str, changes: dict[str, Any], field: str
):
    with pytest.raises(InvalidInputError) as refusal:
        await shop.do(ada, ActivityKind(kind), **changes)

    assert refusal.value.field == field
    assert await nothing_changed(shop)


async def test_who_is_not_active_or_not_here_does_nothing(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)
    nobody = Reference(ReferenceKind.NUMBER, "900000000000")

    with pytest.raises(MemberNotActiveError):
        await shop.do(ada, ActivityKind.APP_INSTALLED)
    with pytest.raises(NotFoundError):
        await shop.do(ada, ActivityKind.APP_INSTALLED, member=nobody)

    assert await nothing_changed(shop)
    assert await shop.balance(ada) == 0


async def test_what_activities_earn_counts_for_the_tier(database: BaseDBAsyncClient):
    gift = {**APP, "points": 10_000}
    data = {**with_tiers(basis="QUALIFYING_POINTS"), "earning": earning_by(gift)["earning"]}
    shop = await open_shop(data)
    ada = Watch(shop, await shop.enrol())

    await shop.do(ada.member, ActivityKind.APP_INSTALLED)

    assert await ada.tier() == "SILVER"
    [counted] = (await reads.counted(shop.program_id, [ada.member.id]))[ada.member.id]
    assert (counted.points, counted.spend_minor) == (10_000, 0)


SHARE: dict[str, Any] = {"code": "SHARES", "name": "Share", "on": "SOCIAL_SHARE", "points": 10}


async def share(shop: Shop, member: Member) -> tuple[int, str | None]:
    done = await shop.do(member, ActivityKind.SOCIAL_SHARE, network="MASTODON")
    return done.points, done.reason


@pytest.mark.parametrize(
    ("says", "hours", "found"),
    [
        pytest.param(
            {"opens_at": (NOON + timedelta(hours=1)).isoformat()}, 0, (0, "NOT_OPEN"), id="early"
        ),
        pytest.param(
            {"opens_at": (NOON + timedelta(hours=1)).isoformat()}, 1, (10, None), id="in time"
        ),
        pytest.param({"when": {"time": {"weekday": "MONDAY"}}}, 0, (10, None), id="on its day"),
        pytest.param(
            {"when": {"time": {"weekday": "SUNDAY"}}}, 0, (0, "CONDITION"), id="on another day"
        ),
        pytest.param(
            {"when": {"activity": {"network": "MASTODON"}}}, 0, (10, None), id="its network"
        ),
        pytest.param(
            {"when": {"activity": {"network": "X"}}}, 0, (0, "CONDITION"), id="another network"
        ),
        pytest.param({"when": {"member": {"has_email": True}}}, 0, (10, None), id="known member"),
        pytest.param(
            {"when": {"member": {"has_phone": True}}}, 0, (0, "CONDITION"), id="unknown member"
        ),
        pytest.param({"segments": ["READERS"]}, 0, (10, None), id="in the segment"),
        pytest.param({"segments": ["CALLERS"]}, 0, (0, "NOT_FOR_MEMBER"), id="out of the segment"),
    ],
)
async def test_a_rule_holds_when_and_for_whom_it_says(
    database: BaseDBAsyncClient,
    says: dict[str, Any],
    hours: int,
    found: tuple[int, str | None],
):
    segments = [
        {"code": code, "name": code, "when": {"member": {name: True}}}
        for code, name in (("READERS", "has_email"), ("CALLERS", "has_phone"))
    ]
    shop = await open_shop({**earning_by({**SHARE, **says}), "segments": segments})
    ada = await shop.enrol(email="ada@example.com")

    assert await share(shop.later(timedelta(hours=hours)), ada) == found


async def test_caps_and_budgets_hold_for_activities_too(database: BaseDBAsyncClient):
    capped = {**SHARE, "caps": [{"times": 2, "per": "DAY"}], "budget": {"points": 45}}
    shop = await open_shop(earning_by(capped))
    ada, bob = await shop.enrol(), await shop.enrol()

    found = [
        *[await share(shop, ada) for _ in range(3)],
        await share(shop.later(DAY), ada),
        *[await share(shop.later(DAY), bob) for _ in range(2)],
    ]

    assert found == [
        (10, None),
        (10, None),
        (0, "CAP"),
        (10, None),
        (10, None),
        (5, None),
    ]
    assert await share(shop.later(2 * DAY), bob) == (0, "BUDGET")


async def test_what_was_capped_begins_no_cooldown(database: BaseDBAsyncClient):
    spent = {**SHARE, "cooldown_hours": 72, "caps": [{"points": 10, "per": "DAY"}]}
    shop = await open_shop(earning_by(spent, {**SHARE, "code": "MORE", "points": 1}))
    ada = await shop.enrol()

    await share(shop, ada)
    await share(shop.later(DAY), ada)
    third = await share(shop.later(3 * DAY), ada)

    assert third == (11, None)


async def test_of_a_group_one_rule_counts_and_the_other_says_so(database: BaseDBAsyncClient):
    once = {**SHARE, "code": "FIRST", "points": 50, "once_per": "MEMBER", "group": "SHARING"}
    shop = await open_shop(earning_by({**SHARE, "group": "SHARING"}, once))
    ada = await shop.enrol()

    found = [await share(shop, ada) for _ in range(2)]

    assert found == [(50, None), (10, None)]
    assert await reasons(ada) == ["ANOTHER_RULE", None, None, "COUNTED_ALREADY"]


async def test_points_for_an_activity_may_wait(database: BaseDBAsyncClient):
    shop = await open_shop(
        earning_by({**SHARE, "pending": {"days": 3}}, {**APP, "on": "SOCIAL_SHARE"})
    )
    ada = await shop.enrol()

    done = await shop.do(ada, ActivityKind.SOCIAL_SHARE, network="MASTODON")

    assert (done.points, done.balance_points, await shop.balance(ada)) == (60, 50, 50)
    found = await ledger.newest_entries(shop.program_id, [ada.id], limit=2)
    assert [(one.kind, one.points) for one in found[ada.id]] == [("EARN_PENDING", 0), ("EARN", 50)]
    later = shop.later(4 * DAY)
    await activations.run(later.program_id, now=later.now)
    assert await later.balance(ada) == 60


async def test_conditions_see_what_the_batch_has_earned(database: BaseDBAsyncClient):
    poor = {**SHARE, "when": {"member": {"balance_points": {"less_than": 10}}}}
    shop = await open_shop(earning_by(poor))
    ada = await shop.enrol()
    commands = [shop.deed(ada, ActivityKind.SOCIAL_SHARE, network="X") for _ in range(2)]

    answers = await activities.record(shop.program_id, commands, now=NOON)

    assert [only([one]).points for one in answers] == [10, 0]


async def test_a_budget_is_never_exceeded_by_members_at_the_same_time(database: BaseDBAsyncClient):
    shop = await open_shop(earning_by({**SHARE, "budget": {"points": 35}}))
    people = [await shop.enrol() for _ in range(6)]

    found = await asyncio.gather(*(share(shop, one) for one in people))

    assert sorted(points for points, _ in found) == [0, 0, 5, 10, 10, 10]


async def test_a_proof_counts_once_for_members_at_the_same_time(shop: Shop):
    people = [await shop.enrol() for _ in range(6)]

    found = await asyncio.gather(
        *(shop.do(one, ActivityKind.REVIEW, proof="order-7") for one in people)
    )

    assert sorted(one.points for one in found) == [0, 0, 0, 0, 0, 15]
    assert await Activity.all().count() == 6


async def test_rules_know_the_labels_of_the_store(database: BaseDBAsyncClient):
    in_town = {"store": {"labels": {"has": "CITY"}}}
    bonus = {"code": "TOWN", "name": "In town", "points": 7, "when": in_town}
    data = earning_by({**VISIT, "cooldown_hours": 0, "when": in_town}, bonus)
    stores = [
        {"code": "mitte", "name": "Mitte", "labels": ["CITY"]},
        {"code": "wald", "name": "In the wood"},
    ]
    shop = await open_shop({**data, "stores": stores})
    ada = await shop.enrol()

    visits = [
        (await shop.do(ada, ActivityKind.CHECK_IN, store=store)).points
        for store in ("mitte", "wald", "elsewhere")
    ]
    bought = [
        (await shop.buy(ada, store=store)).points for store in ("mitte", "wald", "elsewhere", None)
    ]

    assert (visits, bought) == ([5, 0, 0], [115, 108, 108, 108])


async def test_a_proof_that_counted_in_one_programme_counts_in_another(shop: Shop, ada: Member):
    data = earning_by(REVIEW)
    other = await open_shop({**data, "program": {**data["program"], "slug": "tea-club"}})
    eve = await other.enrol()

    done = [
        await shop.do(ada, ActivityKind.REVIEW, proof="order-7"),
        await other.do(eve, ActivityKind.REVIEW, proof="order-7"),
    ]

    assert [one.points for one in done] == [15, 15]


async def test_an_activity_told_late_earns_by_the_tier_of_its_moment(database: BaseDBAsyncClient):
    levels = [
        {"code": "GREEN", "name": "Green", "entry": 0},
        {"code": "SILVER", "name": "Silver", "entry": 5000},
    ]
    ranks = {"basis": "SPEND", "window": "ROLLING_12_MONTHS", "levels": levels}
    rules = [{**VISIT, "code": level["code"], "tiers": [level["code"]]} for level in levels]
    shop = await open_shop({**earning_by(*rules), "tiers": ranks})
    ada = await shop.enrol(email="ada@example.com")
    await shop.at(NOON + 10 * DAY).buy(ada, (Line("TEA", 1, 6000),))
    later = shop.at(NOON + 12 * DAY)

    before = await later.do(ada, ActivityKind.CHECK_IN, store="S1", occurred_at=NOON + 5 * DAY)
    after = await later.do(ada, ActivityKind.CHECK_IN, store="S1", occurred_at=NOON + 11 * DAY)

    told = {one.occurred_at: one.verdicts for one in await Activity.all()}
    earned = {at: [one["rule"] for one in of if one["points"]] for at, of in told.items()}
    assert (before.points, after.points) == (5, 5)
    assert earned == {NOON + 5 * DAY: ["GREEN"], NOON + 11 * DAY: ["SILVER"]}
