import re
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.sandbox.baskets import load_baskets

PRESETS = Path(__file__).parents[2] / "presets"


@pytest.fixture(scope="module")
def programme() -> dict[str, Any]:
    return tomllib.loads((PRESETS / "corner-grocer.toml").read_text())


def test_the_programme_says_who_it_is_and_how_points_live(programme: dict[str, Any]):
    program = programme["program"]

    assert program["name"] == "Corner Grocer Rewards"
    assert program["slug"] == "corner-grocer"
    assert program["currency"] == "USD"
    assert program["accept_days"] == 365
    assert ZoneInfo(program["time_zone"]).key == "America/New_York"
    assert program["points"] == {
        "unit_one": "point",
        "unit_other": "points",
        "expiry_months": 6,
        "clawback": "CLAMP_TO_ZERO",
        "payment": {"points": 100, "worth_minor": 50, "basket_percent_max": 50},
        "transfers": {"min_points": 50, "max_points_per_year": 2000, "fee_percent": 5},
    }


def test_the_programme_knows_the_product_types_of_the_baskets(programme: dict[str, Any]):
    baskets = load_baskets(PRESETS / "demo" / "complete-journey.txt.xz", households=1)

    assert tuple(programme["earning"]["product_types"]) == baskets.product_types
    assert len(baskets.product_types) == 16


def test_no_product_type_has_two_rates_or_a_rate_and_an_exclusion(programme: dict[str, Any]):
    earning = programme["earning"]
    rated = [name for rate in earning["rates"] for name in rate["product_types"]]
    excluded = earning["excluded_product_types"]

    assert len(set(rated + excluded)) == len(rated + excluded)
    assert set(rated + excluded) <= set(earning["product_types"])
    assert excluded == ["ALCOHOL", "TOBACCO", "GIFT_CARD"]
    assert earning["unknown_product_types"] == "REFUSE"


def test_rates_are_exact_ratios_with_a_named_rounding(programme: dict[str, Any]):
    earning = programme["earning"]
    rates = [earning["default_rate"], *earning["rates"]]

    found = {
        (*rate.get("product_types", ["default"]),): (
            rate["points"],
            rate["per_amount_minor"],
            rate["granularity"],
            rate["rounding"],
        )
        for rate in rates
    }
    assert found == {
        ("default",): (1, 100, "PRORATA", "FLOOR"),
        ("PRODUCE", "NUTRITION"): (2, 100, "PRORATA", "FLOOR"),
        ("BAKERY", "DELI"): (3, 200, "PRORATA", "NEAREST"),
        ("FLORAL_AND_GARDEN",): (10, 500, "STEP", "FLOOR"),
        ("FUEL",): (1, 500, "STEP", "FLOOR"),
    }


def test_tiers_rise_with_a_household_of_the_study(programme: dict[str, Any]):
    tiers = programme["tiers"]

    assert (tiers["basis"], tiers["window"], tiers["downgrade"], tiers["grace_days"]) == (
        "SPEND",
        "CALENDAR_YEAR",
        "ONE_STEP",
        31,
    )
    assert [(one["code"], one["entry"], one.get("multiplier")) for one in tiers["levels"]] == [
        ("GREEN", 0, None),
        ("SILVER", 60_000, "11/10"),
        ("GOLD", 180_000, "5/4"),
        ("PLATINUM", 400_000, "3/2"),
    ]
    assert [one["code"] for one in programme["benefits"]] == tiers["levels"][-1]["benefits"]


def test_rewards_are_a_ladder_that_a_household_can_climb(programme: dict[str, Any]):
    rewards = {one["code"]: one for one in programme["rewards"]}

    assert [(code, one["kind"], one["cost_points"]) for code, one in rewards.items()] == [
        ("BREAKFAST", "FREE_PRODUCT", 250),
        ("DELIVERY", "SHIPPING", 400),
        ("TENTH_OFF", "DISCOUNT_PERCENT", 600),
        ("NOTE", "STORED_VALUE", 1000),
        ("HAMPER", "FREE_PRODUCT", 1500),
        ("COOKING_EVENING", "CUSTOM", 2000),
    ]
    assert rewards["NOTE"]["value_minor"] == 1000
    assert rewards["COOKING_EVENING"]["tiers"] == ["PLATINUM"]
    tiers = {level["code"] for level in programme["tiers"]["levels"]}
    for one in rewards.values():
        assert {*one.get("tiers", ()), *one.get("tier_costs", ())} <= tiers


def test_the_card_has_colours_terms_and_someone_to_ask(programme: dict[str, Any]):
    branding = programme["branding"]

    assert set(branding) == {"background", "foreground", "label", "support", "template", "terms"}
    for name in ("background", "foreground", "label"):
        assert re.fullmatch(r"rgb\(\d{1,3}, \d{1,3}, \d{1,3}\)", branding[name])
    assert branding["terms"].startswith("Points have no cash value")
    assert "\n" not in branding["terms"]
