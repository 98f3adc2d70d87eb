"""Finding conditions that can never be true, by what they ask of each term.

Whatever is found can never be true; not everything that can never be true is found.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from loyalty_graph.conditions.faults import Fault
from loyalty_graph.conditions.reading import COUNT
from loyalty_graph.conditions.rooms import Room, room_of
from loyalty_graph.conditions.tree import (
    AllLines,
    AllOf,
    AnyLine,
    AnyOf,
    Comparison,
    Condition,
    LineTotal,
    Not,
    Operator,
    Path,
    Value,
)
from loyalty_graph.conditions.vocabulary import Term, Type

VALUES_SHOWN = 3

_NOTHING = AllOf(())
"""What always holds."""

_OPPOSITES = {
    Operator.IS: Operator.IS_NOT,
    Operator.IN: Operator.NOT_IN,
    Operator.AT_LEAST: Operator.LESS_THAN,
    Operator.AT_MOST: Operator.MORE_THAN,
}
_OPPOSITE = _OPPOSITES | {right: left for left, right in _OPPOSITES.items()}


def impossible(condition: Condition) -> Fault | None:
    """Return why a condition can never be true and where that shows, or None."""
    return _search(condition, {})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a term, or of a total of lines, at a place."""

    key: Hashable
    term: Term
    operator: Operator
    value: Value
    path: Path
    start: Room

    def __str__(self) -> str:
        return f"{self.operator} {_said(self.value)}"


_Known = Mapping[Hashable, Sequence[_Asked]]


def _search(condition: Condition, known: _Known) -> Fault | None:
    """Look for a contradiction in a condition, or between it and what must hold beside it."""
    choices: list[AnyOf] = []
    found = dict(known)
    for part in _required(condition):
        if isinstance(part, AnyOf):
            choices.append(part)
        elif isinstance(part, AnyLine):
            if fault := _search(part.where, {}):
                return fault
        elif isinstance(part, Comparison | LineTotal):
            asked = _asked(part)
            before = found.get(asked.key, ())
            if fault := _contradiction(asked, before):
                return fault
            found[asked.key] = (*before, asked)
    return next((fault for one in choices if (fault := _no_choice(one, found))), None)


def _no_choice(choice: AnyOf, known: _Known) -> Fault | None:
    faults = [_search(part, known) for part in choice.parts]
    return faults[0] if all(faults) else None


def _required(condition: Condition) -> Iterator[Condition]:
    """Go through what must hold for a condition to hold, without `all` and `not`."""
    match condition:
        case AllOf():
            for part in condition.parts:
                yield from _required(part)
        case Not():
            yield from _required(_opposite(condition.part))
        case _:
            yield condition


def _opposite(condition: Condition) -> Condition:
    """Return what holds where a condition does not; less than that where it cannot be said."""
    path = condition.path
    match condition:
        case AllOf():
            return AnyOf(tuple(Not(part, path) for part in condition.parts), path)
        case AnyOf():
            return AllOf(tuple(Not(part, path) for part in condition.parts), path)
        case Not():
            return condition.part
        case Comparison():
            return _opposite_comparison(condition)
        case AnyLine() | AllLines() | LineTotal():
            return _opposite_of_lines(condition)


def _opposite_of_lines(condition: AnyLine | AllLines | LineTotal) -> Condition:
    match condition:
        case AllLines():
            return AnyLine(Not(condition.where, condition.path), condition.path)
        case AnyLine():
            return _NOTHING
        case LineTotal():
            turned = _turned(condition, condition.operator, condition.value)
            return AnyOf(tuple(turned), condition.path)


def _opposite_comparison(one: Comparison) -> Condition:
    if one.operator is Operator.IS_SET:
        return replace(one, value=not one.value)
    if one.term.type is Type.TEXTS:
        return _NOTHING
    turned: list[Condition] = list(_turned(one, one.operator, one.value))
    if one.term.nullable:
        turned.append(replace(one, operator=Operator.IS_SET, value=False))
    return AnyOf(tuple(turned), one.path)


def _turned(
    one: Comparison | LineTotal, operator: Operator, value: Value
) -> Iterator[Comparison | LineTotal]:
    if operator is Operator.BETWEEN:
        assert isinstance(value, tuple), "between has two ends"
        low, high = value
        yield replace(one, operator=Operator.LESS_THAN, value=low)
        yield replace(one, operator=Operator.MORE_THAN, value=high)
    else:
        yield replace(one, operator=_OPPOSITE[operator])


def _asked(one: Comparison | LineTotal) -> _Asked:
    if isinstance(one, Comparison):
        start = room_of(one.term)
        return _Asked(one.term.name, one.term, one.operator, one.value, one.path, start)
    term = one.of or COUNT
    never = one.where is not None and _search(one.where, {}) is not None
    total = Room(low=None if term.least is None else 0, high=0 if never else None, is_known=True)
    # A total that nothing can add to is 0.
    start = replace(total, low=0) if never else total
    return _Asked((term.name, one.where), term, one.operator, one.value, one.path, start)


def _contradiction(asked: _Asked, before: Sequence[_Asked]) -> Fault | None:
    if _left([asked]).is_empty:
        return Fault(asked.path, f"this can never be true: {_why(asked)}")
    for one in before:
        if _left([one, asked]).is_empty:
            both = f"{asked.term.name} {one} and {asked}"
            return Fault(asked.path, f"this can never be true: {both} exclude each other")
    if _left([*before, asked]).is_empty:
        return Fault(asked.path, f"this can never be true with the rest of {asked.term.name}")
    return None


def _left(asked: Sequence[_Asked]) -> Room:
    return reduce(lambda room, one: room.narrowed(one.operator, one.value), asked, asked[0].start)


def _why(asked: _Asked) -> str:
    term, value = asked.term, asked.value
    if asked.operator is Operator.BETWEEN and isinstance(value, tuple) and value[0] > value[1]:  # type: ignore[operator] # of one type
        return f"{_said(value[0])} is above {_said(value[1])}"
    if asked.operator is Operator.IS_SET:
        return f"{term.name} is always known"
    limits = [
        f"{name} {_said(limit)}"
        for name, limit in (("at least", asked.start.low), ("at most", asked.start.high))
        if limit is not None
    ]
    return f"{term.name} is {' and '.join(limits)}" if limits else f"{term.name} has other values"


def _said(value: Value) -> str:
    if isinstance(value, tuple):
        rest = (", ...",) if len(value) > VALUES_SHOWN else ()
        return ", ".join(_said(one) for one in value[:VALUES_SHOWN]) + "".join(rest)
    return str(value).lower() if isinstance(value, bool) else str(value)
