import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.errors import MemberExistsError
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.models import Activity
from loyalty_graph.usecases import members, membership, occasions, program_file
from loyalty_graph.usecases.explanations import explain_entry
from loyalty_graph.usecases.members import Enrolment, Profile
from tests.shop import DAY, NOON, PROGRAM, by_id, open_shop

WHOLE = {
    "email": "ada@example.com",
    "phone": "+4915112345678",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "birthday": date(1990, 12, 10),
}


def rule(kind: str, points: int, **changes: Any) -> dict[str, Any]:
    return {"code": kind, "name": kind.capitalize(), "on": kind, "points": points, **changes}


def seeing(*rules: dict[str, Any], **earning: Any) -> dict[str, Any]:
    return {**PROGRAM, "earning": {**PROGRAM["earning"], "rules": list(rules), **earning}}


async def kinds(member: Member) -> list[str]:
    rows = await Activity.filter(member_id=member.id).order_by("id")
    return [row.kind for row in rows]


async def test_joining_earns_by_itself(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("SIGN_UP", 25)))

    ada = await shop.enrol()

    assert await shop.balance(ada) == 25
    assert await kinds(ada) == ["SIGN_UP"]
    entry = (await ledger.entries(shop.program_id, [(ada.id, 1)]))[ada.id, 1]
    version = await programs.in_force(shop.program_id, NOON, now=NOON)
    told = explain_entry(entry, version.settings)
    assert told is not None
    assert told.summary == "25 beans for joining: Sign_up."


async def test_everybody_who_joins_together_earns(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("SIGN_UP", 25), rule("PROFILE_COMPLETED", 5)))
    wanted = [Enrolment(Profile(external_id=str(n))) for n in range(3)]

    enrolled = await members.enrol(shop.program_id, wanted, now=NOON)

    assert [await shop.balance(one) for one in enrolled] == [25, 25, 25]


async def test_a_retried_enrolment_earns_once(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("SIGN_UP", 25)))
    one = Enrolment(Profile(email="ada@example.com"))
    wanted = one.claim("partner:till", "join")

    ada, _ = await members.enrol_once(shop.program_id, wanted, one, now=NOON)
    _, replayed = await members.enrol_once(shop.program_id, wanted, one, now=NOON)

    assert replayed
    assert await shop.balance(ada) == 25


async def test_a_programme_that_rewards_none_of_it_keeps_none_of_it(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("REVIEW", 5)))

    ada = await shop.enrol(**WHOLE)
    await occasions.run(shop.program_id, now=datetime(2026, 12, 10, 12, tzinfo=UTC))

    assert await kinds(ada) == []


async def test_a_profile_is_completed_once(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("PROFILE_COMPLETED", 10)))
    ada = await shop.enrol(**{**WHOLE, "phone": None})
    before = await shop.balance(ada)

    for phone in ("+4915112345678", None, "+4915112345679"):
        await membership.update(shop.program_id, by_id(ada), {"phone": phone}, now=NOON)
        await IdempotencyRow.all().delete()

    assert (before, await shop.balance(ada)) == (0, 10)
    assert await kinds(ada) == ["PROFILE_COMPLETED"]


async def test_the_programme_says_what_a_whole_profile_is(database: BaseDBAsyncClient):
    data = seeing(
        rule("SIGN_UP", 1), rule("PROFILE_COMPLETED", 10), profile_fields=["first_name", "email"]
    )
    shop = await open_shop(data)

    ada = await shop.enrol(first_name="Ada", email="ada@example.com")
    bob = await shop.enrol(first_name="Bob")

    assert (await shop.balance(ada), await shop.balance(bob)) == (11, 1)
    assert await kinds(ada) == ["SIGN_UP", "PROFILE_COMPLETED"]


async def test_who_cannot_earn_completes_nothing(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("PROFILE_COMPLETED", 10)))
    ada = await shop.enrol()
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    await membership.update(shop.program_id, by_id(ada), WHOLE, now=NOON)

    assert (await shop.balance(ada), await kinds(ada)) == (0, [])


