"""The same receipts in another order earn the same in all; docs/ARCHITECTURE.md says what may not.

Every one is told of late, so nothing but the order of recording differs.
"""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty_graph.purchases.models import Purchase
from loyalty_graph.purchases.rules import Line
from tests.shop import NOON, PROGRAM, Shop, open_shop

END = NOON + timedelta(days=40)
KINDS = ("COFFEE", "MUG", "TEA")
MOVING = [
    {
        "code": "FIRST",
        "name": "First",
        "points": 100,
        "when": {"purchase": {"is_first": True}},
    },
    {
        "code": "CARRIED",
        "name": "Full tens",
        "rate": {"points": 7, "per_amount_minor": 1000, "granularity": "STEP", "carry": True},
    },
    {
        "code": "TWICE",
        "name": "Twice a week",
        "points": 11,
        "caps": [{"times": 2, "per": "WEEK"}],
        "pending": {"days": 3},
    },
]
"""Which receipt gets these points is a matter of order; how many they are in all is not."""
STAYING = [
    {
        "code": "CAPPED",
        "name": "Within a cap",
        "multiplier": "3",
        "caps": [{"points": 60, "per": "DAY"}],
    },
    {
        "code": "STAIRS",
        "name": "By steps",
        "steps": [{"from_minor": 1000, "points": 5}, {"from_minor": 5000, "points": 40}],
    },
]
MONTHLY = [{**STAYING[0], "code": "MONTHLY", "caps": [{"points": 300, "per": "MONTH"}]}]
BUDGETED = [
    {
        "code": "BUDGETED",
        "name": "Within a budget",
        "multiplier": "2",
        "budget": {"points": 500, "per": "MONTH"},
    },
]
CAPS = [
    {"points": 200, "per": "DAY"},
    {"points": 900, "per": "MONTH"},
    {"points": 2500, "per": "EVER", "scope": "PROGRAM"},
]
Told = tuple[int, datetime, tuple[Line, ...]]


def receipts(chance: random.Random, *, members: int) -> list[Told]:
    """Return what members bought within a month, about as often as caps have room for."""
    found: list[Told] = []
    for _ in range(40):
        lines = tuple(
            Line(chance.choice(KINDS), chance.randint(1, 3), chance.randint(1, 3000))
            for _ in range(chance.randint(1, 3))
        )
        at = NOON + timedelta(hours=chance.randrange(24 * 30))
        found.append((chance.randrange(members), at, lines))
    return found


async def earned(slug: str, told: list[Told], *, caps: list[dict[str, Any]], rules: Any) -> Any:
    """Tell a programme of its own about the receipts; return what each member earned."""
    earning = {**PROGRAM["earning"], "rules": rules, "caps": caps}
    program = {**PROGRAM["program"], "slug": slug, "name": slug}
    shop: Shop = (await open_shop({"program": program, "earning": earning})).at(END)
    people = [await shop.enrol() for _ in range(3)]
    for who, at, lines in told:
        await shop.buy(people[who], lines, purchased_at=at)
    rows = await Purchase.filter(program_id=shop.program_id).values_list("member_id", "points")
    assert len(rows) == len(told)
    return [sum(points for member, points in rows if member == one.id) for one in people]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("caps", "rules"),
    [
        pytest.param(CAPS[:2], STAYING, id="caps on all points"),
        pytest.param([], [*STAYING, *MONTHLY], id="caps of rules"),
        pytest.param([], [*STAYING, *MOVING], id="remainders, first purchases, so many times"),
        pytest.param([{"points": 900, "per": "EVER"}], [*STAYING, *MOVING], id="both for ever"),
    ],
)
async def test_in_any_order_each_member_earns_the_same_in_all(
    database: object, caps: list[dict[str, Any]], rules: list[dict[str, Any]], seed: int
):
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    told = receipts(chance, members=3)
    shuffled = chance.sample(told, len(told))

    one = await earned("one", told, caps=caps, rules=rules)
    backwards = await earned("backwards", told[::-1], caps=caps, rules=rules)
    another = await earned("another", shuffled, caps=caps, rules=rules)

    assert one == backwards == another


@pytest.mark.parametrize("seed", range(4))
async def test_in_any_order_the_programme_gives_the_same_in_all(database: object, seed: int):
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    told = receipts(chance, members=3)
    rules = [*STAYING, *BUDGETED]

    one = await earned("one", told, caps=CAPS[2:], rules=rules)
    backwards = await earned("backwards", told[::-1], caps=CAPS[2:], rules=rules)

    assert sum(one) == sum(backwards) == 2500


@pytest.mark.parametrize("seed", range(2))
async def test_without_caps_each_receipt_earns_the_same_in_any_order(database: object, seed: int):
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    told = receipts(chance, members=3)
    by_lines = [{"code": "MORE", "name": "More", "multiplier": "2", "lines": {"quantity": 2}}]

    await earned("one", told, caps=[], rules=by_lines)
    await earned("backwards", told[::-1], caps=[], rules=by_lines)

    found = await Purchase.all().values_list("purchased_at", "total_minor", "points")
    rows = sorted(found)
    assert rows[::2] == rows[1::2]
