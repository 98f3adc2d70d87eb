from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from loyalty_graph.errors import LoyaltyError, WrongStoreError
from loyalty_graph.rewards.errors import (
    OutOfStockError,
    RedemptionStateError,
    RewardLimitError,
    RewardNotForMemberError,
    RewardNotForTierError,
    RewardNotOpenError,
)
from loyalty_graph.rewards.rules import (
    TRANSITIONS,
    Obstacle,
    Redemption,
    RedemptionState,
    RewardSettings,
    Standing,
    Step,
    check_obtainable,
    offer,
)
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.rules import SegmentSettings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COFFEE: dict[str, Any] = {
    "code": "COFFEE",
    "name": "Coffee",
    "kind": "FREE_PRODUCT",
    "product": "COFFEE",
    "cost_points": 250,
}


def reward(**changes: Any) -> RewardSettings:
    return RewardSettings.model_validate({**COFFEE, **changes})


def redemption(state: RedemptionState, **changes: Any) -> Redemption:
    given: dict[str, Any] = {"store": None, "held_until": None, **changes}
    return Redemption(
        UUID(int=1), UUID(int=2), "COFFEE", 1, state, 250, 1, created_at=NOON, **given
    )


@pytest.mark.parametrize(
    ("case", "changes", "message"),
    [
        ("no product", {"product": None}, "FREE_PRODUCT needs product"),
        ("a value too", {"value_minor": 5}, "FREE_PRODUCT has no value_minor"),
        ("no value", {"kind": "STORED_VALUE", "product": None}, "STORED_VALUE needs value_minor"),
        ("a product too", {"kind": "SHIPPING"}, "SHIPPING has no product"),
        ("101 %", {"kind": "DISCOUNT_PERCENT", "product": None, "percent": 101}, "less than or"),
        ("for nothing", {"cost_points": 0}, "greater than or equal to 1"),
        ("for nothing in a tier", {"tier_costs": {"GOLD": 0}}, "tier_costs are 1 to"),
        ("a price for others", {"tiers": ["GOLD"], "tier_costs": {"SILVER": 9}}, "SILVER has a"),
        ("a window upside down", {"opens_at": NOON, "closes_at": NOON}, "closes_at is not after"),
        ("a window somewhere", {"opens_at": "2026-03-01T00:00:00"}, "timezone"),
        ("an insecure image", {"image_url": "http://example.com/a.png"}, "image_url"),
        ("a strange code", {"code": "Coffee!"}, "pattern"),
        ("an unknown setting", {"price": 3}, "Extra inputs"),
    ],
)
def test_a_reward_that_cannot_be_is_refused(case: str, changes: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        reward(**changes)


def test_a_tier_may_have_a_price_of_its_own():
    coffee = reward(tier_costs={"GOLD": 200, "GUEST": 300})

    assert [coffee.cost_for(tier) for tier in (None, "SILVER", "GOLD")] == [250, 250, 200]
    assert coffee.cost_max == 300
    assert coffee.minds_tiers
    assert not reward().minds_tiers


@pytest.mark.parametrize(
    ("case", "days", "zone", "expires_at"),
    [
        ("never", None, "UTC", None),
        ("through the day", 1, "UTC", datetime(2026, 3, 4, tzinfo=UTC)),
        ("of the programme", 1, "America/New_York", datetime(2026, 3, 4, 5, tzinfo=UTC)),
        ("over summer time", 30, "Europe/Berlin", datetime(2026, 4, 1, 22, tzinfo=UTC)),
    ],
)
def test_a_code_lives_to_the_end_of_a_local_day(
    case: str, days: int | None, zone: str, expires_at: datetime | None
):
    assert reward(code_days=days).code_expires_at(NOON, ZoneInfo(zone)) == expires_at


@pytest.mark.parametrize(
    ("case", "settings", "standing", "obstacles", "error"),
    [
        ("nothing", {}, Standing(None, 9, None), (), None),
        ("not open yet", {"opens_at": NOON + HOUR}, Standing(None, 0, None), ("NOT_OPEN_YET",), 0),
        ("open from now", {"opens_at": NOON}, Standing(None, 0, None), (), None),
        ("still open", {"closes_at": NOON + HOUR}, Standing(None, 0, None), (), None),
        ("closed", {"closes_at": NOON}, Standing(None, 0, None), ("CLOSED",), 0),
        ("no tier", {"tiers": ["GOLD"]}, Standing(None, 0, None), ("OTHER_TIER",), 1),
        ("another tier", {"tiers": ["GOLD"]}, Standing("SILVER", 0, None), ("OTHER_TIER",), 1),
        ("the tier", {"tiers": ["GOLD"]}, Standing("GOLD", 0, None), (), None),
        ("once less", {"limit_per_member": 2}, Standing(None, 1, None), (), None),
        ("often enough", {"limit_per_member": 2}, Standing(None, 2, None), ("LIMIT_REACHED",), 2),
        ("the last one", {"stock": 5}, Standing(None, 0, 1), (), None),
        ("sold out", {"stock": 5}, Standing(None, 0, 0), ("SOLD_OUT",), 3),
        (
            "everything",
            {"closes_at": NOON, "tiers": ["GOLD"], "limit_per_member": 1, "stock": 1},
            Standing("SILVER", 1, 0),
            ("CLOSED", "OTHER_TIER", "LIMIT_REACHED", "SOLD_OUT"),
            0,
        ),
    ],
)
def test_what_is_in_the_way_is_told_and_refused(
    case: str,
    settings: dict[str, Any],
    standing: Standing,
    obstacles: tuple[str, ...],
    error: int | None,
):
    wanted = reward(**settings)
    kinds = (RewardNotOpenError, RewardNotForTierError, RewardLimitError, OutOfStockError)

    offered = offer(wanted, standing, available=250, now=NOON)

    assert offered.obstacles == obstacles
    assert (offered.cost, offered.points_short) == (250, 0)
    if error is None:
        check_obtainable(wanted, standing, now=NOON)
        return
    with pytest.raises(kinds[error]) as refused:
        check_obtainable(wanted, standing, now=NOON)
    assert refused.value.field == "reward"


LOYAL = SegmentSettings.model_validate(
    {
        "code": "LOYAL",
        "name": "Loyal ones",
        "when": {"member": {"purchase_count": {"at_least": 10}}},
    }
)
NEW = SegmentSettings.model_validate(
    {"code": "NEW", "name": "New ones", "when": {"member": {"purchase_count": 0}}}
)
GERMAN = {"member": {"language": "de"}}


@pytest.mark.parametrize(
    ("case", "changes", "is_for"),
    [
        ("for everybody", {}, [True, True, True]),
        ("by a condition", {"when": GERMAN}, [True, False, True]),
        ("in a segment", {"segments": ["NEW"]}, [True, True, False]),
        ("in one of several", {"segments": ["LOYAL", "NEW"]}, [True, True, True]),
        ("both", {"segments": ["NEW"], "when": GERMAN}, [True, False, False]),
    ],
)
def test_a_reward_is_for_whom_its_segments_and_its_condition_say(
    case: str, changes: dict[str, Any], is_for: list[bool]
):
    members = [
        MemberFacts(locale=locale, purchase_count=count)
        for locale, count in (("de-AT", 0), ("en", 0), ("de", 10))
    ]
    segments = {"LOYAL": LOYAL, "NEW": NEW}

    wanted = reward(**changes)

    assert [wanted.is_for(one, segments) for one in members] == is_for, case
    assert wanted.minds_member is bool(changes)


def test_what_is_for_others_is_refused_before_anything_else():
    closed = reward(when=GERMAN, closes_at=NOON.isoformat())

    with pytest.raises(RewardNotForMemberError, match="Reward COFFEE is not for this member"):
        check_obtainable(closed, Standing(None, 0, None, is_meant=False), now=NOON)


def test_points_that_are_missing_are_counted_at_the_members_price():
    coffee = reward(tier_costs={"GOLD": 200})

    short = offer(coffee, Standing("GOLD", 0, None), available=120, now=NOON)

    assert (short.cost, short.points_short) == (200, 80)
    assert short.obstacles == (Obstacle.POINTS_SHORT,)


@pytest.mark.parametrize("state", RedemptionState)
@pytest.mark.parametrize("step", Step)
def test_a_step_is_allowed_by_the_table_or_refused_with_the_state_it_is_in(
    state: RedemptionState, step: Step
):
    one = redemption(state)

    if (state, step) in TRANSITIONS:
        one.check(step, now=NOON)
        done = one.stepped(step, now=NOON, restock=True)
        assert done.state is TRANSITIONS[state, step]
        return
    with pytest.raises(RedemptionStateError, match=f"cannot be {step}: it ") as refused:
        one.check(step, now=NOON)
    assert refused.value.code == f"REDEMPTION_{state}"


def test_there_are_seven_transitions():
    told = {f"{before} {step.name} {after}" for (before, step), after in TRANSITIONS.items()}

    assert told == {
        "HELD CONFIRM ISSUED",
        "HELD CANCEL CANCELLED",
        "HELD RELEASE RELEASED",
        "ISSUED USE USED",
        "ISSUED CANCEL CANCELLED",
        "ISSUED EXPIRE EXPIRED",
        "USED REFUND REFUNDED",
    }


@pytest.mark.parametrize(
    ("case", "state", "moments", "counts_as", "refused"),
    [
        ("held", "HELD", {"held_until": NOON + HOUR}, "HELD", None),
        ("held too long", "HELD", {"held_until": NOON}, "RELEASED", Step.CONFIRM),
        ("issued", "ISSUED", {"expires_at": NOON + HOUR}, "ISSUED", None),
        ("issued for ever", "ISSUED", {}, "ISSUED", None),
        ("not used in time", "ISSUED", {"expires_at": NOON}, "EXPIRED", Step.USE),
        ("used in time", "USED", {"expires_at": NOON}, "USED", None),
    ],
)
def test_a_time_that_is_over_counts_before_it_is_written(
    case: str, state: str, moments: dict[str, datetime], counts_as: str, refused: Step | None
):
    one = redemption(RedemptionState(state), **moments)

    assert one.state_at(NOON) == counts_as
    if refused:
        with pytest.raises(LoyaltyError) as told:
            one.check(refused, now=NOON)
        assert told.value.code == f"REDEMPTION_{counts_as}"


@pytest.mark.parametrize("store", ["north", None])
def test_a_redemption_for_a_store_is_for_that_store(store: str | None):
    one = redemption(RedemptionState.ISSUED, store="south")

    one.check_store("south")
    redemption(RedemptionState.ISSUED).check_store(store)
    with pytest.raises(WrongStoreError, match="in store south only"):
        one.check_store(store)


def test_each_step_keeps_its_moment():
    held = redemption(RedemptionState.HELD, held_until=NOON + HOUR)

    issued = held.stepped(Step.CONFIRM, now=NOON, restock=False)
    used = issued.stepped(Step.USE, now=NOON + HOUR, restock=False)
    back = used.stepped(Step.REFUND, now=NOON + 2 * HOUR, restock=True)

    assert (issued.held_until, issued.issued_at) == (None, NOON)
    assert (used.used_at, used.ended_at) == (NOON + HOUR, None)
    assert (back.ended_at, back.restocked) == (NOON + 2 * HOUR, True)
    assert back.reference == "reward:00000000-0000-0000-0000-000000000002"
