"""Activities that the programme sees itself: joining, a complete profile, birthdays, anniversaries.

They are recorded only where a rule of the version in force asks for them, each occasion once.
"""

from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from loyalty_graph.db import assert_in_transaction, transaction
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.activities import ActivityRules
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases import activities as recorded
from loyalty_graph.purchases.rules import ActivityKind, Deed
from loyalty_graph.segments.facts import birthdays
from loyalty_graph.usecases import activities, posting

SYSTEM = "system"
ONCE = "once"
MEMBERS_AT_ONCE = 200
DAYS_LATE_MAX = 3
"""For how many days a birthday is made up for when nothing ran."""
AGE_MAX = 130
"""The oldest member's, in years."""


async def see(program_id: UUID, seen: Sequence[Member], *, joined: bool, now: datetime) -> None:
    """Record what was just `seen` of members whose rows the transaction at hand has changed.

    That they joined, if they did; and that their profiles are complete, if that is so and was never
    recorded before.
    """
    assert_in_transaction()
    version = await programs.in_force(program_id, now, now=now)
    rules = await earning.activity_rules(program_id, version.number)
    occasions = [
        (one.id, kind, ONCE) for one in seen for kind in _seen_of(one, rules, joined=joined)
    ]
    if occasions:
        await _record_new(program_id, [(one, now) for one in occasions], now=now)


def _seen_of(member: Member, rules: ActivityRules, *, joined: bool) -> list[ActivityKind]:
    kinds = []
    if joined and rules.of(ActivityKind.SIGN_UP):
        kinds.append(ActivityKind.SIGN_UP)
    is_complete = all(getattr(member, name) is not None for name in rules.profile_fields)
    if is_complete and rules.of(ActivityKind.PROFILE_COMPLETED):
        kinds.append(ActivityKind.PROFILE_COMPLETED)
    return kinds if member.status == MemberStatus.ACTIVE else []


async def _record_new(
    program_id: UUID, seen: Sequence[tuple[recorded.Occasion, datetime]], *, now: datetime
) -> int:
    """Record occasions with their moments, but for those that are recorded; return how many."""
    known = await recorded.happened(program_id, [occasion for occasion, _ in seen])
    commands = [
        activities.RecordActivity(
            caller=SYSTEM,
            idempotency_key=f"{kind}:{member_id}:{occasion}",
            member=Reference(ReferenceKind.ID, str(member_id)),
            deed=Deed(kind),
            occurred_at=at,
            occasion=occasion,
        )
        for (member_id, kind, occasion), at in seen
        if (member_id, kind, occasion) not in known
    ]
    if not commands:
        return 0
    answers = await activities.record_within(program_id, commands, now=now)
    return sum(not isinstance(one, LoyaltyError) for one in answers)


async def run(program_id: UUID, *, now: datetime) -> int:
    """Record the birthdays and anniversaries of today and of the days just before.

    Days are those of the programme's zone. Returns how many were recorded; run twice, it does no
    more, and what one run does not come to the next one does.
    """
    version = await programs.in_force(program_id, now, now=now)
    today = now.astimezone(version.settings.zone).date()
    return sum(
        [
            await _keep(program_id, kind, today - timedelta(days=days), now=now)
            for days in reversed(range(DAYS_LATE_MAX + 1))
            for kind in (ActivityKind.BIRTHDAY, ActivityKind.ANNIVERSARY)
        ]
    )


async def _keep(program_id: UUID, kind: ActivityKind, day: date, *, now: datetime) -> int:
    """Record a kind for everybody who has it on a day, if rules asked for it then."""
    settings = (await programs.in_force(program_id, now, now=now)).settings
    begin, _ = _span(day, settings)
    version = await programs.in_force(program_id, begin, now=now)
    rules = await earning.activity_rules(program_id, version.number)
    if not rules.of(kind):
        return 0
    kept, after = 0, None
    while page := await _people(program_id, kind, day, settings, after):
        seen = [((one, kind, str(day.year)), max(begin, joined)) for one, joined in page]
        kept += await _record_page(program_id, seen, now=now)
        after = page[-1][0]
    return kept


@posting.settling_conflicts
@transaction
async def _record_page(
    program_id: UUID, seen: Sequence[tuple[recorded.Occasion, datetime]], *, now: datetime
) -> int:
    return await _record_new(program_id, seen, now=now)


async def _people(
    program_id: UUID, kind: ActivityKind, day: date, settings: ProgramSettings, after: UUID | None
) -> list[tuple[UUID, datetime]]:
    """Return the next members whose day it is, and when each joined."""
    if kind is ActivityKind.BIRTHDAY:
        _, end = _span(day, settings)
        days = _same_days(day, since=day.year - AGE_MAX, until=day.year)
        return await members.born_on(
            program_id, days, before=end, first=MEMBERS_AT_ONCE, after=after
        )
    first = await members.first_enrolled_at(program_id)
    since = day.year if first is None else first.astimezone(settings.zone).year
    spans = [_span(one, settings) for one in _same_days(day, since=since, until=day.year - 1)]
    if not spans:
        return []
    return await members.joined_within(program_id, spans, first=MEMBERS_AT_ONCE, after=after)


def _same_days(day: date, *, since: int, until: int) -> list[date]:
    """Return the days in these years that are kept on `day`; 29 February is, where it is not."""
    return [
        one
        for year in range(since, until + 1)
        for month, number in birthdays(day)
        if (one := _day(year, month, number)) is not None
    ]


def _day(year: int, month: int, number: int) -> date | None:
    is_leap_day = (month, number) == (2, 29)
    return None if is_leap_day and not isleap(year) else date(year, month, number)


def _span(day: date, settings: ProgramSettings) -> tuple[datetime, datetime]:
    """Return when a local day begins and ends."""
    begin, end = (
        datetime.combine(one, time(), tzinfo=settings.zone).astimezone(UTC)
        for one in (day, day + timedelta(days=1))
    )
    return begin, end
