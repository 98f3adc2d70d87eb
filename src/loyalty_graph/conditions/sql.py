"""Conditions as SQL, for SQLite and PostgreSQL; what is compared with is always a parameter.

A comparison with NULL is false, whatever it compares; `not` of it is true.
"""

import operator as operators
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from loyalty_graph.conditions.tree import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Operator,
)
from loyalty_graph.conditions.vocabulary import DaysAgo, Joined, Type

Dialect = Literal["sqlite", "postgres"]

# Local days near the ends of the calendar cannot be told as instants everywhere.
_DAY_MIN = date(1000, 1, 1)
_DAY_MAX = date(9000, 1, 1)

_COMPARED = {
    Operator.IS: "=",
    Operator.IS_NOT: "<>",
    Operator.AT_LEAST: ">=",
    Operator.AT_MOST: "<=",
    Operator.MORE_THAN: ">",
    Operator.LESS_THAN: "<",
}
_CASTS = {Type.TEXT: "text", Type.NUMBER: "bigint", Type.MONEY: "bigint", Type.DATE: "date"}
_PYTHON: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.IS: operators.eq,
    Operator.IS_NOT: operators.ne,
    Operator.IN: lambda known, values: known in values,
    Operator.NOT_IN: lambda known, values: known not in values,
    Operator.AT_LEAST: operators.ge,
    Operator.AT_MOST: operators.le,
    Operator.MORE_THAN: operators.gt,
    Operator.LESS_THAN: operators.lt,
}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class SqlWriter:
    """Writes conditions, and what stands around them, into one statement with `$1` parameters.

    `params` are what terms and joins name as `{name}`; each is given once, when it is first named.
    Terms of days need `today` and `zone` instead.
    """

    def __init__(
        self, dialect: Dialect, params: Mapping[str, Any], *, today: date, zone: ZoneInfo
    ) -> None:
        self._dialect = dialect
        self._params = params
        self._today = today
        self._zone = zone
        self._marks: dict[str, str] = {}
        self.values: list[Any] = []

    def bound(self, text: str) -> str:
        """Return SQL of our own with a parameter for each `{name}`."""
        return _PLACEHOLDER.sub(lambda match: self._named(match[1]), text)

    def where(self, condition: Condition) -> str:
        """Return a condition as an SQL expression that is not NULL under `not`."""
        return self._said(condition, is_negated=False)

    def mark(self, value: Any) -> str:
        """Return a parameter with this value."""
        if isinstance(value, date) and not isinstance(value, datetime):
            value = value.isoformat() if self._dialect == "sqlite" else value
        self.values.append(value)
        return f"${len(self.values)}"

    def _named(self, name: str) -> str:
        if name not in self._marks:
            self._marks[name] = self.mark(self._params[name])
        return self._marks[name]

    def _said(self, condition: Condition, *, is_negated: bool) -> str:
        match condition:
            case AllOf() | AnyOf():
                word = " and " if isinstance(condition, AllOf) else " or "
                parts = (self._said(part, is_negated=is_negated) for part in condition.parts)
                return f"({word.join(parts)})"
            case Not():
                return f"(not {self._said(condition.part, is_negated=True)})"
            case Comparison():
                return self._comparison(condition, is_negated=is_negated)
            case _:
                raise AssertionError("tables hold no lines")

    def _comparison(self, one: Comparison, *, is_negated: bool) -> str:
        sql, operator, value = one.term.sql, one.operator, one.value
        if isinstance(sql, DaysAgo):
            said = self._days(sql.instant, operator, value)
        elif isinstance(sql, Joined):
            return self._joined(one, sql, is_negated=is_negated)
        else:
            assert sql is not None, f"{one.term.name} is not for SQL"
            said = self._compared(self._own(sql), operator, value, one.term.type)
        # WHERE takes NULL for false; `not` of it would be NULL too.
        return f"coalesce({said}, false)" if is_negated and one.term.nullable else said

    def _own(self, sql: str | Mapping[str, str]) -> str:
        return self.bound(sql if isinstance(sql, str) else sql[self._dialect])

    def _joined(self, one: Comparison, sql: Joined, *, is_negated: bool) -> str:
        """Compare what a joined row says.

        Where nothing without a row is meant anyway the comparison says no more than the row does:
        then the planner need not keep what has none.
        """
        said, name = self._own(sql.sql), sql.otherwise
        otherwise = self._params[name] if isinstance(name, str) else name
        if not is_negated and not _holds(one.operator, otherwise, one.value):
            compared = self._compared(said, one.operator, one.value, one.term.type)
            return f"({sql.row} is not null and {compared})"
        without = self._named(name) if isinstance(name, str) else str(name)
        said = f"(case when {sql.row} is null then {without} else {said} end)"
        compared = self._compared(said, one.operator, one.value, one.term.type)
        return f"coalesce({compared}, false)" if is_negated and one.term.nullable else compared

    def _compared(self, said: str, operator: Operator, value: Any, kind: Type) -> str:
        if operator is Operator.IS_SET:
            return f"({said} is {'not ' if value else ''}null)"
        if kind is Type.FLAG:
            wanted = (operator is Operator.IS) == value
            return f"({said})" if wanted else f"(not ({said}))"
        cast = _CASTS[kind]
        if operator is Operator.BETWEEN:
            low, high = (self._cast(end, cast) for end in value)
            return f"({said} between {low} and {high})"
        if operator in {Operator.IN, Operator.NOT_IN}:
            return self._listed(said, value, cast, is_in=operator is Operator.IN)
        return f"({said} {_COMPARED[operator]} {self._cast(value, cast)})"

    def _cast(self, value: Any, kind: str) -> str:
        mark = self.mark(value)
        return mark if self._dialect == "sqlite" else f"{mark}::{kind}"

    def _listed(self, said: str, values: Sequence[Any], kind: str, *, is_in: bool) -> str:
        mark = self.mark(list(values))
        if self._dialect == "sqlite":
            listed = f"(select value from json_each({mark}))"  # noqa: S608 - a mark is $1
            return f"({said} {'' if is_in else 'not '}in {listed})"
        return f"({said} {'= any' if is_in else '<> all'}({mark}::{kind}[]))"

    def _days(self, instant: str, operator: Operator, value: Any) -> str:
        """Compare a number of local days since an instant by the instants at which days begin."""
        if operator is Operator.IS_SET:
            return f"({instant} is {'not ' if value else ''}null)"
        numbers = value if isinstance(value, tuple) else (value,)
        if operator in {Operator.IS, Operator.IN}:
            return f"({' or '.join(self._within(instant, n, n) for n in numbers)})"
        if operator in {Operator.IS_NOT, Operator.NOT_IN}:
            return f"({' and '.join(f'not {self._within(instant, n, n)}' for n in numbers)})"
        return self._within(instant, *_ends(operator, numbers))

    def _within(self, instant: str, low: int | None, high: int | None) -> str:
        """Say that it was so many days ago, from the lowest to the highest number."""
        ends = [] if low is None else [f"{instant} < {self._begin(low)}"]
        ends += [] if high is None else [f"{instant} >= {self._begin(high + 1)}"]
        return f"({' and '.join(ends)})"

    def _begin(self, days: int) -> str:
        """Return the instant at which the day after the one so many days ago begins."""
        most, least = (self._today - _DAY_MIN).days, (self._today - _DAY_MAX).days
        day = self._today - timedelta(days=max(least, min(days - 1, most)))
        midnight = datetime.combine(day, time(), tzinfo=self._zone)
        return self._cast(midnight, "timestamptz")


def _ends(operator: Operator, numbers: Sequence[int]) -> tuple[int | None, int | None]:
    match operator:
        case Operator.AT_LEAST:
            return numbers[0], None
        case Operator.MORE_THAN:
            return numbers[0] + 1, None
        case Operator.AT_MOST:
            return None, numbers[0]
        case Operator.LESS_THAN:
            return None, numbers[0] - 1
        case _:
            return numbers[0], numbers[1]


def _holds(operator: Operator, known: Any, value: Any) -> bool:
    """Return whether a comparison holds of a value; never of one that is not known."""
    if operator is Operator.IS_SET:
        return (known is not None) is value
    if known is None:
        return False
    if operator is Operator.BETWEEN:
        return bool(value[0] <= known <= value[1])
    return bool(_PYTHON[operator](known, value))
