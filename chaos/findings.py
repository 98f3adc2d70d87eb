"""What a round of chaos is judged by."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Counts:
    """What was found; all but the first two must be 0.

    Attributes:
        acknowledged: Deeds that were answered with a success.
        lost: Of those, the ones that left nothing, or less than was answered.
        doubled: Entries of the ledger that nobody asked for, or once more than asked.
        altered: Deeds that are told otherwise than when they were answered.
        half_done: Rows that should not be there alone, such as a purchase without its points.
        wrong_cards: Cards that still show something else a minute after the last change.
        late_cards: Cards that were right only later than fifteen seconds after it.
        differences: What the audit of the ledger finds.
    """

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    half_done: int = 0
    wrong_cards: int = 0
    late_cards: int = 0
    differences: int = 0

    def add(self, other: "Counts") -> None:
        """Add what was found elsewhere."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def is_clean(self) -> bool:
        """Say whether nothing is wrong; a late card is no harm."""
        harmless = {"acknowledged", "late_cards"}
        return not any(getattr(self, one.name) for one in fields(self) if one.name not in harmless)


@dataclass
class Round:
    """One kind of trouble, and what came of it.

    Attributes:
        name: Which trouble.
        database: sqlite or postgres.
        seed: What chose everything; the same seed makes the same trouble again.
        seconds: How long it took, the audit included.
        retries: How often a till had to ask again, by what it heard.
        faults: Answers that no till should ever get.
        is_over: Whether it came to its end in time.
        notes: What was wrong, in words.
        skipped: Why it was not tried; empty when it was.
    """

    name: str
    database: str
    seed: int
    seconds: float = 0.0
    counts: Counts = field(default_factory=Counts)
    retries: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    is_over: bool = True
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def is_clean(self) -> bool:
        """Say whether nothing is wrong."""
        return self.counts.is_clean and not self.notes

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        told = asdict(self)
        counts = told.pop("counts")
        return {**told, "seconds": round(self.seconds, 1), **counts}


def report(rounds: Iterable[Round]) -> dict[str, Any]:
    """Return what all rounds found, and each of them."""
    total, told = Counts(), []
    for one in rounds:
        total.add(one.counts)
        told.append(one.as_json())
    return {**asdict(total), "rounds": told}
