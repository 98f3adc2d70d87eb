"""What a condition names of other parts of a programme: tiers, plans, stores, product types."""

from collections.abc import Iterator
from dataclasses import dataclass

from loyalty_graph.conditions.tree import Comparison, Condition, Path, nodes


@dataclass(frozen=True, slots=True)
class Reference:
    """A code that a condition names, of which kind it is, and where it stands."""

    kind: str
    value: str
    path: Path


def references(condition: Condition) -> Iterator[Reference]:
    """Go through the codes that a condition names, in its order."""
    for one in nodes(condition):
        if isinstance(one, Comparison) and one.term.refers is not None:
            yield from _named(one, one.term.refers)


def _named(comparison: Comparison, kind: str) -> Iterator[Reference]:
    match comparison.value:
        case str(value):
            yield Reference(kind, value, comparison.path)
        case tuple(values):
            for place, one in enumerate(values):
                yield Reference(kind, str(one), (*comparison.path, place))
        case _:
            return
