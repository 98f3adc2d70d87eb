"""The sums and entries of the points flow, read from the ledger by the moment of recording."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from loyalty_graph.db import connection
from loyalty_graph.db.sets import table_name
from loyalty_graph.db.statements import read
from loyalty_graph.ledger.kinds import Book
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.purchases.models import Activity, Purchase, Refund
from loyalty_graph.reports.rules import OWN, Column, books_of
from loyalty_graph.rewards.models import RedemptionRow

QUARTER_S = 900
LINES, MULTIPLIERS = "LINES", "MULTIPLIERS"
"""What purchases earn by no rule: by their lines, and by what multiplies these."""


class By(StrEnum):
    """What a points flow is told by."""

    DAY = "DAY"
    MONTH = "MONTH"
    STORE = "STORE"
    RULE = "RULE"
    KIND = "KIND"


class Sum(NamedTuple):
    """The points that moved between two books, by a part of them."""

    part: Any
    debit: Book
    credit: Book
    points: int


# What caused an entry is named by the beginning of its reference: an erasure leaves that.
_ORIGIN = (
    "case when t.reference like 'purchase:%' then substr(t.reference, 10, 36)"
    " else substr(t.reference, 1, 36) end"
)
_STORE = "coalesce(p.store, back.store, a.store, r.store)"


def _join(model: Any, name: str, wanted: str) -> str:
    # Whose it was does not matter: what comes back of a merged member's purchase is the survivor's.
    mine = f"{name}.program_id = t.program_id"
    return f" left join {table_name(model)} {name} on {mine} and {name}.id::text = {wanted}"


def _stores() -> str:
    return "".join(
        (
            _join(Purchase, "p", _ORIGIN),
            _join(Refund, "b", _ORIGIN),
            _join(Purchase, "back", "b.purchase_id::text"),
            _join(Activity, "a", _ORIGIN),
            _join(RedemptionRow, "r", _ORIGIN),
        )
    )


def _is_postgres() -> bool:
    return bool(connection().capabilities.dialect == "postgres")


def _quarter() -> str:
    """Return the quarter of an hour of an entry, counted from 1970."""
    if _is_postgres():
        return f"floor(extract(epoch from t.recorded_at) / {QUARTER_S})::bigint"
    # Without the fraction, which SQLite would round.
    return f"cast(strftime('%s', substr(t.recorded_at, 1, 19)) as integer) / {QUARTER_S}"


def _rules() -> tuple[str, str]:
    """Return what gives an entry's rules one by one, and what each of them is called."""
    if _is_postgres():
        return "json_array_elements(t.explanation -> 'rules') as rule(one)", "rule.one"
    return "json_each(t.explanation, '$.rules') as rule", "rule.value"


_BETWEEN = "t.program_id = $1 and t.recorded_at >= $2 and t.recorded_at < $3"


async def sums(program_id: UUID, by: By | None, since: datetime, until: datetime) -> list[Sum]:
    """Return what moved between which books, in parts; by day and month by quarters of an hour.

    A part is a kind, a store, a number of quarters since 1970, or None where there is none.
    """
    part, joins = {
        None: ("null", ""),
        By.KIND: ("t.kind", ""),
        By.STORE: (_STORE, _stores()),
        By.DAY: (_quarter(), ""),
        By.MONTH: (_quarter(), ""),
        By.RULE: ("case when t.explanation is null then 'ERASED' end", ""),
    }[by]
    rows = await read(
        f"select {part}, t.debit, t.credit, sum(t.points) from {table_name(TransferRow)} t{joins}"  # noqa: S608 - names of our own
        f" where {_BETWEEN} group by 1, 2, 3",
        program_id,
        since,
        until,
    )
    return [
        Sum(part, Book(debit), Book(credit), int(points)) for part, debit, credit, points in rows
    ]


