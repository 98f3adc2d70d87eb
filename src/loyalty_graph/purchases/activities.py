"""The look-ups and writes of activities: what members did beside buying, and what counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db.sets import Insert, Lookup, Upsert, Write, fetch
from loyalty_graph.purchases.models import Activity, ActivityCount, ActivityProof
from loyalty_graph.purchases.rules import ActivityKind, Deed

EVERY_NETWORK = ""

CountKey = tuple[UUID, str, str]
"""(member id, rule, network); the network is empty for all together"""

ProofKey = tuple[str, str]
"""(rule, proof)"""

Occasion = tuple[UUID, ActivityKind, str]
"""(member id, kind, occasion)"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An activity that was decided; `verdicts` holds JSON values."""

    id: UUID
    member_id: UUID
    deed: Deed
    occasion: str | None
    occurred_at: datetime
    recorded_at: datetime
    points: int
    entry_sequence: int | None
    rule_version: int
    verdicts: list[dict[str, Any]]


def counts_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of when activities counted for members: (rule, network, at)."""
    keys = [(one,) for one in member_ids]
    return Lookup(ActivityCount, ("member_id",), keys, ("rule", "network", "counted_at"))


def proofs(keys: Sequence[ProofKey]) -> Lookup:
    """Return the look-up of proofs that counted, one key (rule, proof) for each."""
    return Lookup(ActivityProof, ("rule", "proof"), keys, ("member_id",))


async def happened(program_id: UUID, occasions: Sequence[Occasion]) -> set[Occasion]:
    """Return which of these occasions are recorded."""
    by = ("member_id", "kind", "occasion")
    [found] = await fetch(program_id, Lookup(Activity, by, occasions, ("id",)))
    return {one for one, rows in zip(occasions, found, strict=True) if rows}


_ACTIVITY = (
    "id",
    "member_id",
    "kind",
    "name",
    "network",
    "proof",
    "store",
    "occasion",
    "occurred_at",
    "recorded_at",
    "points",
    "entry_sequence",
    "rule_version",
    "verdicts",
)


def writes(
    recorded: Sequence[Recorded],
    counted: Mapping[CountKey, datetime],
    proven: Mapping[ProofKey, Recorded],
) -> list[Write]:
    """Return what stores these activities, when rules counted them last, and the used proofs."""
    return [
        Insert(Activity, _ACTIVITY, [_row(one) for one in recorded]),
        Upsert(
            ActivityCount,
            ("member_id", "rule", "network"),
            ("member_id", "rule", "network", "counted_at"),
            [(*key, at) for key, at in sorted(counted.items())],
            merge=(("counted_at", "excluded.counted_at"),),
        ),
        Insert(
            ActivityProof,
            ("rule", "proof", "member_id", "activity_id"),
            list(_proof_rows(proven)),
        ),
    ]


def _row(one: Recorded) -> tuple[object, ...]:
    deed = one.deed
    return (
        one.id,
        one.member_id,
        deed.kind,
        deed.name,
        deed.network,
        deed.proof,
        deed.store,
        one.occasion,
        one.occurred_at,
        one.recorded_at,
        one.points,
        one.entry_sequence,
        one.rule_version,
        one.verdicts,
    )


def _proof_rows(proven: Mapping[ProofKey, Recorded]) -> Iterable[tuple[object, ...]]:
    # In order, so that two transactions with the same proofs wait for each other, and in one line.
    for key, one in sorted(proven.items(), key=lambda item: item[0]):
        yield (*key, one.member_id, one.id)
