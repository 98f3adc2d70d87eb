"""Reading a condition from plain data (TOML, JSON) into its tree, with the place of every fault."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from loyalty_graph.conditions.faults import ConditionFaults, Fault, meant
from loyalty_graph.conditions.tree import (
    AllLines,
    AllOf,
    AnyLine,
    AnyOf,
    Comparison,
    Condition,
    LineTotal,
    Not,
    Path,
    Value,
)
from loyalty_graph.conditions.values import (
    VALUES_IN_ALL_MAX,
    ValueFault,
    operator_named,
    plain_operator,
    value_of,
)
from loyalty_graph.conditions.vocabulary import Term, Type, Vocabulary
from loyalty_graph.errors import shown

NODES_MAX = 200
DEPTH_MAX = 10
FAULTS_MAX = 20

COUNT = Term("count_lines", Type.NUMBER, "How many lines are so.", "", least=0)
"""What the number of lines is compared as."""

_LINES = ("any_line", "all_lines", "count_lines", "sum_lines")


def read(data: object, vocabulary: Vocabulary) -> Condition:
    """Return the condition that plain data says: group -> term -> comparison.

    Raises:
        ConditionFaults: It names what there is not, compares with values of another type, or is
            longer or deeper than conditions may be; every fault has its place.
    """
    return _Reader(vocabulary).whole(data, lines=False)


def read_line(data: object, vocabulary: Vocabulary) -> Condition:
    """Return the condition on one line that plain data says: term -> comparison.

    Raises:
        ConditionFaults: As for `read`.
    """
    return _Reader(vocabulary).whole(data, lines=True)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where the reader is: its place, how deep that is, and whether it is about one line."""

    path: Path = ()
    depth: int = 1
    lines: bool = False

    def at(self, *keys: str | int) -> "_Spot":
        return replace(self, path=(*self.path, *keys))

    def inside(self, *, lines: bool) -> "_Spot":
        return replace(self, depth=self.depth + 1, lines=lines)


