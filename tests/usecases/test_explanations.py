from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.ledger.kinds import Book, Forgiveness, Kind
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases.explanations import REASONS, explain_entry
from tests.shop import NOON, PROGRAM

SETTINGS = ProgramSettings.model_validate(PROGRAM["program"])
ENTRY = Entry(
    member_id=UUID(int=1),
    sequence=1,
    kind=Kind.EARN,
    debit=Book.ISSUED,
    credit=Book.MEMBER,
    points=27,
    held=0,
    pending=0,
    qualifying=27,
    balance_after=27,
    at=NOON,
    recorded_at=NOON,
    reference=str(UUID(int=2)),
    rule_version=1,
    text="",
    explanation={"by": "hand"},
    hash=b"",
)
COFFEE: dict[str, Any] = {"type": "COFFEE", "amount": 1350, "rate": [2, 100], "points": 27}


def summary(kind: Kind, points: int, **changes: Any) -> str:
    told = explain_entry(replace(ENTRY, kind=kind, points=points, **changes), SETTINGS)
    assert told is not None
    return told.summary


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (["PRORATA", "FLOOR"], "13.50 EUR at 2 per 1.00 EUR, rounded down = 27"),
        (["PRORATA", "NEAREST"], "13.50 EUR at 2 per 1.00 EUR, rounded to the nearest = 27"),
        (["PRORATA", "CEIL"], "13.50 EUR at 2 per 1.00 EUR, rounded up = 27"),
        (["STEP", "FLOOR"], "13.50 EUR at 2 for each full 1.00 EUR = 27"),
        (["STEP", "NEAREST"], "13.50 EUR at 2 for each 1.00 EUR, to the nearest = 27"),
        (["STEP", "CEIL"], "13.50 EUR at 2 for each 1.00 EUR begun = 27"),
    ],
)
def test_a_step_says_rate_and_rounding(by: list[str], text: str):
    why = {"calculator": "PRODUCT_TYPE", "steps": [{**COFFEE, "by": by}]}

    told = explain_entry(replace(ENTRY, explanation=why), SETTINGS)

    assert told is not None
    assert told.summary == "27 beans for a purchase of 13.50 EUR."
    assert [step.text for step in told.steps] == [f"COFFEE: {text}"]


def test_bonus_rules_are_steps_of_their_own():
    rules = [
        {"code": "DOUBLE", "name": "Weekend double", "points": 120},
        {
            "code": "HOLIDAY",
            "name": "Holiday bonus",
            "points": 20,
            "wanted": 50,
            "cuts": [["POINTS", "DAY", 20, 30]],
        },
    ]

    told = explain_entry(
        replace(ENTRY, explanation={"steps": [], "rules": rules}, points=140), SETTINGS
    )

    assert told is not None
    assert [(step.text, step.points) for step in told.steps] == [
        ("Weekend double: 120 beans", 120),
        ("Holiday bonus: 50 beans, 30 of them over the cap of 20 a day are left out", 20),
    ]


def test_another_currency_says_what_it_was_worth():
    rate = {"by": ["PRORATA", "FLOOR"], "paid": [1465, "USD", "0.9214"], "amount": 1349}
    card = {"type": "GIFT_CARD", "amount": 1, "excluded": True, "points": 0}
    steps = [{**COFFEE, **rate}, {**card, "paid": [2, "USD", "0.9214"]}]

    told = explain_entry(replace(ENTRY, explanation={"steps": steps}), SETTINGS)

    assert told is not None
    assert told.summary == "27 beans for a purchase of 14.67 USD (13.50 EUR)."
    assert [step.text for step in told.steps] == [
        "COFFEE: 14.65 USD at 0.9214 = 13.49 EUR; at 2 per 1.00 EUR, rounded down = 27",
        "GIFT_CARD: 0.02 USD at 0.9214 = 0.01 EUR; earns nothing here = 0",
    ]


