"""A programme that newer code has stored: nothing is guessed, and callers try elsewhere."""

from datetime import timedelta
from typing import Any

import pytest
from tortoise.models import Model

from loyalty_graph.benefits import service as benefits
from loyalty_graph.benefits.models import BenefitRules
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.models import EarningRules
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.models import Program, ProgramVersion
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.programs.stored import NewerProgramError
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.models import RewardRules
from loyalty_graph.segments import service as segments
from loyalty_graph.segments.models import Segments
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.models import SubscriptionPlans
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.models import TierRules
from tests.shop import NOON, PROGRAM, Shop, open_shop

NEWER = {"of_the_future": 1}
SETTINGS = ProgramSettings.model_validate(PROGRAM["program"])


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.mark.parametrize(
    ("case", "table", "settings"),
    [
        ("benefits", BenefitRules, [NEWER]),
        ("earning", EarningRules, NEWER),
        ("activities", EarningRules, NEWER),
        ("product type", EarningRules, NEWER),
        ("rewards", RewardRules, [NEWER]),
        ("segments", Segments, [NEWER]),
        ("subscriptions", SubscriptionPlans, [NEWER]),
        ("tiers", TierRules, NEWER),
    ],
)
async def test_settings_that_newer_code_stored_are_not_guessed(
    shop: Shop, case: str, table: type[Model], settings: Any
):
    version = programs.Version(shop.program_id, 7, SETTINGS, NOON)
    read = {
        "benefits": lambda: benefits.benefits(version),
        "earning": lambda: earning.rule_book(version),
        "activities": lambda: earning.activity_rules(version.program_id, 7),
        "product type": lambda: earning.usual_product_type(version.program_id, 7),
        "rewards": lambda: rewards.catalogue(version.program_id, 7),
        "segments": lambda: segments.segments(version.program_id, 7),
        "subscriptions": lambda: subscriptions.plans(version.program_id, 7),
        "tiers": lambda: tiers.scheme(version),
    }[case]
    await table.create(program_id=shop.program_id, version=7, settings=settings)

    with pytest.raises(NewerProgramError, match="A newer Loyalty Graph has written this programme"):
        await read()


async def test_a_purchase_under_a_version_that_newer_code_stored_changes_nothing(shop: Shop):
    member = await shop.enrol()
    first = await ProgramVersion.get(program_id=shop.program_id)
    newer = ProgramVersion(**dict(first) | {"version": 2, "settings": first.settings | NEWER})
    await newer.save(force_create=True)
    await Program.filter(id=shop.program_id).update(version=2)

    with pytest.raises(NewerProgramError, match=r"\(of_the_future\)"):
        await shop.later(timedelta(seconds=5)).buy(member)

    assert await TransferRow.all().count() == 0
