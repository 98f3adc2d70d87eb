"""Random histories that are asked at random moments, and asked again in the end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis.stateful import rule

from loyalty_graph.ledger import lots, past, reads
from loyalty_graph.ledger.reads import Activation, Balance, Expiration
from tests.delays import Parts, waiting
from tests.usecases import test_random_histories as histories
from tests.usecases.test_random_histories import Histories, Run, in_parts, play_histories

LOTS_MAX = 1_000
run = histories.run

Answer = tuple[Balance, list[Expiration], list[Activation], list[lots.Lot]]


class RememberedHistories(Histories):
    """One random life of a programme, and what was answered about it at some moments."""

    def __init__(self, run: Run, **how: Any) -> None:
        super().__init__(run, **how)
        self.answers: dict[datetime, dict[UUID, Answer]] = {}

    @rule()
    def ask_about_now(self) -> None:
        """Ask, and let a moment pass: what is recorded then belongs to the next answer."""
        self.answers[self.shop.now] = self.run(self.answers_now())
        self.wait(timedelta(milliseconds=1))

    async def answers_now(self) -> dict[UUID, Answer]:
        program_id, now = self.shop.program_id, self.shop.now
        ids = [one.row.id for one in self.play]
        balances = await reads.balances(program_id, ids, now=now)
        expirations = await reads.expirations(program_id, ids, now=now)
        activations = await reads.activations(program_id, ids, now=now)
        held = await lots.newest_lots(program_id, ids, limit=LOTS_MAX, only_open=False)
        return {one: (balances[one], expirations[one], activations[one], held[one]) for one in ids}

    async def answers_then(self, at: datetime) -> dict[UUID, Answer]:
        program_id, ids = self.shop.program_id, [one.row.id for one in self.play]
        found = await past.accounts(program_id, ids, at=at)
        was = list(found.values())
        held = await past.lots_of(program_id, was, limit=LOTS_MAX, only_open=False)
        return {
            one.member_id: (one.wallet, one.expirations, one.activations, mine)
            for one, mine in zip(was, held, strict=True)
        }

    def teardown(self) -> None:
        if hasattr(self, "play"):
            for at, answer in self.answers.items():
                assert self.run(self.answers_then(at)) == answer
        super().teardown()


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play histories that remember what was answered."""
    monkeypatch.setattr(histories, "Histories", RememberedHistories)


@pytest.mark.parametrize("parts", [None, in_parts], ids=["at once", "waiting"])
@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_what_was_answered_once_is_answered_for_that_moment_ever_after(
    run: Run, parts: Callable[[int], Parts] | None, *, may_owe: bool
):
    if parts is None:
        play_histories(run, months=6, may_owe=may_owe, examples=10)
    else:
        with waiting(parts):
            play_histories(run, months=6, may_owe=may_owe, parts=parts, examples=10)
