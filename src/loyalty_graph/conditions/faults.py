"""What is wrong with a condition, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from loyalty_graph.conditions.tree import Path

BEGINNING_MIN = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place in the data of a condition; the message ends without a stop."""

    path: Path
    message: str


class ConditionFaults(ValueError):  # noqa: N818 - it holds several
    """A condition that cannot be read: everything that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))


def meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that asks whether a name like this one was meant, if any is."""
    spelt = {one.casefold(): one for one in known}
    begun = [one for one in spelt if len(name) >= BEGINNING_MIN and one.startswith(name.casefold())]
    near = begun or get_close_matches(name.casefold(), spelt, 1)
    return f"; did you mean {spelt[near[0]]}?" if near else ""
