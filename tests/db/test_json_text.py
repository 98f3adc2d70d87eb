from datetime import timedelta

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.outbox import FactRow
from tests.shop import NOON

PROGRAM = new_id(NOON)
WRITTEN = {"longer": [1, None, "é"], "a": {"z": "", "b": -(2**53)}}


async def test_a_document_comes_back_as_it_was_written(database: object):
    facts = [
        outbox.Fact(new_id(NOON + timedelta(seconds=second)), "points.earned", None, NOON, payload)
        for second, payload in enumerate([WRITTEN, {}])
    ]

    await transaction(store)(PROGRAM, [outbox.facts(facts)])

    [first, second] = await FactRow.all().order_by("id")
    assert (first.payload, first.change) == (WRITTEN, None)
    assert list(first.payload) == ["longer", "a"]
    assert second.payload == {}
