"""A small vocabulary over plain objects, for tests of conditions."""

from dataclasses import dataclass, field
from datetime import date

from loyalty_graph.conditions.vocabulary import Term, Type, Vocabulary, by_name


@dataclass
class Guest:
    visits: int = 0
    seen: int | None = None
    born: date | None = None
    is_regular: bool = False
    is_asleep: bool | None = None
    room: str | None = None


@dataclass
class Dish:
    kind: str
    price_minor: int = 100
    labels: tuple[str, ...] = ()
    pieces: int = 1


@dataclass
class Table:
    place: str = "INSIDE"
    dishes: list[Dish] = field(default_factory=list)


TERMS = by_name(
    Term("guest.visits", Type.NUMBER, "How often the guest came.", "m.visits", least=0, most=1000),
    Term("guest.seen", Type.NUMBER, "Days since the last visit.", "m.seen", nullable=True),
    Term("guest.born", Type.DATE, "The birthday.", "m.born", nullable=True),
    Term("guest.is_regular", Type.FLAG, "Whether everybody knows the guest.", "m.is_regular"),
    Term("guest.is_asleep", Type.FLAG, "Whether the guest sleeps.", "m.is_asleep", nullable=True),
    Term("guest.room", Type.TEXT, "The room.", "m.room", refers="room", nullable=True),
    Term("table.place", Type.TEXT, "Where it is.", "b.place", choices=("INSIDE", "TERRACE")),
)
DISH_TERMS = by_name(
    Term("kind", Type.TEXT, "What it is.", "l.kind", refers="dish"),
    Term("labels", Type.TEXTS, "What is said of it.", "l.labels"),
    Term("price_minor", Type.MONEY, "What it costs.", "l.price_minor", least=0),
    Term("pieces", Type.NUMBER, "How many there are.", "l.pieces", least=0),
)
GUESTS = Vocabulary(TERMS, DISH_TERMS, ("m", "b"), "l in b.dishes")
ALONE = Vocabulary({name: term for name, term in TERMS.items() if name.startswith("guest.")})
