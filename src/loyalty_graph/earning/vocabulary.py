"""What conditions of earning rules can ask: of a purchase and its lines, an activity, the time."""

from loyalty_graph.conditions.vocabulary import Term, Type, Vocabulary, by_name
from loyalty_graph.purchases.rules import ActivityKind, Channel
from loyalty_graph.segments.vocabulary import MEMBER_TERMS

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


def _time_terms(of: str) -> dict[str, Term]:
    """Return the terms of the moment of a purchase or an activity, in the programme's zone."""
    return by_name(
        Term(
            "time.weekday",
            Type.TEXT,
            "The day of the week.",
            f"{WEEKDAYS}[{of}.at.weekday()]",
            choices=WEEKDAYS,
        ),
        Term(
            "time.hour",
            Type.NUMBER,
            "The hour that has begun, 0 to 23.",
            f"{of}.at.hour",
            least=0,
            most=23,
        ),
        Term("time.date", Type.DATE, "The day.", f"{of}.at.date()"),
        Term(
            "time.month",
            Type.NUMBER,
            "The month, 1 to 12.",
            f"{of}.at.month",
            least=1,
            most=12,
        ),
        Term(
            "time.day",
            Type.NUMBER,
            "The day of the month, 1 to 31.",
            f"{of}.at.day",
            least=1,
            most=31,
        ),
    )


def _store_terms(of: str) -> dict[str, Term]:
    return by_name(
        Term(
            "store.code",
            Type.TEXT,
            "The store; not known when none was named.",
            f"{of}.store",
            refers="store",
            nullable=True,
        ),
        Term(
            "store.labels",
            Type.TEXTS,
            "The labels that the programme gives the store.",
            f"{of}.store_labels",
        ),
    )


PURCHASE_TERMS = by_name(
    Term(
        "purchase.total_minor",
        Type.MONEY,
        "What was paid with money for what is not excluded, in minor units.",
        "b.total_minor",
        least=0,
    ),
    Term(
        "purchase.line_count",
        Type.NUMBER,
        "How many lines the receipt has.",
        "len(b.lines)",
        least=0,
    ),
    Term(
        "purchase.channel",
        Type.TEXT,
        "Where the purchase was made.",
        "b.channel",
        choices=tuple(Channel),
    ),
    Term("purchase.source", Type.TEXT, "The system that the receipt came from.", "b.source"),
    Term(
        "purchase.payment",
        Type.TEXT,
        "How it was paid, as the till says it; not known when it does not say.",
        "b.payment",
        nullable=True,
    ),
    Term("purchase.currency", Type.TEXT, "The currency of the receipt.", "b.currency"),
    Term(
        "purchase.is_first",
        Type.FLAG,
        "Whether the member made no purchase before.",
        "(m.purchase_count == 0)",
    ),
)
"""What is known of a purchase; `b` is its `Basket`."""

LINE_TERMS = by_name(
    Term(
        "product_type",
        Type.TEXT,
        "The product type of the line.",
        "l.product_type",
        refers="product_type",
    ),
    Term("sku", Type.TEXT, "The article; may not be known.", "l.sku", nullable=True),
    Term("labels", Type.TEXTS, "The labels of the line.", "l.labels"),
    Term("quantity", Type.NUMBER, "The units that were not brought back.", "l.left", least=0),
    Term(
        "amount_minor",
        Type.MONEY,
        "What was paid with money for them, in minor units; 0 for what is excluded.",
        "amount",
        least=0,
    ),
    Term(
        "unit_minor",
        Type.MONEY,
        "The price of a unit, before discounts.",
        "l.converted(l.unit_minor)",
    ),
    Term(
        "discount_minor",
        Type.MONEY,
        "The discount on the units that were not brought back.",
        "l.converted(l.discount_minor * l.left // l.quantity)",
        least=0,
    ),
)
"""What is known of a line; `l` is the `Line`, `amount` what counts of it."""

ACTIVITY_TERMS = by_name(
    Term(
        "activity.kind",
        Type.TEXT,
        "What the member did.",
        "a.kind",
        choices=tuple(ActivityKind),
    ),
    Term(
        "activity.name",
        Type.TEXT,
        "What it is called, such as the name of a survey; may not be known.",
        "a.name",
        nullable=True,
    ),
    Term(
        "activity.network",
        Type.TEXT,
        "The network it happened on, in capitals; may not be known.",
        "a.network",
        nullable=True,
    ),
    Term(
        "activity.has_proof",
        Type.FLAG,
        "Whether a proof was given.",
        "(a.proof is not None)",
    ),
)
"""What is known of an activity; `a` is the `Occasion`."""

PURCHASES = Vocabulary(
    {**PURCHASE_TERMS, **_store_terms("b"), **_time_terms("b"), **MEMBER_TERMS},
    LINE_TERMS,
    arguments=("m", "b"),
    each_line="l, amount in b.rows",
    name="PurchaseCondition",
)
"""Conditions on a purchase: `m` the member's facts, `b` the basket."""

ACTIVITIES = Vocabulary(
    {**ACTIVITY_TERMS, **_store_terms("a"), **_time_terms("a"), **MEMBER_TERMS},
    arguments=("m", "a"),
    name="ActivityCondition",
)
"""Conditions on an activity: `m` the member's facts, `a` the occasion."""
