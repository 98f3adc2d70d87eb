from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.usecases import program_file
from tests.api import Api, member_id
from tests.shop import COFFEE, DAY, NOON, NOTE, giving, program
from tests.tiers.shop import tea, with_tiers

FIELDS = """id code name description kind value { amount currencyCode } percent product cost
    tierCosts { tier cost } imageUrl stockLeft opensAt closesAt limitPerMember tiers personal
    codeDays holdMinutesMax expiredPoints refundable"""
OFFERS = "cost pointsShort reasons reward { code stockLeft }"
MUG: dict[str, Any] = {
    "code": "MUG",
    "name": "A mug",
    "description": "Blue.",
    "kind": "FREE_PRODUCT",
    "product": "MUG-1",
    "cost_points": 90,
    "tier_costs": {"GOLD": 60},
    "tiers": ["SILVER", "GOLD"],
    "image_url": "https://example.com/mug.png",
    "stock": 2,
    "opens_at": NOON.isoformat(),
    "closes_at": (NOON + DAY).isoformat(),
    "limit_per_member": 1,
    "unit_cost_minor": 320,
    "code_days": 30,
    "hold_minutes_max": 20,
    "expired_points": "RETURN",
    "refundable": False,
}


@pytest.fixture
def ada(api: Api) -> Member:
    """A member of tier SILVER with 120 points."""
    api.shop = api.open_shop({**with_tiers(), "rewards": [COFFEE, NOTE, MUG]})
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada, tea(12_000))
    return ada


def test_everybody_sees_the_rewards(api: Api, ada: Member):
    rewards = api.data(f"{{ rewards {{ {FIELDS} }} }}", token=None)["rewards"]

    assert [one["code"] for one in rewards] == ["COFFEE", "NOTE", "MUG"]
    assert rewards[1]["value"] == {"amount": "20.00", "currencyCode": "EUR"}
    mug = {key: value for key, value in rewards[2].items() if key != "id"}
    assert mug == {
        "code": "MUG",
        "name": "A mug",
        "description": "Blue.",
        "kind": "FREE_PRODUCT",
        "value": None,
        "percent": None,
        "product": "MUG-1",
        "cost": 90,
        "tierCosts": [{"tier": "GOLD", "cost": 60}],
        "imageUrl": "https://example.com/mug.png",
        "stockLeft": 2,
        "opensAt": "2026-03-02T12:00:00Z",
        "closesAt": "2026-03-03T12:00:00Z",
        "limitPerMember": 1,
        "tiers": ["SILVER", "GOLD"],
        "personal": False,
        "codeDays": 30,
        "holdMinutesMax": 20,
        "expiredPoints": "RETURN",
        "refundable": False,
    }


def test_what_a_reward_costs_the_programme_is_not_for_everybody(api: Api, ada: Member):
    query = "{ rewards { unitCost { amount } } }"

    shown = api.data(query, token=api.token("program:write"))["rewards"]

    assert shown == [{"unitCost": None}, {"unitCost": None}, {"unitCost": {"amount": "3.20"}}]
    body = api.ask(query, token=None)
    assert {one["extensions"]["code"] for one in body["errors"]} == {"UNAUTHENTICATED"}


def test_a_reward_keeps_its_id_over_versions(api: Api, ada: Member):
    before = api.data("{ rewards { id } }")["rewards"]
    dearer = {**with_tiers(), "rewards": [{**COFFEE, "cost_points": 45}]}
    api.run(program_file.load, program_file.check(dearer, name="t"), now=NOON)
    api.now = NOON + DAY
    node = "query ($id: ID!) { node(id: $id) { ... on Reward { code cost } } }"

    after = api.data("{ rewards { id } }")["rewards"]
    [coffee, gone] = [api.data(node, {"id": one["id"]})["node"] for one in before[:2]]

    assert after == before[:1]
    assert (coffee, gone) == ({"code": "COFFEE", "cost": 45}, None)


