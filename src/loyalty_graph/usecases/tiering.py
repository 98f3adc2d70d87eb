"""Tiers in a batch that moves points: read with it, decided along with it, stored with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.db.sets import Write, fetch, store
from loyalty_graph.identifiers import new_id
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.standing import (
    Change,
    Scheme,
    Standing,
    Step,
    advance,
    count,
    join,
    override,
    part,
    tier_at,
)
from loyalty_graph.usecases import posting

SYSTEM = "system"


@dataclass(slots=True)
class TierChanges:
    """Members' new standings and what led to them, ready to be stored: rows and facts."""

    version: programs.Version
    scheme: Scheme
    now: datetime
    actor: str = SYSTEM
    reason: str = ""
    standings: dict[UUID, Standing] = field(default_factory=dict)
    recorded: list[tiers.Recorded] = field(default_factory=list)

    def add(self, member_id: UUID, step: Step) -> None:
        """Add a member's new standing, with the changes that led to it."""
        self.standings[member_id], changes = step
        self.recorded += [
            tiers.Recorded(member_id, change, self.version.number, self.actor, self.reason)
            for change in changes
        ]

    def writes(self) -> list[Write]:
        """Return what keeps the standings and the history."""
        return [
            *tiers.standing_writes(self.scheme, self.standings, now=self.now),
            tiers.change_writes(self.recorded, now=self.now),
        ]

    def facts(self) -> list[outbox.Fact]:
        """Return what happened, for those who listen."""
        return [
            outbox.Fact(
                new_id(self.now), "tier.changed", one.member_id, self.now, _told(one.change)
            )
            for one in self.recorded
        ]

    def shown(self) -> set[UUID]:
        """Return the members whose cards show another tier now."""
        return {one.member_id for one in self.recorded}

    def add_to(self, batch: posting.Batch) -> None:
        """Store everything together with a batch."""
        batch.writes.extend(self.writes())
        batch.facts.extend(self.facts())
        batch.shown.update(self.shown())

    async def store(self) -> None:
        """Store everything by itself; the members' accounts are locked in this transaction."""
        facts, marks = outbox.facts(self.facts()), outbox.mark_cards(self.shown(), now=self.now)
        await store(self.version.program_id, [*self.writes(), facts, marks])


def _told(change: Change) -> dict[str, object]:
    return {
        "change": change.kind,
        "number": change.sequence,
        "tierBefore": change.before,
        "tierAfter": change.after,
        "at": change.at.isoformat(),
    }


@dataclass(slots=True)
class _Case:
    """A member's standing while a batch is decided, with the changes it brought.

    `earlier` are changes from before the batch, loaded where a late receipt asks for them.
    """

    standing: Standing
    earlier: Sequence[Change] = ()
    changes: tuple[Change, ...] = ()
    is_counted: bool = False

    def take(self, step: Step) -> None:
        self.standing, more = step
        self.changes += more


class Tiering:
    """The standings of a batch's members; in a programme without tiers it does nothing."""

    def __init__(self, version: programs.Version, scheme: Scheme | None, now: datetime) -> None:
        self._version = version
        self._scheme = scheme
        self._now = now
        self._cases: dict[UUID, _Case] = {}

    @classmethod
    async def of(cls, program_id: UUID, *, now: datetime) -> "Tiering":
        """Return the tiers in force now, without any member yet."""
        version = await programs.in_force(program_id, now, now=now)
        return cls(version, await tiers.scheme(version), now)

    @property
    def lookups(self) -> list[posting.ByMember]:
        """Return what is to be looked up for each member of the batch."""
        return [] if self._scheme is None else [tiers.standings]

    async def take(
        self, batch: posting.Batch, times: Iterable[tuple[UUID | None, datetime]] = ()
    ) -> None:
        """Take what was looked up; `times` say at which instants tiers will be asked for."""
        if self._scheme is None:
            return
        found = batch.of_members[tiers.standings]
        standings = await tiers.known(batch.program_id, self._scheme, found, now=batch.now)
        for member_id, one in standings.items():
            # What time has brought comes first, so that nothing depends on when reviews run.
            case = self._cases[member_id] = _Case(one)
            case.take(advance(self._scheme, one, self._now))
        late = {
            member_id
            for member_id, at in times
            if member_id in standings and at < (standings[member_id].since or at)
        }
        if late:
            earlier = await tiers.changes(batch.program_id, sorted(late))
            for member_id, changes in earlier.items():
                self._cases[member_id].earlier = changes

    async def take_another(self, batch: posting.Batch, member_id: UUID) -> None:
        """Take a member whose account was added to the batch after it had been loaded."""
        if self._scheme is None or member_id in self._cases:
            return
        [rows] = await fetch(batch.program_id, tiers.standings([member_id]))
        found = {member_id: rows[0]}
        standings = await tiers.known(batch.program_id, self._scheme, found, now=batch.now)
        case = self._cases[member_id] = _Case(standings[member_id])
        case.take(advance(self._scheme, case.standing, self._now))

    def join(self, member_id: UUID, other_id: UUID) -> None:
        """Let what another member bought count for a member too."""
        if self._scheme is not None:
            case, other = self._cases[member_id], self._cases[other_id]
            case.take(join(self._scheme, case.standing, other.standing, now=self._now))
            case.is_counted = other.is_counted = True

    def part(self, member_id: UUID, other_id: UUID) -> None:
        """Let what another member bought count for a member no more."""
        if self._scheme is not None:
            case, other = self._cases[member_id], self._cases[other_id]
            case.standing = part(case.standing, other.standing)
            case.is_counted = True

    def tier_at(self, member_id: UUID, at: datetime) -> str | None:
        """Return the member's tier at an instant, as far as it is recorded by now."""
        if self._scheme is None:
            return None
        case = self._cases[member_id]
        return tier_at(case.standing, (*case.earlier, *case.changes), at)

    def count(self, member_id: UUID, *, spend_minor: int, points: int, at: datetime) -> None:
        """Count a purchase made at `at`; below zero, what of it came back."""
        if self._scheme is None:
            return
        amount = self._scheme.amount(spend_minor=spend_minor, points=points)
        if amount:
            case = self._cases[member_id]
            case.take(count(self._scheme, case.standing, amount, at=at, now=self._now))
            case.is_counted = True

    def give(self, member_id: UUID, tier: str, *, until: datetime) -> None:
        """Give a member a tier by hand until then; the programme must have it."""
        case = self._cases[member_id]
        case.take(override(case.standing, tier, until=until, now=self._now))
        case.is_counted = True

    def add_to(self, batch: posting.Batch, *, actor: str = SYSTEM, reason: str = "") -> None:
        """Store what was counted, and what it changed, together with the batch."""
        if self._scheme is None:
            return
        changes = TierChanges(self._version, self._scheme, batch.now, actor, reason)
        for member_id, case in self._cases.items():
            if case.is_counted:
                changes.add(member_id, (case.standing, case.changes))
                # Cards show what is missing to the next tier.
                batch.shown.add(member_id)
        changes.add_to(batch)


def multipliers(scheme: Scheme | None, tier: str | None) -> tuple[Multiplier, ...]:
    """Return by what a member of a tier earns more under the tiers of a version."""
    return () if scheme is None else scheme.settings.multipliers(tier)
