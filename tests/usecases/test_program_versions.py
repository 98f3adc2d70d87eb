"""Planning and applying programme files: versions, refusals, retries."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    NotFoundError,
    ProgramFileError,
    StaleVersionError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.programs import reads
from loyalty_graph.programs.models import Program, ProgramVersion
from loyalty_graph.usecases import program_versions
from loyalty_graph.usecases.program_versions import ApplyProgram, Draft, ProgramApplied
from loyalty_graph.wallet import rollouts
from loyalty_graph.wallet import service as wallet
from tests.shop import DAY, NOON, Shop, open_shop

TEXT = """# The club's file.
[program]
slug = "bean-club" # never changes
name = "Bean Club"
currency = "EUR"
time_zone = "Europe/Berlin"
[program.points]
unit_one = "bean"
unit_other = "beans"
[earning.default_rate]
points = 2
per_amount_minor = 100
[tiers]
basis = "SPEND"
window = "CALENDAR_YEAR"
[[tiers.levels]]
code = "BASE"
name = "Base"
entry = 0
[[tiers.levels]]
code = "GOLD"
name = "Gold"
entry = 30000
[[subscription_plans]]
code = "PLUS"
name = "Plus"
interval = "MONTH"
price_minor = 500
[[rewards]]
code = "COFFEE"
name = "Coffee"
kind = "FREE_PRODUCT"
product = "COFFEE"
cost_points = 40
[[rewards]]
code = "CAKE"
name = "Cake"
kind = "CUSTOM"
cost_points = 60
"""


def draft(*changes: tuple[str, str]) -> Draft:
    """Return the club's file after these replacements."""
    text = TEXT
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return program_versions.draft(text, name="club.toml")


async def apply(*changes: tuple[str, str], now: datetime = NOON, **given: Any) -> ProgramApplied:
    command = ApplyProgram(draft(*changes), "staff:1", **given)
    return await program_versions.apply(command, now=now)


RENAMED = ('name = "Bean Club"', 'name = "Tea Club"')
DEARER = ("cost_points = 40", "cost_points = 50")


async def test_applying_keeps_the_text_who_why_and_how_much(database: object):
    first = await apply(note="opening")
    second = await apply(DEARER, RENAMED, now=NOON + DAY, note="winter", expected_version=1)

    assert (first.version, second.version) == (1, 2)
    assert [one.sentence for one in second.plan.changes] == [
        "Programme: called “Tea Club” instead of Bean Club",
        "Reward COFFEE: costs 50 beans instead of 40",
    ]
    newest, oldest = await reads.history((await Program.get()).id, limit=5)
    assert (oldest.source, oldest.note, oldest.change_count) == (TEXT, "opening", None)
    assert (newest.source, newest.note, newest.change_count) == (
        TEXT.replace(*RENAMED).replace(*DEARER),
        "winter",
        2,
    )
    assert (newest.actor, newest.in_force_from) == ("staff:1", NOON + DAY)
    assert (await reads.history(newest.program_id, limit=5, before=2)) == [oldest]


async def test_a_plan_stores_nothing(database: object):
    planned = await program_versions.plan(draft(), now=NOON)

    assert (planned.slug, planned.version, planned.cards) == ("bean-club", 0, ())
    assert await Program.all().count() == 0


async def test_applies_at_the_same_moment_become_versions_one_after_the_other(database: object):
    await apply()

    done = await asyncio.gather(*(apply((RENAMED[0], f'name = "Club {n}"')) for n in range(4)))

    assert sorted(one.version for one in done) == [2, 3, 4, 5]
    by_version = sorted(done, key=lambda one: one.version)
    [name] = by_version[-1].plan.changes
    assert f"instead of {by_version[-2].plan.name}" in name.text


async def test_of_applies_that_expect_the_same_version_one_is_done(database: object):
    await apply()

    done = await asyncio.gather(
        *(apply(RENAMED, expected_version=1) for _ in range(4)), return_exceptions=True
    )

    [applied] = [one for one in done if isinstance(one, ProgramApplied)]
    stale = [one for one in done if isinstance(one, StaleVersionError)]
    assert (applied.version, len(stale)) == (2, 3)
    assert {(one.expected, one.present) for one in stale} == {(1, 2)}
    assert await ProgramVersion.all().count() == 2


async def test_first_applies_at_the_same_moment_make_one_programme(database: object):
    done = await asyncio.gather(*(apply() for _ in range(3)))

    assert sorted(one.version for one in done) == [1, 2, 3]
    assert await Program.all().count() == 1


async def test_a_plan_says_what_changes_on_cards_and_applying_rolls_it_out(database: object):
    await apply()
    shop = Shop((await Program.get()).id, NOON)
    members = [(await shop.enrol()).id for _ in range(2)]
    await wallet.issue(shop.program_id, members, now=NOON)

    planned = await program_versions.plan(draft(RENAMED), now=NOON + DAY)
    await apply(RENAMED, now=NOON + DAY)

    assert (planned.cards, planned.card_holders) == (["name"], 2)
    [rollout] = await rollouts.progress(shop.program_id)
    assert (rollout.reason, rollout.total) == ("programme version 2", 2)


