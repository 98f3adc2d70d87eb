"""The tiers of a programme's version, and the look-ups and writes of where members stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.member_lists import members_of
from loyalty_graph.db.sets import Insert, Lookup, Row, Upsert, Write, fetch
from loyalty_graph.ledger import counting
from loyalty_graph.members import merges
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.stored import read_stored
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.tiers.models import TierChange, TierRules, TierStanding, TierStandingPast
from loyalty_graph.tiers.rules import TierSettings
from loyalty_graph.tiers.standing import (
    Change,
    ChangeKind,
    Scheme,
    Standing,
    begin,
    forget,
    next_event,
)

_schemes: dict[tuple[UUID, int], Scheme | None] = {}
"""Versions never change, so each is read once; there are as many as versions in use."""

_STANDING = (
    "earned",
    "ends_on",
    "since",
    "override",
    "override_until",
    "measure",
    "amounts",
    "sequence",
    "review_at",
)
_PAST = _STANDING[:5]
_CHANGE = ("sequence", "kind", "tier_before", "tier_after", "at")


async def store_rules(program_id: UUID, version: int, settings: TierSettings | None) -> None:
    """Store the tiers of a programme's version, if it has any."""
    assert_in_transaction()
    if settings is not None:
        await TierRules.create(
            program_id=program_id, version=version, settings=settings.model_dump(mode="json")
        )


async def scheme(version: programs.Version) -> Scheme | None:
    """Return the tiers of a programme's version, or None when it has none."""
    key = (version.program_id, version.number)
    if key not in _schemes:
        rules = await TierRules.get_or_none(program_id=key[0], version=key[1])
        _schemes[key] = (
            None
            if rules is None
            else Scheme(
                read_stored(TierSettings.model_validate, rules.settings), version.settings.zone
            )
        )
    return _schemes[key]


