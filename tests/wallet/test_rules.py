"""The state of a pass, and its freshness."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from loyalty_graph.wallet.rules import Freshness, PassState, copies, freshness, pass_state
from tests.shop import NOON

MINUTE = timedelta(minutes=1)
BEFORE, LONG_BEFORE = NOON - MINUTE, NOON - 60 * MINUTE


@dataclass(frozen=True)
class Happened:
    handed_out_at: datetime | None = None
    installed_at: datetime | None = None
    removed_at: datetime | None = None
    expires_at: datetime | None = None
    voided_at: datetime | None = None


HELD = Happened(handed_out_at=LONG_BEFORE, installed_at=LONG_BEFORE)
LET_GO = Happened(handed_out_at=LONG_BEFORE, installed_at=LONG_BEFORE, removed_at=BEFORE)


@pytest.mark.parametrize(
    ("case", "happened", "copies", "state"),
    [
        ("nobody got it", Happened(), 0, PassState.CREATED),
        ("downloaded", Happened(handed_out_at=BEFORE), 0, PassState.ISSUED),
        ("a phone has it", HELD, 1, PassState.INSTALLED),
        ("two phones have it", HELD, 2, PassState.INSTALLED),
        ("one of two phones gave it away", LET_GO, 1, PassState.INSTALLED),
        ("the last phone gave it away", LET_GO, 0, PassState.UNINSTALLED),
        ("the last phone vanished", HELD, 0, PassState.UNINSTALLED),
        ("its time is over", Happened(installed_at=BEFORE, expires_at=NOON), 1, PassState.EXPIRED),
        ("its time is nearly over", Happened(expires_at=NOON + MINUTE), 1, PassState.INSTALLED),
        ("void", Happened(installed_at=LONG_BEFORE, voided_at=BEFORE), 1, PassState.VOIDED),
        ("void and over", Happened(expires_at=BEFORE, voided_at=BEFORE), 0, PassState.VOIDED),
    ],
)
def test_a_pass_is_in_one_state(case: str, happened: Happened, copies: int, state: PassState):
    assert pass_state(happened, copies=copies, now=NOON) is state, case


@pytest.mark.parametrize(
    ("case", "happened", "registrations", "held"),
    [
        ("phones tell", Happened(), 3, 3),
        ("no phone tells any more", HELD, 0, 0),
        ("Google told nothing", Happened(), None, 0),
        ("Google told of a save", HELD, None, 1),
        ("Google told of a deletion", LET_GO, None, 0),
        ("saved again", Happened(installed_at=NOON, removed_at=BEFORE), None, 1),
    ],
)
def test_copies_are_what_wallets_told(
    case: str, happened: Happened, registrations: int | None, held: int
):
    assert copies(happened, registrations) == held, case


@pytest.mark.parametrize(
    ("case", "delivered", "marked_at", "held", "lag"),
    [
        ("the newest was handed out", 7, None, 1, timedelta(0)),
        ("a newer one than the row says", 8, None, 1, timedelta(0)),
        ("an older one was", 6, None, 1, MINUTE),
        ("none was", None, None, 1, MINUTE),
        ("nobody holds it", 6, LONG_BEFORE, 0, timedelta(0)),
        ("a change waits for its number", 7, LONG_BEFORE, 1, 60 * MINUTE),
        ("both: the older counts", 6, LONG_BEFORE, 1, 60 * MINUTE),
        ("it changed just now", 7, NOON, 1, timedelta.resolution),
        ("another machine's clock is ahead", 7, NOON + MINUTE, 1, timedelta.resolution),
    ],
)
def test_a_copy_is_stale_while_it_shows_something_old(
    case: str, delivered: int | None, marked_at: datetime | None, held: int, lag: timedelta
):
    found = freshness(
        wanted=7,
        delivered=delivered,
        stale_since=BEFORE,
        marked_at=marked_at,
        copies=held,
        now=NOON,
    )

    assert found == Freshness(7, delivered, lag), case
    assert found.stale == (lag > timedelta(0)), case


def test_a_card_that_never_changed_is_fresh_though_nothing_was_handed_out():
    found = freshness(
        wanted=0, delivered=None, stale_since=BEFORE, marked_at=None, copies=1, now=NOON
    )

    assert not found.stale
