"""The tree a condition is read into: frozen nodes, each with its place in what was read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from loyalty_graph.conditions.vocabulary import Term

Path = tuple[str | int, ...]
"""Where something stands in the data it was read from: keys, and places in lists from 0."""

Value = str | int | bool | date | tuple[str, ...] | tuple[int, ...] | tuple[date, ...]


class Operator(StrEnum):
    """How a term is compared. BETWEEN includes both ends."""

    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    NOT_IN = "not_in"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"
    BETWEEN = "between"
    IS_SET = "is_set"
    HAS = "has"
    HAS_ANY = "has_any"
    HAS_ALL = "has_all"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A term compared with a value."""

    term: Term
    operator: Operator
    value: Value
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple["Condition", ...]
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Condition", ...]
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AnyLine:
    """At least one line is so."""

    where: "Condition"
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AllLines:
    """Every line is so; true when there are none."""

    where: "Condition"
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class LineTotal:
    """The number of lines, or with `of` the sum of a term over them, compared with a number.

    Only lines that are as `where` says count; all of them without it.
    """

    of: Term | None
    where: "Condition | None"
    operator: Operator
    value: Value
    path: Path = field(default=(), compare=False)


Condition = Comparison | AllOf | AnyOf | Not | AnyLine | AllLines | LineTotal


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions that a node is made of."""
    match condition:
        case AllOf() | AnyOf():
            return condition.parts
        case Not():
            return (condition.part,)
        case AnyLine() | AllLines():
            return (condition.where,)
        case LineTotal():
            return () if condition.where is None else (condition.where,)
        case Comparison():
            return ()


def nodes(condition: Condition) -> Iterator[Condition]:
    """Go through a condition and all it is made of."""
    yield condition
    for part in parts_of(condition):
        yield from nodes(part)


def terms_of(condition: Condition) -> frozenset[str]:
    """Return the names of all terms a condition speaks of; those of lines have no group."""
    found = (
        one.of if isinstance(one, LineTotal) else one.term
        for one in nodes(condition)
        if isinstance(one, Comparison | LineTotal)
    )
    return frozenset(term.name for term in found if term is not None)
