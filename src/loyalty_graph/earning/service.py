"""Storing earning rules, and the rules of a version, compiled."""

from collections.abc import Mapping
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.earning.activities import ActivityRules, rules_for_activities
from loyalty_graph.earning.models import EarningRules
from loyalty_graph.earning.offers import OnOffer
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.stored import read_stored
from loyalty_graph.segments import service as segments

ANY_PRODUCT_TYPE = "OTHER"

_books: dict[tuple[UUID, int], RuleBook] = {}
"""Versions never change, so a book is made once; there are as many as versions in use."""

_on_offer: dict[tuple[UUID, int], Mapping[str, OnOffer]] = {}
_activity_rules: dict[tuple[UUID, int], ActivityRules] = {}


async def store_rules(program_id: UUID, version: int, settings: EarningSettings) -> None:
    """Store the earning rules of a programme's version."""
    assert_in_transaction()
    await EarningRules.create(
        program_id=program_id, version=version, settings=settings.model_dump(mode="json")
    )


async def rule_book(version: programs.Version) -> RuleBook:
    """Return the rules and offers of a version of a programme, compiled."""
    key = version.program_id, version.number
    known = _books.get(key)
    if known is None:
        rules = await EarningRules.get(program_id=version.program_id, version=version.number)
        settings = read_stored(EarningSettings.model_validate, rules.settings)
        groups = await segments.segments(*key)
        conditions = {code: one.when for code, one in groups.items()}
        zone = version.settings.zone
        known = _books[key] = RuleBook(settings, zone, segments=conditions)
    return known


async def on_offer(version: programs.Version) -> Mapping[str, OnOffer]:
    """Return the offers of a version of a programme by their codes, in the order of its file."""
    key = version.program_id, version.number
    known = _on_offer.get(key)
    if known is None:
        book = await rule_book(version)
        offers = [OnOffer(one) for one in book.bonuses if one.is_offer]
        known = _on_offer[key] = {one.settings.code: one for one in offers}
    return known


async def activity_rules(program_id: UUID, version: int) -> ActivityRules:
    """Return what activities earn in a version of a programme."""
    known = _activity_rules.get((program_id, version))
    if known is None:
        rules = await EarningRules.get(program_id=program_id, version=version)
        known = rules_for_activities(read_stored(EarningSettings.model_validate, rules.settings))
        _activity_rules[program_id, version] = known
    return known


async def usual_product_type(program_id: UUID, version: int) -> str:
    """Return a product type that earns in a version of a programme: the first one it lists."""
    rules = await EarningRules.get(program_id=program_id, version=version)
    settings = read_stored(EarningSettings.model_validate, rules.settings)
    earning = (one for one in settings.product_types if one not in settings.excluded_product_types)
    return next(earning, ANY_PRODUCT_TYPE)