@pytest.mark.parametrize(
    ("born", "moment", "points"),
    [
        # Berlin is an hour ahead of UTC in March, two in summer.
        pytest.param((1990, 3, 10), "2026-03-09T22:59:59", 0, id="the evening before"),
        pytest.param((1990, 3, 10), "2026-03-09T23:00:00", 50, id="as the day begins"),
        pytest.param((1990, 7, 10), "2026-07-09T22:00:00", 50, id="as a summer day begins"),
        pytest.param((1990, 3, 10), "2026-03-13T22:59:59", 50, id="three days late"),
        pytest.param((1990, 3, 10), "2026-03-13T23:00:00", 0, id="four days late"),
        pytest.param((1992, 2, 29), "2027-02-28T12:00:00", 50, id="born on a leap day"),
        pytest.param((1992, 2, 29), "2028-02-28T12:00:00", 0, id="before the leap day"),
        pytest.param((1992, 2, 29), "2028-02-29T12:00:00", 50, id="on the leap day"),
        pytest.param((1992, 2, 28), "2027-02-28T12:00:00", 50, id="born on the 28th"),
        pytest.param((2026, 3, 10), "2027-03-10T12:00:00", 50, id="the first birthday"),
    ],
)
async def test_a_birthday_is_kept_in_the_zone_of_the_programme(
    database: BaseDBAsyncClient, born: tuple[int, int, int], moment: str, points: int
):
    shop = await open_shop(seeing(rule("BIRTHDAY", 50)))
    ada = await shop.enrol(birthday=date(*born))
    await shop.enrol(birthday=date(1990, 6, 1))
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    recorded = await occasions.run(shop.program_id, now=at)
    again = await occasions.run(shop.program_id, now=at)

    assert (recorded, again) == (points // 50, 0)
    assert await shop.balance(ada) == points


async def test_a_birthday_comes_every_year_and_once_whatever_is_forgotten(
    database: BaseDBAsyncClient,
):
    shop = await open_shop(seeing(rule("BIRTHDAY", 50)))
    ada = await shop.enrol(birthday=date(1990, 3, 10))
    first = datetime(2026, 3, 10, 12, tzinfo=UTC)

    for at in (first, first + timedelta(hours=5), first + DAY, first.replace(year=2027)):
        await occasions.run(shop.program_id, now=at)
        await IdempotencyRow.all().delete()

    rows = await Activity.filter(member_id=ada.id).order_by("id")
    assert [(row.kind, row.occasion, row.points) for row in rows] == [
        ("BIRTHDAY", "2026", 50),
        ("BIRTHDAY", "2027", 50),
    ]
    assert rows[0].occurred_at == datetime(2026, 3, 9, 23, tzinfo=UTC)


async def test_who_joins_on_the_birthday_keeps_it_and_the_day_after_does_not(
    database: BaseDBAsyncClient,
):
    shop = await open_shop(seeing(rule("BIRTHDAY", 50)))
    ada = await shop.enrol(birthday=date(1990, 3, 2))
    bob = await shop.later(DAY).enrol(birthday=date(1990, 3, 2))

    await occasions.run(shop.program_id, now=NOON + DAY)

    assert (await shop.balance(ada), await shop.balance(bob)) == (50, 0)
    assert (await Activity.get(member_id=ada.id)).occurred_at == NOON


async def test_an_anniversary_comes_each_year_after_joining(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("ANNIVERSARY", 30)))
    ada = await shop.enrol()
    bob = await shop.later(DAY * 5).enrol()

    for at in (NOON, NOON + DAY, NOON.replace(year=2027), NOON.replace(year=2028)):
        await occasions.run(shop.program_id, now=at)

    assert (await shop.balance(ada), await shop.balance(bob)) == (60, 0)
    assert await kinds(ada) == ["ANNIVERSARY", "ANNIVERSARY"]


async def test_an_empty_programme_has_no_anniversaries(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("ANNIVERSARY", 30)))

    assert await occasions.run(shop.program_id, now=NOON) == 0


async def test_many_birthdays_are_kept_page_by_page(
    database: BaseDBAsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(occasions, "MEMBERS_AT_ONCE", 2)
    shop = await open_shop(seeing(rule("BIRTHDAY", 50)))
    born = [await shop.enrol(birthday=date(1990 + n, 3, 10)) for n in range(5)]
    await members.set_status(shop.program_id, by_id(born[1]), MemberStatus.SUSPENDED, now=NOON)

    kept = await occasions.run(shop.program_id, now=datetime(2026, 3, 10, 12, tzinfo=UTC))

    assert kept == 4
    assert [await shop.balance(one) for one in born] == [50, 0, 50, 50, 50]


async def test_a_rule_that_comes_later_makes_up_for_nothing(database: BaseDBAsyncClient):
    shop = await open_shop()
    ada = await shop.enrol(birthday=date(1990, 3, 10))
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    file = program_file.check(seeing(rule("BIRTHDAY", 50)), name="test")
    await program_file.load(file, now=noon)

    kept = await occasions.run(shop.program_id, now=noon + DAY)

    assert (kept, await kinds(ada)) == (0, [])


async def test_a_budget_holds_for_those_who_join_at_the_same_time(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("SIGN_UP", 25, budget={"points": 60})))

    joined = await asyncio.gather(*(shop.enrol() for _ in range(5)))

    assert sorted([await shop.balance(one) for one in joined]) == [0, 0, 10, 25, 25]


async def test_who_is_not_enrolled_after_all_has_done_nothing(database: BaseDBAsyncClient):
    shop = await open_shop(seeing(rule("SIGN_UP", 25)))
    await shop.enrol(email="ada@example.com")
    before = await Activity.all().count()

    with pytest.raises(MemberExistsError):
        await shop.enrol(email="ada@example.com")

    assert await Activity.all().count() == before == 1