async def test_a_plan_counts_the_members_of_segments_that_are_new_or_different(database: object):
    young = '[[segments]]\ncode = "YOUNG"\nname = "New here"\nwhen = { member = { AGE } }\n'
    loyal = '[[segments]]\ncode = "ALL"\nname = "All"\nwhen = { member = { status = "ACTIVE" } }\n'
    text = f"{TEXT}{young}{loyal}"
    first = text.replace("AGE", "enrolled_days = { at_least = 1 }")
    other = text.replace("AGE", "enrolled_days = { at_most = 1 }")
    drafts = [program_versions.draft(one, name="club.toml") for one in (first, other)]
    await program_versions.apply(ApplyProgram(drafts[0], "cli"), now=NOON)
    shop = Shop((await Program.get()).id, NOON)
    for _ in range(3):
        await shop.enrol()

    same, different = [await program_versions.plan(one, now=NOON) for one in drafts]

    assert (same.reach, different.reach) == ({}, {"YOUNG": 3})


@pytest.mark.parametrize(
    ("case", "change", "told"),
    [
        (
            "another currency",
            ('currency = "EUR"', 'currency = "USD"'),
            "club.toml:5:12: program.currency: cannot change from EUR to USD",
        ),
        (
            "a sandbox",
            ('slug = "bean-club"', 'sandbox = true\nslug = "bean-club"'),
            "club.toml:3:11: program.sandbox: cannot change: bean-club is real for good",
        ),
    ],
)
async def test_what_cannot_change_is_refused_with_its_place(
    *, database: object, case: str, change: tuple[str, str], told: str
):
    await apply()

    with pytest.raises(ProgramFileError) as refused:
        await apply(change)

    assert refused.value.message.startswith(told)
    assert await ProgramVersion.all().count() == 1


@pytest.mark.parametrize("slug", ["bean-club", "no-club"])
async def test_a_programme_of_another_is_refused(database: object, slug: str):
    await apply()
    command = ApplyProgram(draft(("bean-club", slug)), "staff:1", program_id=UUID(int=1))

    with pytest.raises(ProgramFileError, match=r"club.toml:3:8: program.slug: is another"):
        await program_versions.apply(command, now=NOON)

    assert await ProgramVersion.all().count() == 1


async def test_a_retry_with_the_same_key_applies_once(database: object):
    await apply()
    key = {"program_id": (await Program.get()).id, "idempotency_key": "k", "expected_version": 1}

    first = await apply(RENAMED, **key)
    again = await apply(RENAMED, now=NOON + DAY, **key)
    with pytest.raises(IdempotencyMismatchError):
        await apply(DEARER, **key)

    assert (first.version, first.replayed) == (2, False)
    assert (again.version, again.replayed, again.plan.changes) == (2, True, first.plan.changes)
    assert await ProgramVersion.all().count() == 2


async def test_a_refused_apply_keeps_no_key(database: object):
    await apply()
    key = {"program_id": (await Program.get()).id, "idempotency_key": "k"}

    with pytest.raises(StaleVersionError):
        await apply(RENAMED, expected_version=7, **key)

    assert await IdempotencyRow.all().count() == 0
    assert (await apply(RENAMED, **key)).version == 2


async def test_a_note_that_is_too_long_is_refused(database: object):
    with pytest.raises(InvalidInputError, match="At most 500 characters"):
        await apply(note="x" * 501)

    assert await Program.all().count() == 0


@pytest.mark.parametrize("number", [0, 2, 2**31])
async def test_a_version_that_is_none_has_no_text(database: object, number: int):
    await apply()

    with pytest.raises(NotFoundError, match=f"There is no version {number}"):
        await program_versions.text_of((await Program.get()).id, number)


async def test_a_version_without_a_text_says_so(database: object):
    shop = await open_shop()

    with pytest.raises(InvalidInputError, match="Version 1 was stored without a text"):
        await program_versions.text_of(shop.program_id, None)


def test_a_slug_that_is_none_is_refused_for_a_copy():
    with pytest.raises(LoyaltyError, match="cannot be used; write small letters"):
        program_versions.sandbox_draft(draft(), slug="Bean Test")


async def test_a_version_that_the_checks_of_today_would_refuse_is_compared_all_the_same(
    database: object,
):
    await apply()
    row = await ProgramVersion.get()
    row.file["program"]["accept_days"] = 0
    await ProgramVersion.all().update(file=row.file)

    planned = await program_versions.plan(draft(), now=NOON)

    assert [one.sentence for one in planned.changes] == [
        "Programme: accepts purchases up to 365 days old instead of 0 days"
    ]
