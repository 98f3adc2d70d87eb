"""Who is in a segment: how many members, and which, looked up by SQL as it stands now.

Points past their date do not count and those that waited long enough do, whether or not the jobs
have been here. Tiers and subscriptions are as they were last written: what time alone does to them
counts once its job was here, which is within the hour for tiers, within a minute for subscriptions.
A member whose standing was never written (tiers came later) has the tier that all begin with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.conditions.sql import Dialect, SqlWriter
from loyalty_graph.conditions.tree import Condition
from loyalty_graph.db import connection
from loyalty_graph.db.sets import Row
from loyalty_graph.db.statements import read
from loyalty_graph.ledger.terms import terms_of
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import NEVER
from loyalty_graph.segments import service
from loyalty_graph.segments.facts import birthdays
from loyalty_graph.segments.rules import SegmentSettings
from loyalty_graph.tiers import service as tiers

VALUES_AT_ONCE = 10_000
"""A statement with so many parameters gets no more conditions; PostgreSQL takes 32,767."""

_JOINS: Mapping[str, str] = {
    "account": "account on account.program_id = member.program_id"
    " and account.member_id = member.id",
    "timed_lots": "(select member_id, sum(points)::bigint as points from ("
    "select member_id, -remaining_points as points from lot where program_id = {program}"
    " and remaining_points > 0 and not is_pending and not {slides}"
    " and expires_at <= {now} and coalesce(told_expires_at, {untold}) <= {now}"
    " union all select member_id, remaining_points from lot where program_id = {program}"
    " and activates_at <= {now} and is_pending and not {slides}"
    " and (expires_at > {now} or coalesce(told_expires_at, {untold}) > {now})"
    " union all select lot.member_id, case when is_pending then 0 else -remaining_points end"
    " from account join lot on lot.program_id = {program} and lot.member_id = account.member_id"
    " where account.program_id = {program} and {slides} and remaining_points > 0"
    " and (expires_at <= {now} or lapses_at <= {now})"
    " and coalesce(case when told_expires_at >= case when lapses_at < expires_at then lapses_at"
    " else expires_at end then told_expires_at end, {untold}) <= {now}"
    " union all select lot.member_id, remaining_points"
    " from account join lot on lot.program_id = {program} and lot.member_id = account.member_id"
    " where account.program_id = {program} and {slides} and activates_at <= {now} and is_pending"
    " and not ((expires_at <= {now} or coalesce(lapses_at <= {now}, false))"
    " and coalesce(case when told_expires_at >= case when lapses_at < expires_at then lapses_at"
    " else expires_at end then told_expires_at end, {untold}) <= {now})"
    ") as timed group by member_id) as timed_lots on timed_lots.member_id = member.id",
    "member_summary": "member_summary on member_summary.program_id = member.program_id"
    " and member_summary.member_id = member.id",
    "tier_standing": "tier_standing on tier_standing.program_id = member.program_id"
    " and tier_standing.member_id = member.id and {has_tiers}",
    "subscription": "(select member_id, plan_code from member_subscription"
    " where program_id = {program} and (status in ('TRIALING', 'ACTIVE', 'PAST_DUE')"
    " or (status = 'CANCELLED' and ends_at > {now}))"
    ") as subscription on subscription.member_id = member.id",
}
"""What is joined when a condition speaks of it; each finds at most one row of a member."""


async def segments(program_id: UUID, *, now: datetime) -> list[SegmentSettings]:
    """Return the programme's segments, in the order of its file."""
    version = await programs.in_force(program_id, now, now=now)
    return list((await service.segments(program_id, version.number)).values())


async def sizes(program_id: UUID, *, now: datetime) -> list[tuple[SegmentSettings, int]]:
    """Return the programme's segments, each with the number of its members."""
    found = await segments(program_id, now=now)
    numbers = await counts(program_id, [one.condition for one in found], now=now)
    return list(zip(found, numbers, strict=True))


async def counts(program_id: UUID, conditions: Sequence[Condition], *, now: datetime) -> list[int]:
    """Return of how many members each of these conditions holds, in their order."""

    def said(writer: SqlWriter, condition: Condition) -> str:
        return f"count(*) from member {_ending(writer, condition)}"

    rows = await _asked(program_id, conditions, said, now)
    return [int(number) for _, number in sorted(rows)]


async def pages(
    program_id: UUID,
    conditions: Sequence[Condition],
    *,
    first: int,
    after: UUID | None,
    now: datetime,
) -> list[list[UUID]]:
    """Return for each condition up to `first` members of whom it holds, by ids, after one."""

    def said(writer: SqlWriter, condition: Condition) -> str:
        ending = _ending(writer, condition)
        ending += "" if after is None else f" and member.id > {writer.mark(after)}"
        page = f"select member.id from member {ending} order by member.id limit {first}"  # noqa: S608 - values are parameters
        return f"id from ({page}) as page"

    found: list[list[UUID]] = [[] for _ in conditions]
    for place, member_id in await _asked(program_id, conditions, said, now):
        # PostgreSQL gives ids, SQLite their texts.
        found[place].append(UUID(str(member_id)))
    return [sorted(page) for page in found]


async def _asked(
    program_id: UUID,
    conditions: Sequence[Condition],
    said: Callable[[SqlWriter, Condition], str],
    now: datetime,
) -> list[Row]:
    """Return what a select finds for each condition, its place among them in front.

    Mostly that is one statement; conditions that compare with very many values take more.
    """
    moment = await _moment(program_id, now)
    found: list[Row] = []
    writer, parts = moment.writer(), list[str]()
    for place, condition in enumerate(conditions):
        parts.append(f"select {place}, {said(writer, condition)}")
        if len(writer.values) > VALUES_AT_ONCE or place == len(conditions) - 1:
            found += await read(" union all ".join(parts), *writer.values)
            writer, parts = moment.writer(), []
    return found


@dataclass(frozen=True, slots=True)
class _Moment:
    """What terms and joins need to know of a programme at a moment."""

    today: date
    zone: ZoneInfo
    params: Mapping[str, Any]

    def writer(self) -> SqlWriter:
        """Return what writes one statement."""
        current: Any = connection()
        dialect: Dialect = "postgres" if current.capabilities.dialect == "postgres" else "sqlite"
        return SqlWriter(dialect, self.params, today=self.today, zone=self.zone)


async def _moment(program_id: UUID, now: datetime) -> _Moment:
    version = await programs.in_force(program_id, now, now=now)
    scheme = await tiers.scheme(version)
    levels = [] if scheme is None else [one.code for one in scheme.settings.levels]
    first = None if scheme is None else scheme.settings.reached(0)
    zone = version.settings.zone
    today = now.astimezone(zone).date()
    terms = terms_of(version.settings)
    params = {
        "program": program_id,
        "now": now,
        "slides": terms.sliding is not None,
        "untold": now if terms.notice_days is None else NEVER,
        "birthdays": [f"{month:02}-{day:02}" for month, day in birthdays(today)],
        "tiers": levels,
        "first_tier": first,
        "first_rank": None if first is None else levels.index(first),
        "has_tiers": scheme is not None,
    }
    return _Moment(today, zone, params)


def _ending(writer: SqlWriter, condition: Condition) -> str:
    """Return the rest of a statement over the members of whom a condition holds."""
    where = writer.where(condition)
    joins = "".join(
        f"left join {writer.bound(join)} " for name, join in _JOINS.items() if f"{name}." in where
    )
    return f"{joins}where member.program_id = {writer.bound('{program}')} and {where}"
