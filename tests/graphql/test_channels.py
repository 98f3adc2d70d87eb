"""Wherever a member buys, the same rules hold, unless a rule names a channel."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Channel
from tests.api import Api, receipt
from tests.shop import PROGRAM

DOUBLE: dict[str, Any] = {"code": "DOUBLE", "name": "Twice", "multiplier": "2"}
MOBILE: dict[str, Any] = {
    "code": "APP",
    "name": "By app",
    "points": 10,
    "when": {"purchase": {"channel": "MOBILE"}},
}


def open_with(api: Api, *rules: dict[str, Any]) -> Member:
    api.open_shop({**PROGRAM, "earning": {**PROGRAM["earning"], "rules": list(rules)}})
    return api.run(api.shop.enrol)


def points_by_channel(api: Api, ada: Member) -> dict[str, int]:
    return {
        channel: api.do("recordPurchase", receipt(ada, channel=channel), "points")["points"]
        for channel in Channel
    }


@pytest.mark.parametrize(
    ("rules", "points"), [([], 108), ([DOUBLE], 216)], ids=["no rule", "a rule for all"]
)
def test_the_same_purchase_earns_the_same_over_every_channel(
    api: Api, rules: list[dict[str, Any]], points: int
):
    ada = open_with(api, *rules)

    assert points_by_channel(api, ada) == dict.fromkeys(Channel, points)


def test_only_a_rule_that_names_a_channel_makes_a_difference(api: Api):
    ada = open_with(api, MOBILE)

    assert points_by_channel(api, ada) == {**dict.fromkeys(Channel, 108), "MOBILE": 118}