def test_a_member_sees_what_is_in_reach_the_cheapest_first(api: Api, ada: Member):
    query = f"""query ($r: MemberRef!) {{
        availableRewards(member: $r) {{ {OFFERS} }}
        member(ref: $r) {{ availableRewards {{ {OFFERS} }} }} }}"""
    api.run(api.shop.want, ada, "COFFEE")

    answer = api.data(query, {"r": {"id": member_id(ada)}})

    offers = answer["availableRewards"]
    assert offers == answer["member"]["availableRewards"]
    assert [(one["reward"]["code"], one["pointsShort"], one["reasons"]) for one in offers] == [
        ("COFFEE", 0, []),
        ("NOTE", 0, []),
        ("MUG", 10, ["POINTS_SHORT"]),
    ]


def test_everything_in_the_way_is_told(api: Api, ada: Member):
    for _ in range(2):
        bob = api.run(api.shop.enrol)
        api.run(api.shop.buy, bob, tea(30_000))
        api.run(api.shop.want, bob, "MUG")
    cy = api.run(api.shop.enrol)
    query = f"query ($r: MemberRef!) {{ availableRewards(member: $r) {{ {OFFERS} }} }}"

    of_bob, of_cy = (
        api.data(query, {"r": {"id": member_id(one)}})["availableRewards"] for one in (bob, cy)
    )

    assert of_bob[-1]["reward"] == {"code": "MUG", "stockLeft": 0}
    assert (of_bob[-1]["cost"], of_bob[-1]["reasons"]) == (60, ["LIMIT_REACHED", "SOLD_OUT"])
    assert (of_cy[-1]["cost"], of_cy[-1]["pointsShort"]) == (90, 90)
    assert of_cy[-1]["reasons"] == ["OTHER_TIER", "SOLD_OUT", "POINTS_SHORT"]


def test_a_reward_that_closed_is_offered_no_more(api: Api, ada: Member):
    api.now = NOON + DAY
    query = f"query ($r: MemberRef!) {{ availableRewards(member: $r) {{ {OFFERS} }} }}"

    offers = api.data(query, {"r": {"id": member_id(ada)}})["availableRewards"]

    assert [one["reward"]["code"] for one in offers] == ["COFFEE", "NOTE"]


def test_the_programme_says_what_points_are_worth(api: Api):
    query = "{ program { pointPayment { points worth { amount } basketPercentMax } } }"
    before = api.data(query)
    payment = {"points": 100, "worth_minor": 50, "basket_percent_max": 30}
    api.open_shop(program(payment=payment))
    api.now = NOON + DAY

    after = api.data(query)

    assert before == {"program": {"pointPayment": None}}
    assert after == {
        "program": {
            "pointPayment": {"points": 100, "worth": {"amount": "0.50"}, "basketPercentMax": 30}
        }
    }


def test_a_programme_without_rewards_offers_none(api: Api):
    ada = api.run(api.shop.enrol)
    query = "query ($r: MemberRef!) { rewards { id } availableRewards(member: $r) { cost } }"

    assert api.data(query, {"r": {"id": member_id(ada)}}) == {"rewards": [], "availableRewards": []}


def test_the_same_reward_of_another_programme_has_another_id(api: Api):
    data = giving()
    other = api.open_shop({**data, "program": {**data["program"], "slug": "tea-club"}})
    api.open_shop(data)
    api.now = NOON + DAY

    [one] = api.data("{ rewards { id } }")["rewards"]
    [theirs] = api.data("{ rewards { id } }", token=api.token("admin", shop=other))["rewards"]

    assert one["id"] != theirs["id"]


def test_a_personal_reward_is_offered_to_whom_it_is_meant_for(api: Api):
    cake = {**COFFEE, "code": "CAKE", "when": {"member": {"is_birthday": True}}}
    api.shop = api.open_shop(giving(cake))
    born = NOON.date().replace(year=1990)
    ada, bob = (api.run(api.shop.enrol, birthday=one) for one in (born, born - DAY))
    query = "query ($r: MemberRef!) { availableRewards(member: $r) { reward { code personal } } }"

    offers = [
        api.data(query, {"r": {"id": member_id(one)}})["availableRewards"] for one in (ada, bob)
    ]
    wanted = {"idempotencyKey": "k", "member": {"id": member_id(bob)}, "reward": "CAKE"}
    refusal = api.refusal("redeemReward", wanted)

    coffee = {"reward": {"code": "COFFEE", "personal": False}}
    assert offers == [[coffee, {"reward": {"code": "CAKE", "personal": True}}], [coffee]]
    assert refusal == ("REWARD_NOT_FOR_MEMBER", "reward")
