"""What a change of a programme must not take from its members: counted before anything changes."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from loyalty_graph.db.sets import fetch
from loyalty_graph.earning import offers
from loyalty_graph.earning.counters import BudgetKey, period_key
from loyalty_graph.earning.tallies import budgets
from loyalty_graph.programs.places import Path
from loyalty_graph.programs.reads import StoredVersion
from loyalty_graph.rewards import reads as rewards
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases.program_faults import Fault
from loyalty_graph.usecases.program_file import ProgramFile

PLAN_IN_USE = "has {} that did not end; keep it until they have, or moved to another plan"
TIER_IN_USE = "is held by hand by {}; keep it until then, or end the overrides first"
REWARD_IN_USE = "has {} held or issued and not used; keep it, and let closes_at end it for others"
OFFER_IN_USE = "is activated by {} who can still use it; keep it, and let closes_at end it"


async def in_use(before: StoredVersion, after: ProgramFile, *, now: datetime) -> list[Fault]:
    """Return what speaks against a change: money of another kind, or what members count on."""
    return [
        *_other_tenant(before.file["program"], after),
        *await _gone_plans(before, after),
        *await _gone_tiers(before, after, now=now),
        *await _gone_rewards(before, after, now=now),
        *await _gone_offers(before, after),
        *await _spent_budgets(before, after, now=now),
    ]


def _other_tenant(before: Mapping[str, Any], after: ProgramFile) -> Iterator[Fault]:
    program = after.program
    if before["currency"] != program.currency:
        yield Fault(
            ("program", "currency"),
            f"cannot change from {before['currency']} to {program.currency}, in which amounts were"
            " recorded; begin another programme with a slug of its own",
        )
    if before["sandbox"] != program.sandbox:
        name = "a sandbox" if before["sandbox"] else "real"
        yield Fault(
            ("program", "sandbox"),
            f"cannot change: {program.slug} is {name} for good; begin another programme with a slug"
            " of its own (program copy)",
        )


async def _gone_plans(before: StoredVersion, after: ProgramFile) -> Iterator[Fault]:
    gone = _gone(before.file.get("subscription_plans", ()), after.subscription_plans)
    counts = await subscriptions.subscriber_counts(before.program_id, gone)
    return _told(("subscription_plans",), counts, PLAN_IN_USE, "subscription")


async def _gone_tiers(
    before: StoredVersion, after: ProgramFile, *, now: datetime
) -> Iterator[Fault]:
    levels = (before.file.get("tiers") or {}).get("levels", ())
    gone = _gone(levels, after.tiers.levels if after.tiers else ())
    counts = await tiers.override_counts(before.program_id, gone, now=now)
    return _told(("tiers", "levels"), counts, TIER_IN_USE, "member")


async def _gone_rewards(
    before: StoredVersion, after: ProgramFile, *, now: datetime
) -> Iterator[Fault]:
    gone = _gone(before.file.get("rewards", ()), after.rewards)
    counts = await rewards.open_counts(before.program_id, gone, now=now)
    return _told(("rewards",), counts, REWARD_IN_USE, "redemption")


async def _gone_offers(before: StoredVersion, after: ProgramFile) -> Iterator[Fault]:
    gone = _gone(before.file["earning"].get("offers", ()), after.earning.offers)
    counts = await offers.activated_counts(before.program_id, gone)
    return _told(("earning", "offers"), counts, OFFER_IN_USE, "member")


async def _spent_budgets(
    before: StoredVersion, after: ProgramFile, *, now: datetime
) -> list[Fault]:
    """Return the budgets of the file that are below what was given in their present period."""
    today = now.astimezone(after.program.zone).date()
    limits = {
        BudgetKey(bonus.code, period_key(bonus.budget.per, today)): (
            ("earning", name, place),
            bonus.budget,
        )
        for name, bonuses in (("rules", after.earning.rules), ("offers", after.earning.offers))
        for place, bonus in enumerate(bonuses)
        if bonus.budget is not None
    }
    found: list[Any] = []
    if limits:
        [found] = await fetch(before.program_id, budgets(limits, lock=False))
    faults = []
    for rule, period, used in (row for rows in found for row in rows):
        path, budget = limits[BudgetKey(rule, period)]
        if used > budget.points:
            when = "" if period == "EVER" else f" in the present {budget.per.lower()}"
            told = f"{used:,} points were given already{when}; a budget cannot be below that"
            faults.append(Fault((*path, "budget", "points"), told))
    return faults


def _gone(before: Iterable[Mapping[str, Any]], after: Iterable[Any]) -> list[str]:
    kept = {one.code for one in after}
    return [one["code"] for one in before if one["code"] not in kept]


def _told(path: Path, counts: Mapping[str, int], sentence: str, noun: str) -> Iterator[Fault]:
    for code, count in counts.items():
        if count:
            many = f"{count:,} {noun}{'' if count == 1 else 's'}"
            yield Fault(path, f"{code} is gone, but {sentence.format(many)}", at_key=True)
