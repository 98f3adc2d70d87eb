"""Reading what a term is compared with: plain values, lists, and tables of comparisons."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from loyalty_graph.conditions.faults import meant
from loyalty_graph.conditions.tree import Operator, Value
from loyalty_graph.conditions.vocabulary import Term, Type
from loyalty_graph.errors import shown

VALUES_MAX = 1_000
VALUES_IN_ALL_MAX = 5_000
TEXT_LENGTH_MAX = 200
NUMBER_MAX = 10**15
BETWEEN_VALUES = 2

_EQUAL = frozenset({Operator.IS, Operator.IS_NOT})
_LISTED = frozenset({Operator.IN, Operator.NOT_IN})
_ORDERED = frozenset(
    {
        Operator.AT_LEAST,
        Operator.AT_MOST,
        Operator.MORE_THAN,
        Operator.LESS_THAN,
        Operator.BETWEEN,
    }
)
_SETS = (Operator.HAS, Operator.HAS_ANY, Operator.HAS_ALL)
_LISTS = _LISTED | {Operator.HAS_ANY, Operator.HAS_ALL}

NEEDED: Mapping[Type, str] = {
    Type.TEXT: "a text",
    Type.NUMBER: "a whole number",
    Type.MONEY: "a whole number of minor units",
    Type.FLAG: "true or false",
    Type.DATE: "a day such as 2026-12-24",
    Type.TEXTS: "a text",
}


class ValueFault(ValueError):  # noqa: N818 - it becomes a Fault
    """A value that a term cannot be compared with; `place` leads to it within a list."""

    def __init__(self, message: str, place: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


def operators(kind: Type) -> list[Operator]:
    """Return how terms of a type can be compared."""
    if kind is Type.TEXTS:
        return [*_SETS, Operator.IS_SET]
    able = _EQUAL if kind is Type.FLAG else _EQUAL | _LISTED
    able = able | _ORDERED if kind.is_ordered else able
    return [one for one in Operator if one in able or one is Operator.IS_SET]


def operator_named(name: str, term: Term) -> Operator:
    """Return the comparison of a name.

    Raises:
        ValueFault: There is none, or the term cannot be compared so.
    """
    able = operators(term.type)
    if name in able:
        return Operator(name)
    if name in list(Operator):
        raise ValueFault(f"{term.name} cannot be compared by {name}, but by {', '.join(able)}")
    raise ValueFault(f"there is no comparison {shown(name)}{meant(name, able)}")


def plain_operator(term: Term, data: Any) -> Operator:
    """Return what a value without a comparison means: a list `in`, anything else `is`.

    Raises:
        ValueFault: The term holds a set, of which it would not be clear.
    """
    if term.type is Type.TEXTS:
        raise ValueFault(f"{term.name} holds several texts: use {', '.join(_SETS)}")
    return operator_named(Operator.IN if isinstance(data, list | tuple) else Operator.IS, term)


def value_of(data: Any, operator: Operator, term: Term) -> Value:
    """Return the value a term is compared with.

    Raises:
        ValueFault: It is of another type, too long, or not among the choices.
    """
    if operator is Operator.IS_SET:
        return _flag(data)
    read = _one_reader(term)
    if operator in _LISTS:
        return _list(data, read)
    if operator is Operator.BETWEEN:
        if not isinstance(data, list | tuple) or len(data) != BETWEEN_VALUES:
            raise ValueFault("between needs the lowest and the highest value: [1, 5]")
        return _list(data, read)
    return read(data)


def _list(data: Any, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    if not isinstance(data, list | tuple):
        raise ValueFault("needs a list")
    if not data:
        raise ValueFault("an empty list has nothing to compare with")
    if len(data) > VALUES_MAX:
        raise ValueFault(f"a list holds at most {VALUES_MAX} values; this has {len(data)}")
    found = []
    for place, one in enumerate(data):
        try:
            found.append(read(one))
        except ValueFault as fault:
            raise ValueFault(fault.message, (place,)) from fault
    return tuple(found)


def _one_reader(term: Term) -> Callable[[Any], str | int | bool | date]:
    def read(data: Any) -> str | int | bool | date:
        match term.type:
            case Type.TEXT | Type.TEXTS:
                return _text(data, term)
            case Type.FLAG:
                return _flag(data)
            case Type.DATE:
                return _day(data, term)
            case Type.NUMBER | Type.MONEY:
                return number(data, term.type, term.name)

    return read


def _text(data: Any, term: Term) -> str:
    if not isinstance(data, str):
        raise _wrong(term, data)
    if not 0 < len(data) <= TEXT_LENGTH_MAX or not data.isprintable():
        raise ValueFault(f"a text has 1 to {TEXT_LENGTH_MAX} characters that can be printed")
    if term.choices is not None and data not in term.choices:
        advice = meant(data, term.choices) or f"; it can be {', '.join(term.choices)}"
        raise ValueFault(f"{term.name} is never {shown(data)}{advice}")
    return data


def _flag(data: Any) -> bool:
    if not isinstance(data, bool):
        raise ValueFault(f"needs {NEEDED[Type.FLAG]}, not {_said(data)}")
    return data


def number(data: Any, kind: Type, name: str) -> int:
    """Return a whole number.

    Raises:
        ValueFault: It is none, or its amount is above 10^15.
    """
    if not isinstance(data, int) or isinstance(data, bool):
        raise ValueFault(f"{name} is {NEEDED[kind]}, not {_said(data)}")
    if abs(data) > NUMBER_MAX:
        raise ValueFault("a number has at most 15 digits")
    return data


def _day(data: Any, term: Term) -> date:
    if isinstance(data, date) and not isinstance(data, datetime):
        return data
    try:
        return date.fromisoformat(data)
    except (TypeError, ValueError) as error:
        raise _wrong(term, data) from error


def _wrong(term: Term, data: Any) -> ValueFault:
    return ValueFault(f"{term.name} is {NEEDED[term.type]}, not {_said(data)}")


def _said(data: Any) -> str:
    match data:
        case bool():
            return str(data).lower()
        case str():
            return f'"{shown(data)}"'
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return shown(str(data))
