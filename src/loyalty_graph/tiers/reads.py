"""Which tier members have, where they stand and how they came there, many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.benefits.rules import Grant
from loyalty_graph.db.member_lists import MemberRows
from loyalty_graph.db.sets import Row, fetch
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import service
from loyalty_graph.tiers import standing as standing_rules
from loyalty_graph.tiers.models import TierChange, TierStanding
from loyalty_graph.tiers.rules import TierLevel, TierSettings
from loyalty_graph.tiers.standing import (
    ChangeKind,
    Outlook,
    Scheme,
    Standing,
    advance,
    outlook,
    value,
    value_holds_until,
)


@dataclass(frozen=True, slots=True)
class Status:
    """Where a member stands: the tier, what was counted in the present window, what comes next.

    Amounts are minor units of the currency or points, as the programme's basis says. `since` is
    None for a tier had since joining. `settings` are the tiers these are of. `holds_until` is when
    tier or value change though nothing is bought, None when never.
    """

    tier: str | None
    since: datetime | None
    value: int
    next: TierLevel | None
    missing: int
    outlook: Outlook
    settings: TierSettings
    holds_until: datetime | None

    @property
    def level(self) -> TierLevel | None:
        """Return the tier, or None when the member has none."""
        return self.settings.level(self.tier)


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change of a member's tier, with who made it and why."""

    sequence: int
    kind: ChangeKind
    tier_before: str | None
    tier_after: str | None
    at: datetime
    reason: str


_PAST = ("sequence", "kind", "tier_before", "tier_after", "at", "reason")
_CHANGES = MemberRows(TierChange, _PAST, by="sequence")


async def settings(
    program_id: UUID, *, now: datetime, at: datetime | None = None
) -> TierSettings | None:
    """Return the programme's tiers, now or `at` an instant, or None when it has none."""
    scheme = await service.scheme(await programs.in_force(program_id, at or now, now=now))
    return None if scheme is None else scheme.settings


async def tiers_of(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, str]:
    """Return the code of each member's tier at `now`; who has none is absent.

    What time alone has brought meanwhile counts, whether or not the review has run.
    """
    found = await statuses(program_id, member_ids, now=now)
    return {member_id: one.tier for member_id, one in found.items() if one.tier is not None}


async def statuses(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, Status]:
    """Return where each member stands at `now`; empty when the programme has no tiers."""
    scheme = await _scheme(program_id, now)
    if scheme is None or not member_ids:
        return {}
    [rows] = await fetch(program_id, service.standings(member_ids))
    return await statuses_of(program_id, scheme, dict(zip(member_ids, rows, strict=True)), now=now)


async def statuses_then(
    program_id: UUID, member_ids: Sequence[UUID], *, at: datetime, now: datetime
) -> dict[UUID, Status]:
    """Return where each member stood at an instant, as was answered then.

    Empty when the programme had no tiers.
    """
    scheme = await service.scheme(await programs.in_force(program_id, at, now=now))
    if scheme is None:
        return {}
    standings = await service.stood(program_id, scheme, member_ids, at=at)
    return {member_id: _status(scheme, one, at) for member_id, one in standings.items()}


async def statuses_of(
    program_id: UUID, scheme: Scheme, found: Mapping[UUID, Sequence[Row]], *, now: datetime
) -> dict[UUID, Status]:
    """Return where each member stands at `now`, by the rows that `service.standings` found."""
    standings = await service.known(program_id, scheme, found, now=now)
    return {member_id: _status(scheme, one, now) for member_id, one in standings.items()}


def _status(scheme: Scheme, standing: Standing, now: datetime) -> Status:
    standing, _ = advance(scheme, standing, now)
    today = scheme.day(now)
    counted = value(scheme, standing, today)
    following = scheme.settings.above(standing.tier)
    then = outlook(scheme, standing)
    ends = (then.until, value_holds_until(scheme, standing, today))
    return Status(
        tier=standing.tier,
        since=standing.since,
        value=counted,
        next=following,
        missing=max(0, following.entry - counted) if following else 0,
        outlook=then,
        settings=scheme.settings,
        holds_until=min((at for at in ends if at is not None), default=None),
    )


async def tier_at(program_id: UUID, member_id: UUID, at: datetime, *, now: datetime) -> str | None:
    """Return the code of a member's tier at an instant, or None when he had none."""
    scheme = await _scheme(program_id, now)
    if scheme is None:
        return None
    [[rows]] = await fetch(program_id, service.standings([member_id]))
    standings = await service.known(program_id, scheme, {member_id: rows}, now=now)
    standing, changes = advance(scheme, standings[member_id], now)
    if standing.since is not None and at < standing.since:
        earlier = await service.changes(program_id, [member_id])
        changes = (*earlier[member_id], *changes)
    return standing_rules.tier_at(standing, changes, at)


async def grants(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Grant]]:
    """Return the benefits that members have by their tier at `now`."""
    found = await statuses(program_id, member_ids, now=now)
    return {
        member_id: [
            Grant(one.benefit, one.source, one.code, status.outlook.until)
            for one in status.settings.grants(status.tier)
        ]
        for member_id, status in found.items()
    }


async def history(
    program_id: UUID, member_ids: Sequence[UUID], *, limit: int, before: int | None = None
) -> dict[UUID, list[PastChange]]:
    """Return each member's newest changes, at most `limit`, those before a sequence if given."""
    found = await _CHANGES.newest(program_id, member_ids, limit=limit, before=before)
    return {
        member_id: [PastChange(row[0], ChangeKind(row[1]), *row[2:]) for row in rows]
        for member_id, rows in found.items()
    }


async def history_counts(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many changes each member has had: the sequence of the newest one."""
    newest = await history(program_id, member_ids, limit=1)
    return {member_id: one[0].sequence if one else 0 for member_id, one in newest.items()}


async def _scheme(program_id: UUID, now: datetime) -> Scheme | None:
    return await service.scheme(await programs.in_force(program_id, now, now=now))


async def override_counts(
    program_id: UUID, codes: Sequence[str], *, now: datetime
) -> dict[str, int]:
    """Return how many members hold each of these tiers by hand."""
    held = TierStanding.filter(program_id=program_id, override_until__gt=now)
    return {code: await held.filter(override=code).count() for code in codes}
