"""Old facts go, lowest numbers first, and nothing that somebody still waits for."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.outbox import Fact, FactRow, numbering, pruning
from loyalty_graph.outbox.models import FactCount
from tests.outbox.test_numbering import lease
from tests.shop import DAY, NOON

pytestmark = pytest.mark.usefixtures("database")
CLUB, OTHER = uuid4(), uuid4()
NOW = NOON + 40 * DAY


@transaction
async def happened(program_id: UUID, *moments: datetime) -> None:
    rows = [Fact(new_id(at), "purchase.recorded", None, at - 300 * DAY, {}) for at in moments]
    await store(program_id, [outbox.facts(rows)])


async def kept(program_id: UUID = CLUB) -> list[int | None]:
    rows = await FactRow.filter(program_id=program_id).order_by("id")
    return [row.sequence for row in rows]


async def test_what_was_recorded_thirty_days_ago_goes_whenever_it_happened():
    await happened(CLUB, NOON, NOON + DAY, NOW - 30 * DAY, NOW)
    await numbering.number(await lease())

    removed = await pruning.prune(CLUB, now=NOW)
    again = await pruning.prune(CLUB, now=NOW)

    assert (removed, again) == (2, 0)
    assert await kept() == [3, 4]
    assert await pruning.oldest(CLUB) == 3
    assert (await FactCount.get(program_id=CLUB)).highest == 4


async def test_what_has_no_number_stays_however_old():
    await happened(CLUB, NOON)

    assert await pruning.prune(CLUB, now=NOW) == 0
    assert await kept() == [None]
    assert await pruning.oldest(CLUB) is None


async def test_so_many_go_at_a_time_and_another_programme_s_stay():
    await happened(CLUB, *(NOON + timedelta(minutes=n) for n in range(5)))
    await happened(OTHER, NOON)
    await numbering.number(await lease())

    removed = [await pruning.prune(CLUB, now=NOW, limit=2) for _ in range(4)]

    assert removed == [2, 2, 1, 0]
    assert (await kept(), await kept(OTHER)) == ([], [1])


async def test_a_number_goes_after_all_lower_ones():
    held = await lease()
    await happened(CLUB, NOW)
    await numbering.number(held)
    await happened(CLUB, NOON)
    await numbering.number(held)

    assert await pruning.prune(CLUB, now=NOW) == 0
    assert await pruning.oldest(CLUB) == 1
