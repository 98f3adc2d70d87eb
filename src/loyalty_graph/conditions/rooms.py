"""What values comparisons leave to a term: its room, which is empty when they contradict."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loyalty_graph.conditions.tree import Operator, Value
from loyalty_graph.conditions.vocabulary import Term, Type


@dataclass(frozen=True, slots=True)
class Room:
    """The values from `low` to `high`, if given `among` these, `without` some.

    Days are counted as numbers. `is_known` says whether the value is known; None leaves it open.
    """

    low: int | None = None
    high: int | None = None
    among: frozenset[Any] | None = None
    without: frozenset[Any] = frozenset()
    is_known: bool | None = None
    is_split: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether there is no value left, and not being known is not left either."""
        if self.is_split:
            return True
        if self.is_known is not True:
            return False
        if self.among is not None:
            return not any(self._holds(value) for value in self.among - self.without)
        if self.low is None or self.high is None:
            return False
        left = self.high - self.low + 1
        return left <= 0 or left <= sum(self._holds(value) for value in self.without)

    def _holds(self, value: Any) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def narrowed(self, operator: Operator, value: Value) -> "Room":
        """Return what a comparison leaves of it."""
        if operator is Operator.IS_SET:
            return self._knowing(is_known=value is True)
        room = self._knowing(is_known=True)
        values = _numbered(value)
        match operator:
            case Operator.IS | Operator.IN:
                return replace(room, among=values if self.among is None else self.among & values)
            case Operator.IS_NOT | Operator.NOT_IN:
                return replace(room, without=self.without | values)
            case Operator.BETWEEN:
                assert isinstance(value, tuple), "between has two ends"
                low, high = (_number(end) for end in value)
                return room._within(low, high)
            case Operator.HAS | Operator.HAS_ANY | Operator.HAS_ALL:
                return room
            case _:
                return room._within(*_ends(operator, _number(value)))

    def _knowing(self, *, is_known: bool) -> "Room":
        if self.is_known is None:
            return replace(self, is_known=is_known)
        return self if self.is_known is is_known else replace(self, is_split=True)

    def _within(self, low: int | None, high: int | None) -> "Room":
        lows = [end for end in (self.low, low) if end is not None]
        highs = [end for end in (self.high, high) if end is not None]
        return replace(self, low=max(lows, default=None), high=min(highs, default=None))


def room_of(term: Term) -> Room:
    """Return all that a term can be."""
    among: frozenset[Any] | None = None
    if term.type is Type.FLAG:
        among = frozenset({True, False})
    elif term.choices is not None:
        among = frozenset(term.choices)
    may_lack = term.nullable or term.type is Type.TEXTS
    return Room(term.least, term.most, among, is_known=None if may_lack else True)


def _ends(operator: Operator, number: int) -> tuple[int | None, int | None]:
    match operator:
        case Operator.AT_LEAST:
            return number, None
        case Operator.MORE_THAN:
            return number + 1, None
        case Operator.AT_MOST:
            return None, number
        case _:
            return None, number - 1


def _numbered(value: Value) -> frozenset[Any]:
    values = value if isinstance(value, tuple) else (value,)
    return frozenset(one.toordinal() if isinstance(one, date) else one for one in values)


def _number(value: Any) -> int:
    return value.toordinal() if isinstance(value, date) else int(value)
