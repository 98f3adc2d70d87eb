"""Conditions as Python functions: one expression of plain attribute access for each.

The source is made of the expressions that the vocabulary declares, of operators, and of names for
constants. What somebody wrote into a condition is only ever a constant's value.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

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
    Value,
)
from loyalty_graph.conditions.vocabulary import Term, Type, Vocabulary

_COMPARED = {
    Operator.IS: "==",
    Operator.IS_NOT: "!=",
    Operator.IN: "in",
    Operator.NOT_IN: "not in",
    Operator.AT_LEAST: ">=",
    Operator.AT_MOST: "<=",
    Operator.MORE_THAN: ">",
    Operator.LESS_THAN: "<",
}
_NEVER_OF_NONE = frozenset({Operator.IS, Operator.IN})


def compile_python(condition: Condition, vocabulary: Vocabulary) -> Callable[..., bool]:
    """Return a function of the vocabulary's arguments that says whether a condition holds.

    A comparison with a value that is None is false, whatever it compares; `not` of it is true.
    """
    writer = _Writer(vocabulary)
    return writer.function(f"bool({writer.said(condition)})", vocabulary.arguments)


def compile_all(
    conditions: Sequence[Condition], vocabulary: Vocabulary
) -> Callable[..., tuple[bool, ...]]:
    """Return a function that says of many conditions at once which hold, in their order."""
    writer = _Writer(vocabulary)
    said = "".join(f"{writer.said(one)}," for one in conditions)
    return writer.function(f"({said})", vocabulary.arguments)


def compile_lines(condition: Condition, vocabulary: Vocabulary) -> Callable[..., list[bool]]:
    """Return a function that says of each line whether a condition on lines holds."""
    writer = _Writer(vocabulary)
    body = f"[{writer.said(condition)} for {vocabulary.each_line}]"
    return writer.function(body, vocabulary.arguments)


class _Writer:
    """Writes the source of one function, and keeps the constants it uses."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._constants: dict[str, Any] = {}
        self._names: Iterator[int] = count()

    def function(self, body: str, arguments: Sequence[str]) -> Callable[..., Any]:
        source = f"lambda {', '.join(arguments)}: {body}"
        made: Callable[..., Any] = eval(source, self._constants)  # noqa: S307 - holds only what terms declare and numbered names
        return made

    def said(self, condition: Condition) -> str:
        match condition:
            case Comparison():
                value = f"({condition.term.python})"
                return self._compared(condition.term, value, condition.operator, condition.value)
            case AllOf() | AnyOf():
                word = " and " if isinstance(condition, AllOf) else " or "
                # Conditions change nothing, so the cheap ones may come first.
                parts = sorted(condition.parts, key=_goes_through_lines)
                return f"({word.join(self.said(part) for part in parts)})"
            case Not():
                return f"(not {self.said(condition.part)})"
            case AnyLine():
                return f"any([{self.said(condition.where)} for {self._vocabulary.each_line}])"
            case AllLines():
                return f"all([{self.said(condition.where)} for {self._vocabulary.each_line}])"
            case LineTotal():
                return self._total(condition)

    def _total(self, total: LineTotal) -> str:
        counted = "1" if total.of is None else total.of.python
        where = "" if total.where is None else f" if {self.said(total.where)}"
        value = f"sum([{counted} for {self._vocabulary.each_line}{where}])"
        return self._compare(value, total.operator, total.value)

    def _constant(self, value: Any) -> str:
        name = f"c{next(self._names)}"
        self._constants[name] = value
        return name

    def _compared(self, term: Term, value: str, operator: Operator, with_: Value) -> str:
        if term.type is Type.TEXTS:
            return self._compared_set(value, operator, with_)
        if operator is Operator.IS_SET:
            return f"({value} is {'not ' if with_ else ''}None)"
        if term.type is Type.FLAG:
            return _compared_flag(value, wanted=(operator is Operator.IS) == with_)
        if not term.nullable or operator in _NEVER_OF_NONE:
            return self._compare(value, operator, with_)
        known = f"v{next(self._names)}"
        return f"(({known} := {value}) is not None and {self._compare(known, operator, with_)})"

    def _compare(self, value: str, operator: Operator, with_: Value) -> str:
        if operator is Operator.BETWEEN:
            assert isinstance(with_, tuple), "between has two ends"
            low, high = (self._constant(end) for end in with_)
            return f"({low} <= {value} <= {high})"
        constant = self._constant(frozenset(with_) if isinstance(with_, tuple) else with_)
        return f"({value} {_COMPARED[operator]} {constant})"

    def _compared_set(self, value: str, operator: Operator, with_: Value) -> str:
        if operator is Operator.IS_SET:
            return f"bool({value})" if with_ else f"(not {value})"
        if operator is Operator.HAS:
            return f"({self._constant(with_)} in {value})"
        assert isinstance(with_, tuple), "has_any and has_all have lists"
        constant = self._constant(frozenset(with_))
        if operator is Operator.HAS_ANY:
            return f"(not {constant}.isdisjoint({value}))"
        return f"{constant}.issubset({value})"


def _compared_flag(value: str, *, wanted: bool) -> str:
    return f"({value} is {wanted})"


def _goes_through_lines(condition: Condition) -> bool:
    return isinstance(condition, AnyLine | AllLines | LineTotal)