class _Reader:
    """Reads one condition and collects what is wrong with it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._groups = tuple(dict.fromkeys(name.partition(".")[0] for name in vocabulary.terms))
        self._faults: list[Fault] = []
        self._nodes = 0
        self._values = 0

    def whole(self, data: object, *, lines: bool) -> Condition:
        found = self._table(data, _Spot(lines=lines))
        if self._faults or found is None:
            raise ConditionFaults(self._faults[:FAULTS_MAX])
        return found

    def _fault(self, spot: _Spot, message: str, place: tuple[int, ...] = ()) -> None:
        self._faults.append(Fault((*spot.path, *place), message))

    def _may_grow(self) -> bool:
        """Count a part of the condition; return whether it may still have one."""
        self._nodes += 1
        if self._nodes == NODES_MAX + 1:
            self._fault(_Spot(), f"a condition has at most {NODES_MAX} parts; this has more")
        return self._nodes <= NODES_MAX

    def _table(self, data: object, spot: _Spot) -> Condition | None:
        """Read a table all of whose entries must hold."""
        problem = _table_problem(data, spot.depth)
        if problem or not isinstance(data, Mapping):
            self._fault(spot, problem)
            return None
        parts = [
            part
            for key, value in data.items()
            for part in self._entry(str(key), value, spot.at(str(key)))
        ]
        return self._together(parts, spot)

    def _together(self, parts: Sequence[Condition], spot: _Spot) -> Condition | None:
        if len(parts) == 1:
            return parts[0]
        return AllOf(tuple(parts), spot.path) if parts and self._may_grow() else None

    def _entry(self, key: str, value: object, spot: _Spot) -> Iterator[Condition]:
        if key in {"all", "any", "not"}:
            found = self._combined(key, value, spot)
        elif spot.lines:
            return self._term(key, self._vocabulary.line_terms, value, spot)
        elif key in _LINES and self._vocabulary.line_terms:
            found = self._of_lines(key, value, spot)
        else:
            return self._group(key, value, spot)
        return iter(() if found is None else (found,))

    def _combined(self, key: str, value: object, spot: _Spot) -> Condition | None:
        inner = spot.inside(lines=spot.lines)
        if not self._may_grow():
            return None
        if key == "not":
            part = self._table(value, inner)
            return None if part is None else Not(part, spot.path)
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            self._fault(spot, f"{key} needs a list of tables")
            return None
        parts = [self._table(one, inner.at(place)) for place, one in enumerate(value)]
        kind = AllOf if key == "all" else AnyOf
        return kind(tuple(part for part in parts if part is not None), spot.path)

    def _group(self, group: str, value: object, spot: _Spot) -> Iterator[Condition]:
        terms = self._vocabulary.terms
        if group not in self._groups:
            self._fault(spot, self._no_group(group))
        elif not isinstance(value, Mapping) or not value:
            self._fault(spot, f"{group} needs a table of terms, such as {self._example(group)}")
        else:
            for name, data in value.items():
                yield from self._term(f"{group}.{name}", terms, data, spot.at(str(name)))

    def _no_group(self, group: str) -> str:
        for name, term in self._vocabulary.terms.items():
            if term.short_name == group:
                return f"{group} stands in a group: {name}"
        if group in self._vocabulary.line_terms:
            return f"{group} is a term of lines: use any_line = {{ {group} = ... }}"
        known = ["all", "any", "not", *self._groups]
        known += _LINES if self._vocabulary.line_terms else ()
        return f"there is no group {shown(group)}{_meant_or_known(group, known)}"

    def _example(self, group: str) -> str:
        return next(name for name in self._vocabulary.terms if name.startswith(f"{group}."))

    def _term(
        self, name: str, terms: Mapping[str, Term], data: object, spot: _Spot
    ) -> Iterator[Condition]:
        term = terms.get(name)
        if term is None:
            return self._no_term(name, terms, spot)
        return self._comparisons(data, term, spot)

    def _no_term(self, name: str, terms: Mapping[str, Term], spot: _Spot) -> Iterator[Condition]:
        group, _, short = name.rpartition(".")
        known = [one.short_name for one in terms.values() if one.name.rpartition(".")[0] == group]
        kind = "term of lines" if spot.lines else "term"
        self._fault(spot, f"there is no {kind} {shown(name)}{_meant_or_known(short, known)}")
        return iter(())

    def _comparisons(self, data: object, term: Term, spot: _Spot) -> Iterator[Comparison]:
        if not isinstance(data, Mapping):
            yield from self._comparison(None, data, term, spot)
        elif not data:
            self._fault(spot, "an empty table says nothing; leave it out")
        for name, value in data.items() if isinstance(data, Mapping) else ():
            yield from self._comparison(str(name), value, term, spot.at(str(name)))

    def _comparison(
        self, name: str | None, data: object, term: Term, spot: _Spot
    ) -> Iterator[Comparison]:
        """Read one comparison; without a name it is a plain value or list."""
        if not self._may_grow():
            return
        try:
            operator = plain_operator(term, data) if name is None else operator_named(name, term)
            value = value_of(data, operator, term)
            self._count_values(value)
            yield Comparison(term, operator, value, spot.path)
        except ValueFault as fault:
            self._fault(spot, fault.message, fault.place)

    def _count_values(self, value: Value) -> None:
        before = self._values
        self._values += len(value) if isinstance(value, tuple) else 1
        if before <= VALUES_IN_ALL_MAX < self._values:
            most = f"{VALUES_IN_ALL_MAX:,} values in all"
            self._fault(_Spot(), f"a condition compares with at most {most}; this has more")

    def _of_lines(self, key: str, value: object, spot: _Spot) -> Condition | None:
        if not self._may_grow():
            return None
        if key in {"any_line", "all_lines"}:
            where = self._table(value, spot.inside(lines=True))
            kind = AnyLine if key == "any_line" else AllLines
            return None if where is None else kind(where, spot.path)
        if not isinstance(value, Mapping):
            self._fault(spot, f"{key} needs a table with a comparison, such as at_least")
            return None
        return self._total(key, value, spot)

    def _total(self, key: str, value: Mapping[str, object], spot: _Spot) -> Condition | None:
        """Read a count or a sum of lines: what is summed, which lines, and the comparisons."""
        rest = {str(name): one for name, one in value.items() if name != "where"}
        where = None
        if "where" in value:
            where = self._table(value["where"], spot.at("where").inside(lines=True))
        of = None
        if key == "sum_lines":
            of = self._summed(rest.pop("of", None), spot.at("of"))
            if of is None:
                return None
        if not rest:
            self._fault(spot, f"{key} needs a comparison, such as at_least")
            return None
        totals = [
            LineTotal(of, where, one.operator, one.value, one.path)
            for one in self._comparisons(rest, of or COUNT, spot)
        ]
        return self._together(totals, spot)

    def _summed(self, name: object, spot: _Spot) -> Term | None:
        terms = self._vocabulary.line_terms
        able = [one for one, term in terms.items() if term.type in {Type.NUMBER, Type.MONEY}]
        if name in able:
            return terms[str(name)]
        said = shown(str(name))
        near = _meant_or_known(said, able)
        message = "sum_lines needs of" if name is None else f"lines have no number {said}"
        self._fault(spot, message + near)
        return None


def _table_problem(data: object, depth: int) -> str:
    """Return what is wrong with a table before its entries are looked at; empty when nothing is."""
    if depth > DEPTH_MAX:
        return f"a condition is at most {DEPTH_MAX} levels deep"
    if not isinstance(data, Mapping):
        return "needs a table of what must hold"
    return "" if data else "an empty table says nothing; leave it out"


def _meant_or_known(name: str, known: Sequence[str]) -> str:
    return meant(name, known) or f"; known are {', '.join(known)}"
