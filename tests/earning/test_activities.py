"""What is in the way of an activity, and what is remembered of one that counted."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty_graph.earning.activities import (
    ActivityRules,
    Hindrance,
    History,
    Verdict,
    reason_of,
    rules_for_activities,
    verdicts,
)
from loyalty_graph.earning.basket import Occasion
from loyalty_graph.earning.outcomes import Earned
from loyalty_graph.earning.rule_settings import EarningRule
from loyalty_graph.purchases.activities import EVERY_NETWORK
from loyalty_graph.purchases.rules import ActivityKind, Deed
from tests.earning.books import ADA, BOB, NOON, Shop, book, rule, settings

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
REVIEW = Deed(ActivityKind.REVIEW)
ON_X = Deed(ActivityKind.REVIEW, network="X", proof="order 1")


def review(code: str = "BONUS", **given: Any) -> EarningRule:
    return EarningRule.model_validate(rule(code, on="REVIEW", **given))


def hindered(
    history: History, one: EarningRule, deed: Deed = ON_X, at: datetime = NOON
) -> Verdict | None:
    return history.hindrances([one], ADA, deed, at).get(one.code)


def test_rules_for_activities_stand_by_kind_in_the_order_of_the_file():
    made = settings(
        rule("A", on="REVIEW"), rule("BOUGHT"), rule("C", on="SIGN_UP"), rule("B", on="REVIEW")
    )

    found = rules_for_activities(made)

    assert [one.code for one in found.of(ActivityKind.REVIEW)] == ["A", "B"]
    assert [one.code for one in found.of(ActivityKind.SIGN_UP)] == ["C"]
    assert found.of(ActivityKind.BIRTHDAY) == ()
    assert found.profile_fields == ("email", "phone", "first_name", "last_name", "birthday")
    assert ActivityRules({}, ()).of(ActivityKind.REVIEW) == ()


@pytest.mark.parametrize("given", [{"needs_proof": True}, {"once_per": "PROOF"}])
def test_without_a_proof_what_needs_one_does_not_count(given: dict[str, Any]):
    history = History()

    assert hindered(history, review(**given), REVIEW) == Verdict(
        "BONUS", "Bonus", 0, Hindrance.NEEDS_PROOF
    )
    assert hindered(history, review(**given), ON_X) is None
    assert hindered(history, review(), REVIEW) is None


@pytest.mark.parametrize(
    ("case", "once_per", "other", "hindrance"),
    [
        (
            "a member, somewhere else",
            "MEMBER",
            Deed(ActivityKind.REVIEW, network="Y"),
            Hindrance.COUNTED_ALREADY,
        ),
        ("a network", "NETWORK", ON_X, Hindrance.COUNTED_ALREADY),
        ("another network", "NETWORK", Deed(ActivityKind.REVIEW, network="Y"), None),
        ("no network, after some", "NETWORK", REVIEW, Hindrance.COUNTED_ALREADY),
        ("a proof", "PROOF", ON_X, Hindrance.COUNTED_ALREADY),
        ("another proof", "PROOF", Deed(ActivityKind.REVIEW, proof="order 2"), None),
        ("any number of times", None, ON_X, None),
    ],
)
def test_what_counted_once_does_not_count_again(
    case: str, once_per: str | None, other: Deed, hindrance: Hindrance | None
):
    history, one = History(), review(once_per=once_per)

    proof = history.count(one, ADA, ON_X, NOON)

    found = hindered(history, one, other)
    assert found == (hindrance and Verdict("BONUS", "Bonus", 0, hindrance))
    assert proof == (("BONUS", "order 1") if once_per == "PROOF" else None)
    assert history.proofs == ({("BONUS", "order 1")} if once_per == "PROOF" else set())
    assert hindered(history, review("OTHER", once_per=once_per), other) is None


@pytest.mark.parametrize("once_per", ["MEMBER", "NETWORK"])
def test_what_counted_for_one_member_counts_for_another(once_per: str):
    history, one = History(), review(once_per=once_per)
    history.count(one, ADA, ON_X, NOON)

    assert history.hindrances([one], BOB, ON_X, NOON) == {}


def test_a_proof_is_used_up_for_everybody():
    history, one = History(), review(once_per="PROOF")
    history.count(one, ADA, ON_X, NOON)

    assert history.hindrances([one], BOB, ON_X, NOON).keys() == {"BONUS"}


def test_after_one_that_counted_there_is_a_pause_to_its_last_moment():
    history, one = History(), review(cooldown_hours=2)
    history.count(one, ADA, REVIEW, NOON)
    over = NOON + 2 * HOUR
    told = Verdict("BONUS", "Bonus", 0, Hindrance.COOLDOWN, over)

    assert hindered(history, one, at=over - MOMENT) == told
    assert hindered(history, one, at=over) is None
    assert hindered(history, one, at=NOON - 9 * HOUR) == told
    assert hindered(history, review(), at=NOON) is None


def test_without_a_pause_what_is_brought_late_counts():
    history, one = History(), review()
    history.count(one, ADA, REVIEW, NOON)

    assert hindered(history, one, at=NOON - HOUR) is None
    assert hindered(History(), review(cooldown_hours=2)) is None


def test_the_latest_that_counted_is_remembered_for_its_network_and_for_all():
    history = History({(ADA, "BONUS", "X"): NOON - HOUR, (ADA, "BONUS", EVERY_NETWORK): NOON})
    late = NOON - HOUR / 2

    history.count(review(), ADA, ON_X, late)

    assert history.counts == {(ADA, "BONUS", "X"): late, (ADA, "BONUS", EVERY_NETWORK): NOON}
    assert history.changed == history.counts


def test_only_what_the_batch_moved_is_to_be_stored():
    history = History({(ADA, "OTHER", EVERY_NETWORK): NOON})

    history.count(review(), ADA, REVIEW, NOON)

    assert history.changed == {(ADA, "BONUS", EVERY_NETWORK): NOON}


def test_what_counts_once_for_a_proof_has_one():
    with pytest.raises(AssertionError, match="without a proof"):
        History().count(review(once_per="PROOF"), ADA, REVIEW, NOON)


@pytest.mark.parametrize(
    "one",
    [
        Verdict("BONUS", "Bonus", 50),
        Verdict("BONUS", "Bonus", 0, Hindrance.CAP),
        Verdict("BONUS", "Bonus", 0, Hindrance.COOLDOWN, NOON),
    ],
)
def test_a_verdict_is_kept_whole(one: Verdict):
    assert Verdict.of(one.kept()) == one


def test_a_verdict_is_kept_as_json_values():
    assert Verdict("A", "Ada's", 0, Hindrance.COOLDOWN, NOON).kept() == {
        "rule": "A",
        "name": "Ada's",
        "points": 0,
        "reason": "COOLDOWN",
        "until": "2026-11-22T12:00:00-05:00",
    }
    assert Verdict("A", "Ada's", 5).kept() == {
        "rule": "A",
        "name": "Ada's",
        "points": 5,
        "reason": None,
        "until": None,
    }


def test_each_rule_says_what_it_gave_or_why_it_did_not():
    told = [
        rule("GIVES", on="REVIEW"),
        rule("CLOSED", on="REVIEW", closes_at="2026-01-01T00:00:00Z"),
        rule("PAUSES", on="REVIEW"),
        rule("CAPPED", on="REVIEW", caps=[{"points": 1, "per": "DAY"}]),
        rule("SPENT", on="REVIEW", budget={"points": 1}),
        rule("BOTH", on="REVIEW", caps=[{"points": 60, "per": "DAY"}], budget={"points": 50}),
    ]
    shop, given = Shop(book(*told)), settings(*told).rules
    paused = {"PAUSES": Verdict("PAUSES", "Pauses", 0, Hindrance.COOLDOWN, NOON + HOUR)}

    def earn() -> list[Verdict]:
        occasion = Occasion(ActivityKind.REVIEW, NOON, hindered=frozenset(paused))
        earned: Earned = shop.book.decide_activity(occasion, shop.mine)
        shop.mine.take(earned.outcomes)
        return verdicts(given, paused, earned)

    first, second = earn(), earn()

    assert first == [
        Verdict("GIVES", "Gives", 50),
        Verdict("CLOSED", "Closed", 0, Hindrance.NOT_OPEN),
        paused["PAUSES"],
        Verdict("CAPPED", "Capped", 1),
        Verdict("SPENT", "Spent", 1),
        Verdict("BOTH", "Both", 50),
    ]
    assert second == [
        *first[:3],
        Verdict("CAPPED", "Capped", 0, Hindrance.CAP),
        Verdict("SPENT", "Spent", 0, Hindrance.BUDGET),
        Verdict("BOTH", "Both", 0, Hindrance.BUDGET),
    ]


def test_an_activity_that_earned_nothing_says_what_its_first_rule_says():
    paused = Verdict("A", "A", 0, Hindrance.COOLDOWN)
    capped = Verdict("B", "B", 0, Hindrance.CAP)

    assert reason_of([]) is Hindrance.NO_RULE
    assert reason_of([paused, capped]) is Hindrance.COOLDOWN
    assert reason_of([paused, Verdict("C", "C", 1)]) is None
