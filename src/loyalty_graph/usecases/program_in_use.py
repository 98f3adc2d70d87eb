"""What a change of a programme must not take from its members: counted before anything changes."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.programs.reads import StoredVersion
from loyalty_graph.rewards import reads as rewards
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases.program_faults import Fault
from loyalty_graph.usecases.program_file import ProgramFile


async def in_use(before: StoredVersion, after: ProgramFile, *, now: datetime) -> list[Fault]:
    """Return what speaks against a change: money of another kind, or parts that members hold."""
    faults = list(_other_tenant(before.file["program"], after))
    levels = (before.file.get("tiers") or {}).get("levels", ())
    kept_levels = after.tiers.levels if after.tiers else ()
    plans = _gone(before.file.get("subscription_plans", ()), after.subscription_plans)
    given = _gone(before.file.get("rewards", ()), after.rewards)
    program_id: UUID = before.program_id
    counts = await subscriptions.subscriber_counts(program_id, plans)
    faults += _told(
        ("subscription_plans",),
        counts,
        "has {} that did not end; keep it until they have, or moved to another plan",
        "subscription",
    )
    counts = await tiers.override_counts(program_id, _gone(levels, kept_levels), now=now)
    faults += _told(
        ("tiers", "levels"),
        counts,
        "is held by hand by {}; keep it until then, or end the overrides first",
        "member",
    )
    counts = await rewards.open_counts(program_id, given, now=now)
    faults += _told(
        ("rewards",),
        counts,
        "has {} held or issued and not used; keep it, and let closes_at end it for others",
        "redemption",
    )
    return faults


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


def _gone(before: Iterable[Mapping[str, Any]], after: Iterable[Any]) -> list[str]:
    kept = {one.code for one in after}
    return [one["code"] for one in before if one["code"] not in kept]


def _told(
    path: tuple[str, ...], counts: Mapping[str, int], sentence: str, noun: str
) -> Iterator[Fault]:
    for code, count in counts.items():
        if count:
            many = f"{count:,} {noun}{'' if count == 1 else 's'}"
            yield Fault(path, f"{code} is gone, but {sentence.format(many)}", at_key=True)
