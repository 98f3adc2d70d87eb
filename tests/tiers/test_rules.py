from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.benefits.rules import Grant, Multiplier
from loyalty_graph.tiers.rules import TierSettings

SILVER = {"code": "SILVER", "name": "Silver", "entry": 500, "keep": 400}
GOLD = {"code": "GOLD", "name": "Gold", "entry": 1000, "keep": 800, "multiplier": "5/4"}


def settings(*levels: dict[str, Any], **changes: Any) -> TierSettings:
    given = {"basis": "SPEND", "window": "CALENDAR_YEAR", "levels": levels or (SILVER, GOLD)}
    return TierSettings.model_validate({**given, **changes})


def test_a_tier_is_kept_with_its_entry_unless_the_file_says_less():
    base, gold = settings(
        {"code": "BASE", "name": "Base", "entry": 0}, {**GOLD, "keep": 700}
    ).levels

    assert (base.keep, gold.keep) == (0, 700)
    assert settings({"code": "GOLD", "name": "Gold", "entry": 9}).levels[0].keep == 9


@pytest.mark.parametrize(
    ("value", "reached"), [(0, None), (499, None), (500, "SILVER"), (999, "SILVER"), (1000, "GOLD")]
)
def test_the_highest_tier_whose_entry_is_met_is_reached(value: int, reached: str | None):
    assert settings().reached(value) == reached


@pytest.mark.parametrize(("value", "kept"), [(399, None), (400, "SILVER"), (5000, "SILVER")])
def test_under_a_tier_the_highest_that_would_be_kept_counts(value: int, kept: str | None):
    assert settings().kept(value, below="GOLD") == kept
    assert settings().kept(value, below="SILVER") is None


def test_tiers_have_an_order():
    tiers = settings()

    assert [tiers.rank(code) for code in (None, "GONE", "SILVER", "GOLD")] == [-1, -1, 0, 1]
    above = [tiers.above(code) for code in (None, "SILVER", "GOLD")]
    assert [level.code if level else None for level in above] == ["SILVER", "GOLD", None]


def test_a_tier_multiplies_and_grants():
    tiers = settings(SILVER, {**GOLD, "benefits": ["REFILL", "POST"]})

    assert tiers.multipliers("GOLD") == (Multiplier("TIER", "GOLD", Fraction(5, 4), "Gold"),)
    assert tiers.multipliers("SILVER") == tiers.multipliers(None) == ()
    assert tiers.grants("GOLD") == [
        Grant("REFILL", "TIER", "GOLD", None),
        Grant("POST", "TIER", "GOLD", None),
    ]
    assert tiers.grants(None) == []


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        pytest.param(
            [SILVER, {**GOLD, "entry": 500, "keep": 450}],
            "levels[1] (GOLD): entry 500 is not above 500 of levels[0] (SILVER)",
            id="the same entry",
        ),
        pytest.param(
            [GOLD, SILVER],
            "levels[1] (SILVER): entry 500 is not above 1000 of levels[0] (GOLD)",
            id="descending",
        ),
        pytest.param(
            [SILVER, {**GOLD, "keep": 399}],
            "levels[1] (GOLD): keep 399 is below 400 of levels[0] (SILVER)",
            id="easier to keep than the one below",
        ),
        pytest.param(
            [{**SILVER, "keep": 501}],
            "levels[0] (SILVER): keep 501 is above its entry 500",
            id="harder to keep than to reach",
        ),
        pytest.param(
            [SILVER, {**GOLD, "code": "SILVER"}],
            "levels[1].code: SILVER stands at levels[0] too",
            id="one code twice",
        ),
        pytest.param(
            [SILVER, {**GOLD, "name": "Silver"}],
            "levels[1].name: Silver stands at levels[0] too",
            id="one name twice",
        ),
        pytest.param(
            [{**SILVER, "benefits": ["POST", "POST"]}],
            "levels[0] (SILVER): a benefit stands twice",
            id="one benefit twice",
        ),
        pytest.param(
            [{**SILVER, "multiplier": "1.5"}],
            '\'1.5\' is no ratio; write "5/4" or "2"',
            id="a decimal fraction",
        ),
        pytest.param([{**SILVER, "multiplier": "5/0"}], "is no ratio", id="over nothing"),
        pytest.param([{**SILVER, "multiplier": "101"}], 'at most "100"', id="a huge multiplier"),
        pytest.param([{**SILVER, "entry": -1}], "greater than or equal to 0", id="below zero"),
        pytest.param([{**SILVER, "code": "silver"}], "should match pattern", id="a small code"),
        pytest.param([{**SILVER, "color": "gold"}], "gold is no colour", id="no colour"),
        pytest.param([], "at least 1 item", id="none"),
        pytest.param(["SILVER"], "valid dictionary", id="no table"),
    ],
)
def test_tiers_that_cannot_be_are_refused_with_their_place(levels: list[Any], message: str):
    given = {"basis": "SPEND", "window": "CALENDAR_YEAR", "levels": levels}

    with pytest.raises(ValidationError) as refusal:
        TierSettings.model_validate(given)

    assert message in str(refusal.value)


@pytest.mark.parametrize("changes", [{"basis": "VISITS"}, {"grace_days": 400}, {"grace": 1}])
def test_other_settings_are_checked(changes: dict[str, Any]):
    with pytest.raises(ValidationError):
        settings(**changes)


def test_settings_survive_being_stored():
    tiers = settings(SILVER, GOLD, downgrade="TO_EARNED", grace_days=30)

    assert TierSettings.model_validate(tiers.model_dump(mode="json")) == tiers
