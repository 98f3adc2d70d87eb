from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.tiers.rules import TierSettings
from loyalty_graph.tiers.standing import (
    Change,
    ChangeKind,
    Outlook,
    Scheme,
    Standing,
    advance,
    begin,
    count,
    due_at,
    forget,
    next_event,
    outlook,
    override,
    tier_at,
    value,
)

NEW_YORK = "America/New_York"
BASE = {"code": "BASE", "name": "Base", "entry": 0}
SILVER = {"code": "SILVER", "name": "Silver", "entry": 500, "keep": 400}
GOLD = {"code": "GOLD", "name": "Gold", "entry": 1000, "keep": 800}
PLATINUM = {"code": "PLATINUM", "name": "Platinum", "entry": 3000, "keep": 2000}
BOUGHT = tuple[datetime, int]


def scheme(*levels: dict[str, Any], zone: str = NEW_YORK, **changes: Any) -> Scheme:
    settings = {
        "basis": "SPEND",
        "window": "CALENDAR_YEAR",
        "levels": levels or (BASE, SILVER, GOLD, PLATINUM),
        **changes,
    }
    return Scheme(TierSettings.model_validate(settings), ZoneInfo(zone))


def local(text: str, zone: str = NEW_YORK) -> datetime:
    """Return an instant by what the clock on the wall shows."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def live(
    plan: Scheme, *bought: BOUGHT, until: str | datetime | None = None
) -> tuple[Standing, list[Change]]:
    """Return the standing of a member who bought this, each recorded when it was bought."""
    first = bought[0][0] if bought else local("2026-01-01")
    standing, changes = begin(plan, {}, now=first), list[Change]()
    for at, amount in bought:
        standing, passed = advance(plan, standing, at)
        standing, rose = count(plan, standing, amount, at=at, now=at)
        changes += [*passed, *rose]
    if until is not None:
        end = local(until) if isinstance(until, str) else until
        standing, passed = advance(plan, standing, end)
        changes += passed
    return standing, changes


def tiers(changes: list[Change]) -> list[str | None]:
    return [change.after for change in changes]


JUNE = local("2026-06-15T12:00")


@pytest.mark.parametrize(
    ("case", "amount", "tier"),
    [
        ("nothing", 0, "BASE"),
        ("one below", 499, "BASE"),
        ("exactly", 500, "SILVER"),
        ("one below the next", 999, "SILVER"),
        ("exactly the next", 1000, "GOLD"),
        ("two steps at once", 3000, "PLATINUM"),
    ],
)
def test_a_member_rises_at_once_to_what_was_reached(case: str, amount: int, tier: str):
    standing, changes = live(scheme(), (JUNE, amount))

    assert standing.tier == tier
    rose = [Change(1, ChangeKind.UPGRADED, "BASE", tier, JUNE)]
    assert changes == (rose if tier != "BASE" else [])


def test_no_tier_is_skipped_and_none_is_entered_twice():
    bought = [(JUNE + timedelta(hours=hour), 250) for hour in range(12)]

    _, changes = live(scheme(), *bought)

    assert tiers(changes) == ["SILVER", "GOLD", "PLATINUM"]
    assert [change.sequence for change in changes] == [1, 2, 3]


def test_without_a_base_nobody_has_a_tier_at_first():
    plan = scheme(SILVER, GOLD)

    assert begin(plan, {}, now=JUNE) == Standing(None)
    assert live(plan, (JUNE, 500))[0].tier == "SILVER"


@pytest.mark.parametrize(
    ("case", "at", "year"),
    [
        ("the last instant of the year", "2026-12-31T23:59:59.999999", 2026),
        ("the first instant of the next", "2027-01-01T00:00", 2027),
        ("a leap day", "2028-02-29T23:59:59", 2028),
    ],
)
def test_the_year_begins_and_ends_in_the_programmes_zone(case: str, at: str, year: int):
    for zone in (NEW_YORK, "Pacific/Auckland", "UTC"):
        standing, _ = live(scheme(zone=zone), (local(at, zone), 7))

        assert standing.amounts == {year: 7}


def test_what_is_split_by_new_year_reaches_nothing():
    plan = scheme()
    before, after = local("2026-12-31T23:59:59.999999"), local("2027-01-01T00:00")

    assert live(plan, (before, 499), (after, 499))[0].tier == "BASE"
    assert live(plan, (before, 499), (before, 1))[0].tier == "SILVER"


KEEPING: list[tuple[str, str, int, int, str | None, str | None]] = [
    # case, policy, grace days, spent in 2027, tier before and after its judgement
    ("kept exactly", "ONE_STEP", 0, 800, "GOLD", "GOLD"),
    ("one below keep", "ONE_STEP", 0, 799, "GOLD", "SILVER"),
    ("one step though less was spent", "ONE_STEP", 0, 0, "GOLD", "SILVER"),
    ("to what was earned", "TO_EARNED", 0, 799, "GOLD", "SILVER"),
    ("to what is kept below", "TO_EARNED", 0, 400, "GOLD", "SILVER"),
    ("to what is not kept below", "TO_EARNED", 0, 399, "GOLD", "BASE"),
    ("never", "NONE", 0, 0, "GOLD", "GOLD"),
    ("with grace", "ONE_STEP", 30, 799, "GOLD", "SILVER"),
]


@pytest.mark.parametrize(("case", "policy", "grace", "spent", "before", "after"), KEEPING)
def test_a_tier_is_judged_when_its_year_and_the_grace_are_over(
    case: str, policy: str, grace: int, spent: int, before: str, after: str
):
    plan = scheme(downgrade=policy, grace_days=grace)
    bought = [(JUNE, 1000), (local("2027-06-01"), spent)]
    judged = local("2028-01-01") + timedelta(days=grace)

    still, _ = live(plan, *bought, until=judged - timedelta(microseconds=1))
    then, changes = live(plan, *bought, until=judged)

    assert (still.tier, then.tier) == (before, after)
    fell = Change(2, ChangeKind.DOWNGRADED, before, after, judged)
    assert changes[1:] == ([fell] if after != before else [])
    assert then.since == (judged if after != before else JUNE)


def test_the_year_a_tier_was_reached_in_keeps_it_for_the_next():
    standing, _ = live(scheme(), (JUNE, 1000), until="2027-12-31T23:59:59")

    assert standing.tier == "GOLD"


def test_falling_goes_on_year_by_year_without_purchases():
    _, changes = live(scheme(), (JUNE, 3000), until="2035-01-01")

    assert tiers(changes) == ["PLATINUM", "GOLD", "SILVER", "BASE"]
    years = [local(f"{year}-01-01") for year in (2028, 2029, 2030)]
    assert [change.at for change in changes[1:]] == years


def test_the_lowest_tier_is_lost_to_none():
    _, changes = live(scheme(SILVER, GOLD), (JUNE, 500), until="2035-01-01")

    assert tiers(changes) == ["SILVER", None]


def test_what_is_bought_in_the_grace_days_can_keep_a_tier():
    plan = scheme(grace_days=30)
    bought = [(JUNE, 1000), (local("2028-01-20"), 800)]

    standing, changes = live(plan, *bought, until="2028-01-31")

    assert (standing.tier, tiers(changes)) == ("GOLD", ["GOLD"])
    assert standing.ends_on == date(2029, 1, 1)


def test_goods_brought_back_lower_the_progress_but_not_the_tier():
    plan = scheme()
    standing, _ = live(plan, (JUNE, 1000))

    less, changes = count(plan, standing, -999, at=JUNE, now=JUNE + timedelta(days=7))

    assert (less.tier, less.amounts, changes) == ("GOLD", {2026: 1}, ())
    assert advance(plan, less, local("2027-01-01"))[0].tier == "SILVER"


def test_more_comes_back_than_is_remembered_and_nothing_goes_below_zero():
    plan = scheme()

    standing, _ = count(plan, Standing("BASE"), -5, at=JUNE, now=JUNE)

    assert standing.amounts == {2026: 0}


@pytest.mark.parametrize(
    ("case", "amount", "tier", "since"),
    [("enough for its year", 1000, "GOLD", "2026-12-30"), ("not enough", 499, "BASE", None)],
)
def test_a_late_receipt_counts_in_its_own_year(
    case: str, amount: int, tier: str, since: str | None
):
    plan, now, bought_at = scheme(), local("2027-01-05"), local("2026-12-30")
    standing, _ = advance(plan, begin(plan, {}, now=JUNE), now)

    late, _ = count(plan, standing, amount, at=bought_at, now=now)

    assert (late.tier, late.since) == (tier, since and local(since))
    assert late.amounts == {2026: amount}
    assert value(plan, late, plan.day(now)) == 0


def test_a_late_receipt_that_arrives_before_the_judgement_keeps_the_tier():
    plan = scheme(grace_days=30)
    standing, _ = live(plan, (JUNE, 1000), (local("2027-03-01"), 700), until="2028-01-15")

    late, _ = count(plan, standing, 100, at=local("2027-12-30"), now=local("2028-01-15"))

    assert advance(plan, late, local("2028-02-01"))[0].tier == "GOLD"


def test_a_late_receipt_does_not_move_the_beginning_of_a_tier_back():
    plan = scheme()
    standing, _ = live(plan, (JUNE, 1000))

    _, changes = count(plan, standing, 2000, at=JUNE - timedelta(days=30), now=JUNE)

    assert changes == (Change(2, ChangeKind.UPGRADED, "GOLD", "PLATINUM", JUNE),)


ROLLING: list[tuple[str, str, str, int]] = [
    # case, bought on, asked on, what then counts
    ("the same day", "2026-03-10", "2026-03-10", 5),
    ("the last day", "2026-03-10", "2027-03-09", 5),
    ("twelve months later", "2026-03-10", "2027-03-10", 0),
    ("a leap day, its last day", "2028-02-29", "2029-02-27", 5),
    ("a leap day, twelve months later", "2028-02-29", "2029-02-28", 5),
    ("a leap day, then March", "2028-02-29", "2029-03-01", 0),
    ("28 February, on the leap day", "2027-02-28", "2028-02-29", 0),
    ("1 March, on the leap day", "2027-03-01", "2028-02-29", 5),
]


@pytest.mark.parametrize(("case", "bought", "asked", "expected"), ROLLING)
def test_a_rolling_window_holds_twelve_months_of_days(
    case: str, bought: str, asked: str, expected: int
):
    plan = scheme(window="ROLLING_12_MONTHS")
    standing, _ = live(plan, (local(f"{bought}T23:59:59.999999"), 5))

    assert value(plan, standing, date.fromisoformat(asked)) == expected


@pytest.mark.parametrize(
    ("case", "reached", "ends"),
    [
        ("into summer time", "2026-03-08T03:30", "2027-03-08"),
        ("out of summer time", "2026-11-01T01:30", "2027-11-01"),
        ("on a leap day", "2028-02-29T00:00", "2029-02-28"),
        ("at the day's end", "2026-06-30T23:59:59.999999", "2027-06-30"),
    ],
)
def test_a_rolling_period_ends_at_local_midnight(case: str, reached: str, ends: str):
    plan = scheme(window="ROLLING_12_MONTHS", grace_days=1)

    standing, changes = live(plan, (local(reached), 500))

    assert tiers(changes) == ["SILVER"]
    assert standing.ends_on == date.fromisoformat(ends)
    assert due_at(plan, standing) == local(ends) + timedelta(days=1)


def test_a_rolling_tier_is_kept_by_the_twelve_months_that_end():
    plan = scheme(window="ROLLING_12_MONTHS")
    bought = [(JUNE, 1000), (local("2027-06-14T23:00"), 799)]

    kept, _ = live(plan, *bought, until="2027-06-15")
    fallen, _ = live(plan, *bought, until="2028-06-15")

    assert (kept.tier, kept.ends_on) == ("GOLD", date(2028, 6, 15))
    assert fallen.tier == "SILVER"


def test_grace_days_that_meet_summer_time_are_days_of_the_calendar():
    plan = scheme(grace_days=100)

    standing, _ = live(plan, (JUNE, 500))

    assert due_at(plan, standing) == local("2027-04-11")


UNTIL = JUNE + timedelta(days=30)


def overridden(plan: Scheme, tier: str | None, *bought: BOUGHT) -> Standing:
    standing, _ = live(plan, *bought)
    return override(standing, tier, until=UNTIL, now=JUNE)[0]


def test_an_override_holds_until_its_end():
    plan = scheme()
    given = overridden(plan, "GOLD", (JUNE, 100))

    before, _ = advance(plan, given, UNTIL - timedelta(microseconds=1))
    after, changes = advance(plan, given, UNTIL)

    assert (given.tier, before.tier, after.tier) == ("GOLD", "GOLD", "BASE")
    assert changes == (Change(2, ChangeKind.OVERRIDE_ENDED, "GOLD", "BASE", UNTIL),)


def test_an_override_can_lower_and_ends_when_the_member_rises_above_it():
    plan = scheme()
    given = overridden(plan, "BASE", (JUNE, 1000))

    more, none = count(plan, given, 1, at=JUNE, now=JUNE)
    risen, changes = count(plan, given, 2000, at=JUNE, now=JUNE)

    assert (given.tier, more.tier, none) == ("BASE", "BASE", ())
    assert (risen.tier, risen.override, risen.override_until) == ("PLATINUM", None, None)
    assert changes == (Change(3, ChangeKind.UPGRADED, "BASE", "PLATINUM", JUNE),)


def test_what_is_earned_under_an_override_holds_after_it():
    plan = scheme()
    given = overridden(plan, "PLATINUM", (JUNE, 100))

    earned, changes = count(plan, given, 900, at=JUNE, now=JUNE)
    after, _ = advance(plan, earned, UNTIL)

    assert (earned.tier, changes, after.tier) == ("PLATINUM", (), "GOLD")


def test_an_override_that_gives_what_the_member_has_changes_nothing_until_it_ends():
    plan = scheme()
    standing, _ = live(plan, (JUNE, 1000))

    given, changes = override(standing, "GOLD", until=UNTIL, now=JUNE)

    assert (given.tier, changes) == ("GOLD", ())
    assert next_event(plan, given) == UNTIL
    assert override(given, None, until=None, now=JUNE) == (standing, ())


def test_a_judgement_under_an_override_is_heard_of_when_that_ends():
    plan = scheme()
    standing, _ = live(plan, (JUNE, 1000))
    until = local("2028-01-01")

    given, _ = override(standing, "PLATINUM", until=until, now=JUNE)
    after, changes = advance(plan, given, until)

    assert after.tier == "SILVER"
    assert changes == (Change(3, ChangeKind.OVERRIDE_ENDED, "PLATINUM", "SILVER", until),)


@pytest.mark.parametrize(
    ("case", "at", "tier"),
    [
        ("before all changes", JUNE - timedelta(days=1), "BASE"),
        ("at a change", JUNE, "SILVER"),
        ("between", JUNE + timedelta(days=1), "SILVER"),
        ("after all changes", JUNE + timedelta(days=9), "GOLD"),
    ],
)
def test_the_tier_at_an_earlier_time_is_known(case: str, at: datetime, tier: str):
    plan = scheme()
    standing, changes = live(plan, (JUNE, 500), (JUNE + timedelta(days=2), 500))

    assert tier_at(standing, changes, at) == tier
    assert tier_at(Standing("BASE"), [], at) == "BASE"


def test_a_tier_the_programme_no_longer_has_is_worked_out_again():
    old, new = scheme(), scheme(BASE, SILVER)
    standing, _ = live(old, (JUNE, 1000))
    given, _ = override(standing, "PLATINUM", until=UNTIL, now=JUNE)

    fitted, changes = advance(new, given, JUNE)

    assert (fitted.tier, fitted.override, fitted.ends_on) == ("SILVER", None, date(2027, 1, 1))
    assert changes == (Change(3, ChangeKind.RULES_CHANGED, "PLATINUM", "SILVER", JUNE),)


def test_a_tier_that_can_be_lost_from_now_on_is_judged_after_this_year():
    lasting, plan = scheme(downgrade="NONE"), scheme()
    standing, _ = live(lasting, (JUNE, 1000))

    assert (standing.ends_on, next_event(lasting, standing)) == (None, None)
    assert advance(plan, standing, JUNE)[0].ends_on == date(2027, 1, 1)
    ends = live(plan, (JUNE, 1000))[0]
    assert next_event(lasting, ends) is None


def test_the_outlook_tells_what_comes_without_another_purchase():
    plan = scheme(grace_days=10)
    standing, _ = live(plan, (JUNE, 1000))
    later, _ = advance(plan, standing, local("2027-06-01"))
    later, _ = count(plan, later, 300, at=local("2027-06-01"), now=local("2027-06-01"))
    lost_at = local("2028-01-11")

    assert outlook(plan, standing) == Outlook("GOLD", None, 0, lost_at)
    assert outlook(plan, later) == Outlook("SILVER", lost_at, 500, lost_at)
    assert outlook(plan, begin(plan, {}, now=JUNE)) == Outlook("BASE", None, 0, None)


def test_the_outlook_of_an_override_is_its_end():
    plan = scheme()

    given = overridden(plan, "GOLD", (JUNE, 100))
    kept = overridden(plan, "GOLD", (JUNE, 1000))
    base = overridden(plan, "BASE", (JUNE, 100))

    assert outlook(plan, given) == Outlook("BASE", UNTIL, 0, UNTIL)
    assert outlook(plan, base) == Outlook("BASE", None, 0, None)
    assert outlook(plan, kept) == Outlook("GOLD", None, 0, local("2028-01-01"))


def test_a_tier_that_everything_keeps_has_no_end():
    plan = scheme(BASE, {**SILVER, "keep": 1}, {**GOLD, "keep": 1})
    bought = dict.fromkeys(range(2020, 2100), 5)

    standing = Standing("GOLD", date(2027, 1, 1), amounts=bought)

    assert outlook(plan, standing).until is None


def test_amounts_that_no_window_asks_for_again_are_forgotten():
    yearly, rolling = scheme(), scheme(window="ROLLING_12_MONTHS")
    now = local("2028-06-15")
    day = date(2028, 6, 15).toordinal()

    years = Standing("BASE", amounts={2025: 1, 2026: 2, 2027: 3, 2028: 0})
    days = Standing("BASE", amounts={day - 367: 1, day - 366: 2, day - 1: 3})
    judged_late = Standing("GOLD", date(2027, 1, 1), amounts=years.amounts)

    assert forget(yearly, years, now=now).amounts == {2027: 3}
    assert forget(rolling, days, now=now).amounts == {day - 366: 2, day - 1: 3}
    assert forget(yearly, judged_late, now=now).amounts == {2025: 1, 2026: 2, 2027: 3}


def test_points_count_where_the_programme_says_so():
    spend, points = scheme(), scheme(basis="QUALIFYING_POINTS")

    assert spend.amount(spend_minor=1250, points=12) == 1250
    assert points.amount(spend_minor=1250, points=12) == 12
    assert (spend.measure, points.measure) == (
        "SPEND CALENDAR_YEAR",
        "QUALIFYING_POINTS CALENDAR_YEAR",
    )


PLANS = [
    scheme(window=window, downgrade=downgrade, grace_days=grace)
    for window in ("CALENDAR_YEAR", "ROLLING_12_MONTHS")
    for downgrade in ("NONE", "ONE_STEP", "TO_EARNED")
    for grace in (0, 45)
]
HISTORIES = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 1200)), min_size=1, max_size=25)


@given(st.sampled_from(PLANS), HISTORIES, st.lists(st.integers(1, 700), max_size=6))
def test_the_tier_is_a_function_of_the_history_however_often_somebody_looks(
    plan: Scheme, gaps: list[tuple[int, int]], looks: list[int]
):
    """I10: looking in between, and forgetting old amounts, changes nothing."""
    bought, at = list[BOUGHT](), local("2026-01-01T08:00")
    for days, amount in gaps:
        at += timedelta(days=days)
        bought.append((at, amount))
    end = at + timedelta(days=1500)
    once, changes = live(plan, *bought, until=end)

    standing, seen = begin(plan, {}, now=bought[0][0]), list[Change]()
    moments = [(bought[0][0] + timedelta(days=days), 0) for days in looks]
    for at, amount in [*sorted([*bought, *moments], key=lambda one: one[0]), (end, 0)]:
        standing, passed = advance(plan, standing, at)
        seen += passed
        if amount:
            standing, rose = count(plan, standing, amount, at=at, now=at)
            seen += rose
        standing = forget(plan, standing, now=at)

    assert seen == changes
    assert (standing.tier, standing.since, standing.ends_on) == (
        once.tier,
        once.since,
        once.ends_on,
    )


@given(st.sampled_from(PLANS), HISTORIES)
def test_changes_join_up_and_ranks_move_as_their_kind_says(
    plan: Scheme, gaps: list[tuple[int, int]]
):
    bought, at = list[BOUGHT](), local("2026-01-01T08:00")
    for days, amount in gaps:
        at += timedelta(days=days)
        bought.append((at, amount))

    standing, changes = live(plan, *bought, until=at + timedelta(days=2000))

    tier: str | None = "BASE"
    rank = plan.settings.rank
    for number, change in enumerate(changes, 1):
        assert (change.sequence, change.before) == (number, tier)
        rises = rank(change.after) > rank(change.before)
        assert rises is (change.kind is ChangeKind.UPGRADED)
        tier = change.after
    assert standing.tier == tier
    assert [change.at for change in changes] == sorted(change.at for change in changes)


@given(HISTORIES, st.integers(0, 24))
def test_bringing_everything_back_leaves_no_progress(gaps: list[tuple[int, int]], first: int):
    plan, now = scheme(window="ROLLING_12_MONTHS"), local("2026-12-31T20:00")
    bought = [(local("2026-02-01") + timedelta(days=days), amount) for days, amount in gaps]
    standing, _ = live(plan, *sorted(bought))
    turned = bought[first % len(bought) :] + bought[: first % len(bought)]

    for at, amount in turned:
        standing, changes = count(plan, standing, -amount, at=at, now=now)
        assert changes == ()

    assert not any(standing.amounts.values())
