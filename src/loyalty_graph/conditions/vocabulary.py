"""What conditions can speak of: terms, their types, and how Python and SQL read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Type(StrEnum):
    """What a term's values are; MONEY is in minor units, TEXTS is a set of texts."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    MONEY = "MONEY"
    FLAG = "FLAG"
    DATE = "DATE"
    TEXTS = "TEXTS"

    @property
    def is_ordered(self) -> bool:
        """Return whether values can be more or less than others."""
        return self in {Type.NUMBER, Type.MONEY, Type.DATE}


@dataclass(frozen=True, slots=True)
class DaysAgo:
    """SQL of a number of local days since an instant: it is compared by the instant itself."""

    instant: str


@dataclass(frozen=True, slots=True)
class Joined:
    """SQL over a row that not everything has: `row` is a column of it that is never NULL.

    `otherwise` is the value without such a row: a number, or the name of what the caller hands in.
    """

    sql: str | Mapping[str, str]
    row: str
    otherwise: int | str


@dataclass(frozen=True, slots=True)
class Term:
    """Something a condition can speak of, such as `member.purchase_count`.

    `python` is an expression over the variables of the vocabulary, `sql` one over tables: the same
    for both databases or one for each dialect, with `{name}` for what the caller hands in. `refers`
    says of which kind a text is the code, `choices` which texts there are. `least` and `most`
    bound a number. With `nullable` the value may be unknown.
    """

    name: str
    type: Type
    description: str
    python: str
    sql: str | Mapping[str, str] | DaysAgo | Joined | None = field(default=None, hash=False)
    refers: str | None = None
    choices: tuple[str, ...] | None = None
    nullable: bool = False
    least: int | None = None
    most: int | None = None

    @property
    def short_name(self) -> str:
        """Return the name without its group."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms of one kind of condition.

    `terms` are by `group.name`, `line_terms`, which speak of one line, by name. Compiled functions
    take `arguments`; `each_line` is what follows `for` where lines are gone through, and binds the
    variables that line terms use. `name` is what its conditions are called in JSON Schemas.
    """

    terms: Mapping[str, Term]
    line_terms: Mapping[str, Term] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("m",)
    each_line: str = "l in b.lines"
    name: str = "Condition"

    @property
    def line_name(self) -> str:
        """Return what conditions on one line are called."""
        return f"{self.name}OnLine"


def by_name(*terms: Term) -> dict[str, Term]:
    """Return terms by their names."""
    return {term.name: term for term in terms}