def standings(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of where members stand, one key for each."""
    keys = [(one,) for one in member_ids]
    return Lookup(TierStanding, ("member_id",), keys, _STANDING)


def standing_of(scheme: Scheme, rows: Sequence[Row]) -> tuple[Standing | None, bool]:
    """Return what the look-up found of a member, and whether its amounts can be used."""
    if not rows:
        return None, False
    earned, ends_on, since, override, override_until, measure, amounts, sequence, _ = rows[0]
    usable = measure == scheme.measure
    counted = {int(at): amount for at, amount in amounts.items()} if usable else {}
    return Standing(earned, ends_on, since, override, override_until, counted, sequence), usable


async def known(
    program_id: UUID, scheme: Scheme, found: Mapping[UUID, Sequence[Row]], *, now: datetime
) -> dict[UUID, Standing]:
    """Return where these members stood when they were last looked at.

    What the rows `found` do not say is worked out from the members' purchases, activities and
    entries: tiers may be newer than those, or count something else now.
    """
    read = {member_id: standing_of(scheme, rows) for member_id, rows in found.items()}
    unknown = [member_id for member_id, (_, usable) in read.items() if not usable]
    counted = await _amounts(program_id, scheme, unknown) if unknown else {}
    standings = {member_id: one for member_id, (one, usable) in read.items() if one and usable}
    for member_id in unknown:
        before, _ = read[member_id]
        standings[member_id] = (
            begin(scheme, counted[member_id], now=now)
            if before is None
            else replace(before, amounts=counted[member_id])
        )
    return standings


async def stood(
    program_id: UUID, scheme: Scheme, member_ids: Sequence[UUID], *, at: datetime
) -> dict[UUID, Standing]:
    """Return where these members stood at an instant, by what was recorded until then."""
    keys = [(one, at + datetime.resolution) for one in member_ids]
    [found] = await fetch(
        program_id,
        Lookup(
            TierStandingPast,
            ("member_id",),
            keys,
            _PAST,
            order_by="recorded_at DESC",
            limit=1,
            below="recorded_at",
        ),
    )
    amounts = await _amounts(program_id, scheme, member_ids, recorded_by=at)
    return {
        member_id: replace(_stood(rows[0]), amounts=amounts[member_id])
        if rows
        else begin(scheme, amounts[member_id], now=at)
        for member_id, rows in zip(member_ids, found, strict=True)
    }


def _stood(row: Row) -> Standing:
    earned, ends_on, since, override, override_until = row
    return Standing(earned, ends_on, since, override, override_until)


async def _amounts(
    program_id: UUID,
    scheme: Scheme,
    member_ids: Sequence[UUID],
    *,
    recorded_by: datetime | None = None,
) -> dict[UUID, dict[int, int]]:
    joined = await merges.joined_to(program_id, member_ids, at=recorded_by)
    everybody = sorted({*member_ids, *(one for one, _ in joined)})
    found = await purchases.counted(program_id, everybody, recorded_by=recorded_by)
    others = await counting.counted_otherwise(program_id, everybody, recorded_by=recorded_by)
    amounts: dict[UUID, dict[int, int]] = {one: {} for one in member_ids}
    for member_id, owner in [*((one, one) for one in member_ids), *joined]:
        mine = amounts[owner]
        counted = [(one.purchased_at, one.spend_minor, one.points) for one in found[member_id]]
        for at, spend, points in [*counted, *((at, 0, points) for at, points in others[member_id])]:
            bucket = scheme.bucket(scheme.day(at))
            amount = scheme.amount(spend_minor=spend, points=points)
            mine[bucket] = mine.get(bucket, 0) + amount
    return amounts


def opened(scheme: Scheme, member_ids: Sequence[UUID], *, now: datetime) -> list[Write]:
    """Return the writes that let new members stand where everybody begins."""
    return standing_writes(scheme, {one: begin(scheme, {}, now=now) for one in member_ids}, now=now)


def standing_writes(
    scheme: Scheme, standings: Mapping[UUID, Standing], *, now: datetime
) -> list[Write]:
    """Return the writes that keep where members stand, and from now on where they stood."""
    rows = [
        _row(scheme, member_id, forget(scheme, one, now=now))
        for member_id, one in sorted(standings.items())
    ]
    past = [
        (member_id, now, one.earned, one.ends_on, one.since, one.override, one.override_until)
        for member_id, one in sorted(standings.items())
        if one.is_moved
    ]
    by, columns = ("member_id", "recorded_at"), ("member_id", "recorded_at", *_PAST)
    return [
        Upsert(TierStanding, ("member_id",), ("member_id", *_STANDING), rows, _merged(_STANDING)),
        Upsert(TierStandingPast, by, columns, past, _merged(_PAST)),
    ]


def _merged(columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((column, f"excluded.{column}") for column in columns)


def _row(scheme: Scheme, member_id: UUID, one: Standing) -> tuple[object, ...]:
    return (
        member_id,
        one.earned,
        one.ends_on,
        one.since,
        one.override,
        one.override_until,
        scheme.measure,
        {str(at): amount for at, amount in sorted(one.amounts.items())},
        one.sequence,
        next_event(scheme, one),
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change with the member it happened to, who made it, and why."""

    member_id: UUID
    change: Change
    version: int
    actor: str = "system"
    reason: str = ""


def change_writes(changes: Sequence[Recorded], *, now: datetime) -> Insert:
    """Return the write that keeps the history of members' tiers."""
    return Insert(
        TierChange,
        ("member_id", *_CHANGE, "recorded_at", "rule_version", "actor", "reason"),
        [
            (
                one.member_id,
                one.change.sequence,
                one.change.kind,
                one.change.before,
                one.change.after,
                one.change.at,
                now,
                one.version,
                one.actor,
                one.reason,
            )
            for one in changes
        ],
    )


async def changes(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[Change]]:
    """Return how these members' tiers changed so far, in the order it was recorded."""
    keys = [(one,) for one in member_ids]
    [found] = await fetch(
        program_id, Lookup(TierChange, ("member_id",), keys, _CHANGE, order_by="sequence")
    )
    return {
        member_id: [_change(row) for row in rows]
        for member_id, rows in zip(member_ids, found, strict=True)
    }


def _change(row: tuple[Any, ...]) -> Change:
    sequence, kind, before, after, at = row
    return Change(sequence, ChangeKind(kind), before, after, at)


async def members_with_due_reviews(program_id: UUID, *, now: datetime, limit: int) -> list[UUID]:
    """Return members whose review is due, the longest due first, at most `limit` of them."""
    due = TierStanding.filter(program_id=program_id, review_at__lte=now)
    return await members_of(due.order_by("review_at"), limit=limit)
