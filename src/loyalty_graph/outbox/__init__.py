"""What must happen outside the transaction that made it true: facts, and marks on cards.

Both are rows of the same transaction and carry no number yet: a number taken inside a transaction
becomes visible out of order, and then readers miss rows. `numbering` numbers committed rows.
"""

from loyalty_graph.outbox.facts import Fact, change, facts, mark_cards, newest, numbered_after
from loyalty_graph.outbox.models import CardMark, FactRow

__all__ = [
    "CardMark",
    "Fact",
    "FactRow",
    "change",
    "facts",
    "mark_cards",
    "newest",
    "numbered_after",
]