async def issued_by_rule(program_id: UUID, since: datetime, until: datetime) -> dict[str, int]:
    """Return the points that rules gave, by their codes, and what multipliers added to lines."""
    rules, rule = _rules()
    table = table_name(TransferRow)
    given = (program_id, since, until)
    rows = await read(
        f"select {rule} ->> 'code', sum(({rule} ->> 'points')::bigint)"  # noqa: S608 - names of our own
        f" from {table} t cross join {rules} where {_BETWEEN} and t.debit = 'ISSUED' group by 1",
        *given,
    )
    multiplied = "(t.explanation -> 'multiplied' ->> '{}')::bigint"
    [[more]] = await read(
        f"select sum({multiplied.format('to')} - {multiplied.format('from')})"  # noqa: S608 - names of our own
        f" from {table} t where {_BETWEEN} and t.debit = 'ISSUED'",
        *given,
    )
    found = {code: int(points) for code, points in rows}
    return found | ({MULTIPLIERS: int(more)} if more else {})


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which entries: recorded from `since` to before `until`, of a part, or of a column.

    `part` is None where entries of no part are meant; it says nothing where `by` is a time.
    """

    since: datetime
    until: datetime
    by: By
    part: str | None = None
    column: Column | None = None


Place = tuple[datetime, UUID, int]
"""(when it was recorded, member id, sequence): what entries are sorted by."""


async def entry_keys(
    program_id: UUID, chosen: Chosen, *, after: Place | None, limit: int
) -> list[tuple[UUID, int]]:
    """Return the (member id, sequence) of entries, in the order they were recorded."""
    joins, where, values = _choice(chosen)
    given = [program_id, chosen.since, chosen.until, *values]
    if after is not None:
        at, member, sequence = (f"${len(given) + place}" for place in (1, 2, 3))
        where += f" and (t.recorded_at, t.member_id, t.sequence) > ({at}, {member}, {sequence})"
        given += after
    rows = await read(
        f"select t.member_id::text, t.sequence from {table_name(TransferRow)} t{joins}"  # noqa: S608 - names of our own
        f" where {where} order by t.recorded_at, t.member_id, t.sequence limit {int(limit)}",
        *given,
    )
    return [(UUID(member_id), sequence) for member_id, sequence in rows]


async def entry_count(program_id: UUID, chosen: Chosen) -> int:
    """Return how many entries there are in all."""
    joins, where, values = _choice(chosen)
    [[found]] = await read(
        f"select count(*) from {table_name(TransferRow)} t{joins} where {where}",  # noqa: S608 - names of our own
        program_id,
        chosen.since,
        chosen.until,
        *values,
    )
    return int(found)


def _choice(chosen: Chosen) -> tuple[str, str, list[Any]]:
    """Return joins, conditions and the values of these after the first three."""
    values: list[Any] = []

    def value(one: Any) -> str:
        values.append(one)
        return f"${len(values) + 3}"

    conditions = [_BETWEEN]
    if chosen.column is None:
        own = value(sorted(OWN))
        conditions.append(f"not (t.debit = any({own}) and t.credit = any({own}))")
    else:
        from_, to = books_of(chosen.column)
        conditions.append(f"(t.debit = any({value(from_)}) or t.credit = any({value(to)}))")
    joins = ""
    if chosen.by is By.KIND:
        conditions.append(f"t.kind = {value(chosen.part or '')}")
    elif chosen.by is By.STORE:
        joins = _stores()
        is_it = f"= {value(chosen.part)}" if chosen.part is not None else "is null"
        conditions.append(f"{_STORE} {is_it}")
    elif chosen.by is By.RULE:
        conditions.append(_by_rule(chosen.part, value))
    return joins, " and ".join(conditions), values


def _by_rule(part: str | None, value: Callable[[Any], str]) -> str:
    if part is None:
        return "(t.debit <> 'ISSUED' or t.explanation is null)"
    what = {
        LINES: "(t.explanation -> 'calculator') is not null",
        MULTIPLIERS: "(t.explanation -> 'multiplied') is not null",
    }.get(part)
    if what is None:
        rules, rule = _rules()
        what = (
            f"exists (select 1 from {rules} where {rule} ->> 'code' = {value(part)}"  # noqa: S608 - names of our own
            f" and ({rule} ->> 'points')::bigint <> 0)"
        )
    return f"t.debit = 'ISSUED' and {what}"
