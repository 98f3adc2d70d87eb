from datetime import timedelta

import pytest

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Write, store
from loyalty_graph.identifiers import new_id
from loyalty_graph.outbox import CardMark, FactRow
from tests.shop import NOON

PROGRAM, ADA, BOB = (new_id(NOON + timedelta(seconds=n)) for n in range(3))


@transaction
async def write(*writes: Write) -> None:
    await store(PROGRAM, writes)


async def test_facts_are_stored_without_a_number(database: object):
    about_ada = outbox.Fact(new_id(NOON), "points.earned", ADA, NOON, {"points": 3, "why": "é"})
    about_nobody = outbox.Fact(new_id(NOON), "program.loaded", None, NOON, {})

    await write(outbox.facts([about_ada, about_nobody]))

    [first, second] = await FactRow.all().order_by("kind")
    assert (first.id, first.program_id, first.member_id) == (about_ada.id, PROGRAM, ADA)
    assert (first.payload, first.at, first.sequence) == ({"points": 3, "why": "é"}, NOON, None)
    assert (second.member_id, second.payload) == (None, {})


async def test_a_member_has_one_mark_with_the_time_of_the_oldest_change(database: object):
    await write(outbox.mark_cards([BOB, ADA, BOB], now=NOON))
    await write(outbox.mark_cards(iter([ADA]), now=NOON + timedelta(hours=1)))

    marks = {row.member_id: row.marked_at for row in await CardMark.all()}
    assert marks == {ADA: NOON, BOB: NOON}


async def test_nothing_is_left_when_the_transaction_fails(database: object):
    @transaction
    async def fail() -> None:
        fact = outbox.Fact(new_id(NOON), "points.earned", ADA, NOON, {})
        await store(PROGRAM, [outbox.facts([fact]), outbox.mark_cards([ADA], now=NOON)])
        raise RuntimeError("the use case fails")

    with pytest.raises(RuntimeError, match="the use case fails"):
        await fail()

    assert await FactRow.all().count() == await CardMark.all().count() == 0
