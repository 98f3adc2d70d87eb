"""Storing earning rules, and the calculator of a version."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.earning.calculators import ProductTypeRewardCalculator, RewardCalculator
from loyalty_graph.earning.models import EarningRules
from loyalty_graph.earning.rule_settings import EarningRule
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.purchases.rules import ActivityKind

ANY_PRODUCT_TYPE = "OTHER"

_calculators: dict[tuple[UUID, int], RewardCalculator] = {}
"""Versions never change, so a calculator is made once; there are as many as versions in use."""

_activity_rules: dict[tuple[UUID, int], dict[ActivityKind, list[EarningRule]]] = {}


async def store_rules(program_id: UUID, version: int, settings: EarningSettings) -> None:
    """Store the earning rules of a programme's version."""
    assert_in_transaction()
    await EarningRules.create(
        program_id=program_id, version=version, settings=settings.model_dump(mode="json")
    )


async def calculator(program_id: UUID, version: int) -> RewardCalculator:
    """Return the calculator that a version of a programme earns with."""
    known = _calculators.get((program_id, version))
    if known is None:
        rules = await EarningRules.get(program_id=program_id, version=version)
        known = ProductTypeRewardCalculator(EarningSettings.model_validate(rules.settings))
        _calculators[program_id, version] = known
    return known


async def activity_rules(
    program_id: UUID, version: int
) -> Mapping[ActivityKind, Sequence[EarningRule]]:
    """Return the rules of a programme's version for each kind of activity that has any."""
    known = _activity_rules.get((program_id, version))
    if known is None:
        rules = await EarningRules.get(program_id=program_id, version=version)
        known = {}
        for rule in EarningSettings.model_validate(rules.settings).rules:
            if isinstance(rule.on, ActivityKind):
                known.setdefault(rule.on, []).append(rule)
        _activity_rules[program_id, version] = known
    return known


async def usual_product_type(program_id: UUID, version: int) -> str:
    """Return a product type that earns in a version of a programme: the first one it lists."""
    rules = await EarningRules.get(program_id=program_id, version=version)
    settings = EarningSettings.model_validate(rules.settings)
    earning = (one for one in settings.product_types if one not in settings.excluded_product_types)
    return next(earning, ANY_PRODUCT_TYPE)
