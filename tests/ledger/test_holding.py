from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.ledger.holding import Hold, HoldState, problems, stored_problems
from tests.ledger.accounts import ADA, DAY_0, day

MINUTE = timedelta(minutes=1)
HOLD = Hold(ADA, UUID(int=3), HoldState.HELD, 50, 0, 2, DAY_0, day(1))


@dataclass(frozen=True)
class Moved:
    """A transfer, as far as holds are concerned."""

    sequence: int
    reference: str
    holding: int
    kind: str = ""


def found(*moves: tuple[str, int]) -> list[tuple[int, str]]:
    return list(problems(Moved(number, *one) for number, one in enumerate(moves, 1)))


def test_a_hold_is_over_from_its_last_moment_on_whether_or_not_that_was_written():
    assert HOLD.state_at(day(1) - MINUTE) is HoldState.HELD
    assert HOLD.state_at(day(1)) is HoldState.EXPIRED
    assert HOLD.released(now=day(1)).state is HoldState.EXPIRED


def test_a_hold_that_was_captured_stays_so_after_its_time():
    captured = HOLD.captured(20, now=DAY_0)

    assert captured.state_at(day(2)) is HoldState.CAPTURED
    assert (captured.captured_points, captured.ended_at) == (20, DAY_0)


@pytest.mark.parametrize(
    ("hold", "now", "code"),
    [
        pytest.param(HOLD, day(1), "HOLD_EXPIRED", id="over"),
        pytest.param(HOLD.captured(50, now=DAY_0), day(2), "HOLD_ENDED", id="captured"),
        pytest.param(HOLD.released(now=DAY_0), DAY_0, "HOLD_ENDED", id="released"),
        pytest.param(HOLD.released(now=day(1)), DAY_0, "HOLD_EXPIRED", id="written as over"),
    ],
)
def test_a_hold_that_has_ended_is_refused(hold: Hold, now: object, code: str):
    with pytest.raises(LoyaltyError) as refused:
        hold.check_open(now=now)  # type: ignore[arg-type] # all are times

    assert refused.value.code == code


def test_no_more_is_captured_than_is_set_aside():
    with pytest.raises(LoyaltyError) as refused:
        HOLD.captured(51, now=DAY_0)

    assert refused.value.code == "HOLD_AMOUNT"


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param([("a", 0)], id="none"),
        pytest.param([("a", 50)], id="open"),
        pytest.param([("a", 50), ("b", 1), ("a", -50), ("b", -1)], id="two, ended whole"),
        pytest.param([("a", 50), ("a", -20), ("a", -30)], id="ended in parts"),
    ],
)
def test_holds_that_are_in_order(moves: list[tuple[str, int]]):
    assert found(*moves) == []


@pytest.mark.parametrize(
    ("moves", "at"),
    [
        pytest.param([("a", -1)], 1, id="never opened"),
        pytest.param([("a", 50), ("a", -51)], 2, id="more than the whole"),
        pytest.param([("a", 50), ("a", -50), ("a", -1)], 3, id="ended before"),
    ],
)
def test_an_end_of_what_is_not_set_aside_is_found(moves: list[tuple[str, int]], at: int):
    assert found(*moves) == [(at, "it ends a hold that is not open, or more than the whole of it")]


def test_a_rest_that_stays_set_aside_is_found():
    moves = [("a", 50), ("a", -20), ("b", 9)]

    assert found(*moves) == [(2, "it ends a hold in part, and the rest of it stays set aside")]


@pytest.mark.parametrize(
    ("hold", "moves", "told"),
    [
        pytest.param(HOLD, [50], [], id="open"),
        pytest.param(HOLD.captured(20, now=DAY_0), [50, -20, -30], [], id="captured in part"),
        pytest.param(HOLD.released(now=DAY_0), [50, 0, -50], [], id="released"),
        pytest.param(HOLD, [], ["the hold says 50 points set aside, its entries 0"], id="made up"),
        pytest.param(
            HOLD.released(now=DAY_0),
            [50],
            ["the hold says 0 points set aside, its entries 50"],
            id="said to be released",
        ),
        pytest.param(
            HOLD.captured(21, now=DAY_0),
            [50, -20, -30],
            ["the hold says 21 points captured, its entries 20"],
            id="said to have spent more",
        ),
    ],
)
def test_what_holds_say_of_themselves_is_compared_with_their_entries(
    hold: Hold, moves: list[int], told: list[str]
):
    kinds = ("HOLD", "CAPTURE", "RELEASE")
    entries = [
        Moved(number, hold.reference, points, kind)
        for number, (points, kind) in enumerate(zip(moves, kinds, strict=False), 2)
    ]

    assert list(stored_problems(entries, [hold])) == [(2, one) for one in told]