@pytest.mark.parametrize(
    ("kind", "points", "changes", "text"),
    [
        (Kind.REDEEM, -1, {}, "1 bean spent."),
        (Kind.UNREDEEM, 5, {}, "5 beans given back: a redemption was cancelled."),
        (Kind.TRANSFER_OUT, -5, {}, "5 beans given to another member."),
        (
            *(Kind.MERGE_OUT, -5, {}),
            "5 beans moved to the account this one was joined to.",
        ),
        (
            *(Kind.MERGE_OUT, -5, {"explanation": {"unmerged": "x"}}),
            "5 beans given back to the account that was parted from this one.",
        ),
        (Kind.MERGE_IN, 5, {}, "5 beans from the account that was joined to this one."),
        (
            *(Kind.MERGE_IN, 5, {"explanation": {"unmerged": "x"}}),
            "5 beans back from the account that this one was parted from.",
        ),
        (
            Kind.TRANSFER_OUT,
            -1,
            {"explanation": {"fee": True}},
            "1 bean paid for giving points to another member.",
        ),
        (Kind.TRANSFER_IN, 5, {}, "5 beans received from another member."),
        (
            Kind.TRANSFER_IN,
            5,
            {"explanation": {"returned": True}},
            "5 beans given back: they could not reach the other member.",
        ),
        (
            Kind.REDEEM,
            -5,
            {"explanation": {"name": "Coffee"}},
            "5 beans spent for Coffee.",
        ),
        (
            Kind.REDEEM,
            -5,
            {"explanation": {"paid": 250}},
            "5 beans paid 2.50 EUR of a purchase.",
        ),
        (
            Kind.UNREDEEM,
            5,
            {"explanation": {"paid": 250}},
            "5 beans given back: they had paid 2.50 EUR of goods that were brought back.",
        ),
        (
            Kind.HOLD,
            -5,
            {"held": 5, "explanation": {"name": "Coffee"}},
            "5 beans set aside for Coffee.",
        ),
        (
            Kind.CAPTURE,
            0,
            {"held": -5, "explanation": {"name": "Coffee"}},
            "5 beans that were set aside are spent for Coffee.",
        ),
        (
            Kind.RELEASE,
            5,
            {"held": -5},
            "5 beans that were set aside are back: the redemption did not happen.",
        ),
        (
            Kind.HOLD,
            -5,
            {"held": 5, "explanation": {"hold": "h"}, "text": "a table for two"},
            "5 beans set aside: a table for two",
        ),
        (
            Kind.CAPTURE,
            0,
            {"held": -5, "explanation": {"hold": "h"}},
            "5 beans that were set aside are spent.",
        ),
        (
            Kind.RELEASE,
            5,
            {"held": -5, "explanation": {"hold": "h", "by": "time"}},
            "5 beans that were set aside are back: the time was over.",
        ),
        (
            Kind.RELEASE,
            5,
            {"held": -5, "explanation": {"hold": "h", "by": "hand"}, "text": "it rained"},
            "5 beans that were set aside are back: it rained",
        ),
        (
            Kind.RELEASE,
            5,
            {"held": -5, "explanation": {"hold": "h", "by": "capture"}, "text": "dinner"},
            "5 beans that were set aside are back: they were not needed.",
        ),
        (
            Kind.EARN_PENDING,
            0,
            {
                "pending": 40,
                "explanation": {
                    "activates_at": "2026-12-05T23:00:00+00:00",
                    "rules": [
                        {"name": "Double weekend", "points": 30},
                        {"name": "Fresh bread", "points": 10},
                    ],
                },
            },
            "40 beans are waiting until 2026-12-06: Double weekend, Fresh bread.",
        ),
        (
            Kind.EARN_PENDING,
            0,
            {"pending": 1, "explanation": {"activates_at": "2026-12-05T22:00:00+00:00"}},
            "1 bean is waiting until 2026-12-05.",
        ),
        (
            Kind.EARN_PENDING,
            0,
            {
                "pending": 9,
                "explanation": {
                    "activates_at": "2026-12-05T22:00:00+00:00",
                    "awaits": "RETURN_WINDOW",
                },
            },
            "9 beans are waiting for return window, until 2026-12-05 at the latest.",
        ),
        (
            Kind.EARN,
            9,
            {"explanation": {"steps": [], "rules": [{"name": "Fresh bread", "points": 9}]}},
            "9 beans for a purchase: Fresh bread.",
        ),
        (
            Kind.CANCEL,
            0,
            {"pending": -9, "explanation": {"by": "hand"}, "text": "a mistake"},
            "9 beans that were waiting are cancelled by hand: a mistake",
        ),
        (
            Kind.ACTIVATE,
            40,
            {"pending": -40, "at": datetime(2026, 12, 5, 23, tzinfo=UTC)},
            "40 beans are yours now: they waited until 2026-12-06.",
        ),
        (
            Kind.CANCEL,
            0,
            {"pending": -9, "explanation": {"before": 27, "after": 18, "steps": []}},
            (
                "9 beans that were waiting are cancelled: "
                "after a refund the purchase is worth 18 instead of 27."
            ),
        ),
        (
            Kind.EXPIRE,
            0,
            {"pending": -9, "explanation": {"by": "closing"}},
            "9 beans forfeited: the membership was closed.",
        ),
        (
            Kind.REVERSE,
            5,
            {"debit": Book.FORGIVEN},
            "5 beans forgiven: they were spent before the refund.",
        ),
        (
            Kind.UNREDEEM,
            -5,
            {"credit": Book.FORGIVEN},
            "5 beans no longer forgiven: the redemption they were spent in was cancelled.",
        ),
        (Kind.ADJUST, 5, {"text": "Welcome"}, "5 beans added by hand: Welcome"),
        (Kind.ADJUST, -5, {"text": "Mistake"}, "5 beans taken by hand: Mistake"),
        (
            Kind.REVERSE,
            -9,
            {"explanation": {"before": 27, "after": 18, "steps": []}},
            "9 beans taken back: after a refund the purchase is worth 18 instead of 27.",
        ),
        (
            Kind.REVERSE,
            -9,
            {"explanation": {"before": 9, "after": 0, "void": True}},
            "9 beans taken back: the purchase was voided.",
        ),
        (
            Kind.CANCEL,
            0,
            {"pending": -9, "explanation": {"before": 9, "after": 0, "void": True}},
            "9 beans that were waiting are cancelled: the purchase was voided.",
        ),
        (
            Kind.REVERSE,
            0,
            {"debit": Book.MEMBER, "explanation": {"before": 9, "after": 0, "void": True}},
            "The beans stay, but count for the tier no more: the purchase was voided.",
        ),
        (
            Kind.REVERSE,
            5,
            {"debit": Book.FORGIVEN, "explanation": {"before": 9, "after": 0, "void": True}},
            "5 beans forgiven: they were spent already.",
        ),
        (
            Kind.REVERSE,
            5,
            {"debit": Book.FORGIVEN, "explanation": {"entry": 3, "of": "ADJUST"}},
            "5 beans forgiven: they were spent already.",
        ),
        (
            Kind.EXPIRE,
            -9,
            {"at": datetime(2026, 9, 2, 22, tzinfo=UTC)},
            "9 beans expired at the end of 2026-09-02.",
        ),
    ],
)
def test_every_kind_has_its_sentence(kind: Kind, points: int, changes: dict[str, Any], text: str):
    assert summary(kind, points, **changes) == text


def test_what_was_erased_is_not_explained():
    assert explain_entry(replace(ENTRY, explanation=None), SETTINGS) is None


def test_no_kind_is_left_without_a_sentence():
    assert set(REASONS) == {*Kind, *Forgiveness}
