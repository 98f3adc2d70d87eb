"""What the parts of a programme file name of each other, and where they name what is not there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from loyalty_graph.conditions.contradictions import impossible
from loyalty_graph.conditions.reading import read, read_line
from loyalty_graph.conditions.references import references
from loyalty_graph.conditions.tree import AllOf, Condition
from loyalty_graph.conditions.vocabulary import Vocabulary
from loyalty_graph.earning.bonuses import Bonus
from loyalty_graph.earning.rule_settings import EarningRule, Offer
from loyalty_graph.earning.settings import UnknownProductTypes
from loyalty_graph.earning.vocabulary import ACTIVITIES, PURCHASES
from loyalty_graph.programs.expiry import ExpirySettings
from loyalty_graph.programs.places import Path
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.rewards.rules import RewardSettings
from loyalty_graph.segments.vocabulary import MEMBERS
from loyalty_graph.usecases.program_faults import Fault, did_you_mean

if TYPE_CHECKING:
    from loyalty_graph.usecases.program_file import ProgramFile

Named: TypeAlias = tuple[Path, str, str]
"""Where something is named, what kind of thing it is, and its code."""

HEADERS: Mapping[str, str] = {
    "benefit": "[[benefits]]",
    "tier": "[[tiers.levels]]",
    "plan": "[[subscription_plans]]",
    "segment": "[[segments]]",
}


def strangers(file: "ProgramFile") -> Iterator[Fault]:
    """Say where parts of the file name what it does not define."""
    known = _known(file)
    for path, kind, code in _named(file):
        if kind in known and code not in known[kind]:
            instead = did_you_mean(code, known[kind])
            if not instead and kind in HEADERS:
                instead = f"; write it as {HEADERS[kind]}"
            yield Fault(path, f"there is no {kind.replace('_', ' ')} {code}{instead}")


def _known(file: "ProgramFile") -> dict[str, list[str]]:
    """Return the codes of each kind; what a file may leave open is absent where it does."""
    known = {
        "benefit": [one.code for one in file.benefits],
        "tier": [one.code for one in file.tiers.levels] if file.tiers else [],
        "plan": [one.code for one in file.subscription_plans],
        "segment": [one.code for one in file.segments],
        "activity": [str(kind) for kind in ActivityKind],
    }
    if file.program.stores:
        known["store"] = [one.code for one in file.program.stores]
    if file.earning.unknown_product_types is UnknownProductTypes.REFUSE:
        known["product_type"] = sorted(file.earning.known)
    return known


def _named(file: "ProgramFile") -> Iterator[Named]:
    yield from _in_expiry(file.program.points.lives)
    for place, level in enumerate(file.tiers.levels if file.tiers else ()):
        yield from _listed(("tiers", "levels", place, "benefits"), "benefit", level.benefits)
    for place, plan in enumerate(file.subscription_plans):
        yield from _listed(("subscription_plans", place, "benefits"), "benefit", plan.benefits)
    for place, reward in enumerate(file.rewards):
        yield from _in_reward(("rewards", place), reward)
    for place, segment in enumerate(file.segments):
        yield from _in_condition(("segments", place, "when"), segment.condition)
    for place, rule in enumerate(file.earning.rules):
        yield from _in_bonus(("earning", "rules", place), rule)
    for place, offer in enumerate(file.earning.offers):
        yield from _in_bonus(("earning", "offers", place), offer)


def _in_expiry(expiry: ExpirySettings) -> Iterator[Named]:
    for place, occasion in enumerate(expiry.resets):
        _, _, kind = occasion.partition(":")
        if kind:
            yield ("program", "points", "expiry", "resets", place), "activity", kind


def _in_reward(path: Path, reward: RewardSettings) -> Iterator[Named]:
    yield from _listed((*path, "tiers"), "tier", reward.tiers)
    for tier in reward.tier_costs:
        yield (*path, "tier_costs", tier), "tier", tier
    yield from _listed((*path, "segments"), "segment", reward.segments)
    if reward.condition is not None:
        yield from _in_condition((*path, "when"), reward.condition)


def _in_bonus(path: Path, bonus: EarningRule | Offer) -> Iterator[Named]:
    yield from _listed((*path, "tiers"), "tier", bonus.tiers)
    yield from _listed((*path, "plans"), "plan", bonus.plans)
    yield from _listed((*path, "segments"), "segment", bonus.segments)
    vocabulary = _vocabulary(bonus)
    if bonus.when is not None:
        yield from _in_condition((*path, "when"), read(bonus.when, vocabulary))
    if bonus.lines is not None:
        yield from _in_condition((*path, "lines"), read_line(bonus.lines, vocabulary))
    audience: dict[str, Any] | None = bonus.audience if isinstance(bonus, Offer) else None
    if audience is not None:
        yield from _in_condition((*path, "audience"), read(audience, MEMBERS))


def never_held(file: "ProgramFile") -> Iterator[Fault]:
    """Say which rules and offers ask of members what excludes whom they are for.

    What the file names is there: `strangers` found none.
    """
    groups = {one.code: one.when for one in file.segments}
    parts: tuple[tuple[str, Sequence[EarningRule | Offer]], ...] = (
        ("rules", file.earning.rules),
        ("offers", file.earning.offers),
    )
    for name, bonuses in parts:
        for place, bonus in enumerate(bonuses):
            one = Bonus(bonus, file.program.zone, groups, _vocabulary(bonus))
            if one.target is None or one.condition is None:
                continue
            fault = impossible(AllOf((one.target, one.condition)))
            if fault is not None:
                yield Fault(("earning", name, place, "when"), fault.message)


def _vocabulary(bonus: EarningRule | Offer) -> Vocabulary:
    is_purchase = isinstance(bonus, Offer) or bonus.on == "PURCHASE"
    return PURCHASES if is_purchase else ACTIVITIES


def _listed(path: Path, kind: str, codes: Iterable[str]) -> Iterator[Named]:
    for place, code in enumerate(codes):
        yield (*path, place), kind, code


def _in_condition(path: Path, condition: Condition) -> Iterator[Named]:
    for one in references(condition):
        yield (*path, *one.path), one.kind, one.value
