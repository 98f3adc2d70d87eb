"""How quickly changes reach the cards, as the operator asks for it."""

from typing import Any

import pytest

from loyalty_graph.wallet import latency, service
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.latency import Stage
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from tests.api import OTHER_PROGRAM, Api
from tests.metering import Growth
from tests.shop import DAY, NOON, Shop

STATS = """query ($days: Int! = 7) { deliveryStats(days: $days) { since staleCards
    times { platform stage count p50Milliseconds p95Milliseconds p99Milliseconds } } }"""


def measure(api: Api, stage: Stage, seconds: list[float], *, days_ago: int = 0) -> None:
    program_id, now = api.shop.program_id, api.now - days_ago * DAY
    api.run(latency.record, program_id, Platform.APPLE, stage, seconds, now=now)


def stats(api: Api, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.data(STATS, variables)["deliveryStats"]
    return found


def test_nothing_was_measured_yet(api: Api):
    assert stats(api) == {"since": "2026-02-24T12:00:00Z", "staleCards": 0, "times": []}


def test_what_is_measured_is_counted_for_prometheus_too(api: Api):
    labels = {"platform": "APPLE", "stage": "PUSHED"}
    quick = Growth("loyalty_push_lag_seconds_bucket", {**labels, "le": "0.05"})
    every = Growth("loyalty_push_lag_seconds_count", labels)

    measure(api, Stage.PUSHED, [0.01, -1.0, 2.5])

    assert (quick.by, every.by) == (2, 3)


def test_percentiles_are_told_by_platform_and_stage(api: Api):
    measure(api, Stage.PUSHED, [0.0005] * 95 + [10.0] * 5)
    measure(api, Stage.FETCHED, [0.0005], days_ago=6)
    measure(api, Stage.FETCHED, [0.0005], days_ago=7)

    fetched, pushed = stats(api)["times"]

    assert pushed.pop("p99Milliseconds") == pytest.approx(10_000, rel=0.05)
    assert pushed == {
        "platform": "APPLE",
        "stage": "PUSHED",
        "count": 100,
        "p50Milliseconds": 1,
        "p95Milliseconds": 1,
    }
    assert (fetched["stage"], fetched["count"]) == ("FETCHED", 1)


@pytest.mark.parametrize("days", [0, 36, -1])
def test_days_that_are_not_kept_are_refused(api: Api, days: int):
    assert api.error(STATS, {"days": days}) == "INVALID_INPUT"


async def cards(shop: Shop, platform: Platform = Platform.APPLE, **changes: Any) -> None:
    """Give somebody a card that shows something old, as changed, on one device."""
    member = await shop.enrol()
    [serial] = (await service.issue(shop.program_id, [member.id], platform, now=NOON)).values()
    await PassRow.filter(serial=serial).update(**{"update_tag": 7, "delivered_tag": 6} | changes)
    if platform is Platform.APPLE:
        await RegistrationRow.create(
            serial=serial,
            program_id=shop.program_id,
            member_id=member.id,
            pass_type="pass.dev",
            device=serial,
            registered_at=NOON,
        )


@pytest.mark.parametrize(
    ("case", "changes", "stale"),
    [
        ("behind", {}, 1),
        ("nothing was delivered", {"delivered_tag": None}, 1),
        ("up to date", {"delivered_tag": 7}, 0),
        ("behind in Google", {"platform": Platform.GOOGLE, "installed_at": NOON}, 1),
        ("never saved in Google", {"platform": Platform.GOOGLE}, 0),
        (
            "deleted in Google",
            {"platform": Platform.GOOGLE, "installed_at": NOON, "removed_at": NOON},
            0,
        ),
        (
            "saved again in Google",
            {"platform": Platform.GOOGLE, "installed_at": NOON + DAY, "removed_at": NOON},
            1,
        ),
    ],
)
def test_stale_cards_are_counted_among_those_that_wallets_hold(
    api: Api, case: str, changes: dict[str, Any], stale: int
):
    api.run(cards, api.shop, **changes)

    assert stats(api)["staleCards"] == stale, case


def test_a_change_without_a_number_counts_and_a_card_that_nobody_holds_does_not(api: Api):
    async def buy() -> None:
        ada, bob = await api.shop.enrol(), await api.shop.enrol()
        for one in (ada, bob):
            await service.issue(api.shop.program_id, [one.id], now=NOON)
            await api.shop.buy(one)
        row = await PassRow.get(member_id=ada.id)
        await RegistrationRow.create(
            serial=row.serial,
            program_id=row.program_id,
            member_id=ada.id,
            pass_type="pass.dev",
            device="iPhone",
            registered_at=NOON,
        )

    api.run(buy)

    assert stats(api)["staleCards"] == 1


def test_other_programmes_are_counted_apart(api: Api):
    other = api.open_shop(OTHER_PROGRAM)
    api.run(cards, other)
    api.run(latency.record, other.program_id, Platform.APPLE, Stage.PUSHED, [1.0], now=NOON)

    assert stats(api) == {"since": "2026-02-24T12:00:00Z", "staleCards": 0, "times": []}
