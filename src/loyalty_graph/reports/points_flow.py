"""The points flow, a trial balance: what members had, why it became more or less, what they have.

Entries count in the period they were recorded in, not in the one they are about: what is recorded
late changes no period that is closed. So every figure can be asked for again, and stays.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.ledger.kinds import Book
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import EARLIEST
from loyalty_graph.reports import flow_reads
from loyalty_graph.reports.flow_reads import LINES, By, Chosen, Sum
from loyalty_graph.reports.rules import Column, Flow, effects, total

DAYS_MAX = 366
MONTHS_MAX = 120
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PartFlow:
    """The flow of a part: a day, a month, a store, a rule or a kind; None is what has none.

    Only of a day or month is there an opening and a closing.
    """

    part: str | None
    flow: Flow


@dataclass(frozen=True, slots=True)
class PointsFlow:
    """The points flow of the days from `first` to `last`, and of its parts."""

    first: date
    last: date
    by: By
    whole: Flow
    parts: list[PartFlow]


async def points_flow(
    program_id: UUID, first: date, last: date, *, by: By, now: datetime
) -> PointsFlow:
    """Return what moved in the days from `first` to `last`, in the programme's time zone.

    Raises:
        InvalidInputError: The days are none, or too many.
    """
    zone = (await programs.in_force(program_id, now, now=now)).settings.zone
    since, until = _span(first, last, by, zone)
    opening = _fold(await flow_reads.sums(program_id, None, EARLIEST, since)).change
    found = await flow_reads.sums(program_id, by, since, until)
    if by in {By.DAY, By.MONTH}:
        parts = list(_by_time(found, first, last, by, zone, opening))
    elif by is By.RULE:
        given = await flow_reads.issued_by_rule(program_id, since, until)
        parts = list(_by_rule(found, given))
    else:
        parts = list(_by_part(found))
    whole = total((one.flow for one in parts), opening=opening)
    return PointsFlow(first, last, by, whole, parts)


async def chosen(  # noqa: PLR0913 - what tells entries of a report from others
    program_id: UUID,
    first: date,
    last: date,
    *,
    by: By,
    part: str | None,
    column: Column | None,
    now: datetime,
) -> Chosen:
    """Return which entries a figure of the report is made of.

    Raises:
        InvalidInputError: The days are none, or too many, or the part is no such day or month.
    """
    zone = (await programs.in_force(program_id, now, now=now)).settings.zone
    _span(first, last, by, zone)
    if by in {By.DAY, By.MONTH} and part is not None:
        first, last = _days_of(part, by, first, last)
    return Chosen(_midnight(first, zone), _midnight(last + ONE_DAY, zone), by, part, column)


def _span(first: date, last: date, by: By, zone: ZoneInfo) -> tuple[datetime, datetime]:
    days = (last - first).days + 1
    most = DAYS_MAX if by is By.DAY else MONTHS_MAX * 31
    if days < 1:
        raise InvalidInputError(f"{last} is before {first}, the first day.", field="to")
    if days > most:
        raise InvalidInputError(
            f"These are {days} days; by {by.lower()}, ask for at most {most}.", field="to"
        )
    if first < EARLIEST.date() + ONE_DAY or last > date.max - 2 * ONE_DAY:
        raise InvalidInputError("There are no points from such days.", field="from")
    return _midnight(first, zone), _midnight(last + ONE_DAY, zone)


def _days_of(part: str, by: By, first: date, last: date) -> tuple[date, date]:
    """Return the first and last day of a part of a period."""
    days = [day for day in _days(first, last) if name_of(day, by) == part]
    if not days:
        raise InvalidInputError(f"{part} is no {by.lower()} of this period.", field="part")
    return days[0], days[-1]


def _days(first: date, last: date) -> Iterator[date]:
    return (first + n * ONE_DAY for n in range((last - first).days + 1))


def name_of(day: date, by: By) -> str:
    """Return what the part of a day is called, such as 2026-11-22 or 2026-11."""
    return day.isoformat() if by is By.DAY else f"{day:%Y-%m}"


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _fold(sums: Iterable[Sum]) -> Flow:
    flow = Flow()
    for one in sums:
        flow.columns.update(effects(one.debit, one.credit, one.points))
    return _without_nothing(flow)


def _without_nothing(flow: Flow) -> Flow:
    for column in [column for column, points in flow.columns.items() if not points]:
        del flow.columns[column]
    return flow


def _grouped(
    sums: Iterable[Sum], key: Callable[[Sum], str | None]
) -> Iterator[tuple[str | None, Flow]]:
    """Yield the flow of each part by its name, that of none last."""

    def place(one: Sum) -> tuple[bool, str]:
        name = key(one)
        return name is None, name or ""

    for (is_none, name), found in groupby(sorted(sums, key=place), key=place):
        yield None if is_none else name, _fold(found)


def _by_time(
    sums: Iterable[Sum], first: date, last: date, by: By, zone: ZoneInfo, opening: int
) -> Iterator[PartFlow]:
    def name(one: Sum) -> str:
        at = datetime.fromtimestamp(int(one.part) * flow_reads.QUARTER_S, UTC)
        return name_of(at.astimezone(zone).date(), by)

    flows = dict(_grouped(sums, name))
    for part in dict.fromkeys(name_of(day, by) for day in _days(first, last)):
        flow = Flow(opening, flows[part].columns) if part in flows else Flow(opening)
        opening = flow.closing
        yield PartFlow(part, flow)


def _by_part(sums: Iterable[Sum]) -> Iterator[PartFlow]:
    for part, flow in _grouped(sums, lambda one: one.part):
        if flow.columns:
            yield PartFlow(part, flow)


def _by_rule(sums: Iterable[Sum], given: dict[str, int]) -> Iterator[PartFlow]:
    """Yield what each rule issued, what lines did, and all that no rule made."""
    rest: list[Sum] = []
    issued = -sum(given.values())
    for one in sums:
        if one.debit is Book.ISSUED and one.part is None:
            issued += one.points
        else:
            rest.append(one)
    for code, points in sorted({**given, LINES: issued}.items()):
        if points:
            yield PartFlow(code, Flow(0, _issued(points)))
    other = _fold(rest)
    if other.columns:
        yield PartFlow(None, other)


def _issued(points: int) -> Counter[Column]:
    return Counter({Column.ISSUED: points})
