from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import RFC_4122, UUID

import pytest

from loyalty_graph import identifiers
from loyalty_graph.identifiers import new_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "now",
    [
        EPOCH,
        datetime(2026, 3, 2, 12, 0, 0, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    ],
    ids=str,
)
def test_an_id_is_a_uuid_of_version_7_with_its_milliseconds_first(now: datetime):
    made = new_id(now)

    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == (now - EPOCH) // timedelta(milliseconds=1)


def test_later_ids_sort_behind_earlier_ones_as_numbers_and_as_texts():
    now = datetime(2026, 3, 2, tzinfo=UTC)

    ids = [new_id(now + timedelta(milliseconds=n)) for n in range(2000)]

    assert ids == sorted(ids)
    assert ids == sorted(ids, key=str)


def test_ids_of_one_time_sort_in_the_order_they_were_made_whatever_is_made_between():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    earlier, later = now - timedelta(days=1), now + timedelta(days=1)

    ids = []
    for _ in range(10_000):
        ids.append(new_id(now))
        new_id(earlier)
        new_id(later)

    assert ids == sorted(ids)
    assert ids == sorted(ids, key=str)
    assert len(set(ids)) == 10_000


def test_threads_make_ids_that_differ_each_in_its_own_order():
    def make(_thread: int) -> list[UUID]:
        return [new_id(EPOCH) for _ in range(2_000)]

    with ThreadPoolExecutor(max_workers=8) as threads:
        made = list(threads.map(make, range(8)))

    assert all(ids == sorted(ids) for ids in made)
    assert len({one for ids in made for one in ids}) == 16_000


def test_a_counter_that_is_full_begins_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(identifiers, "_numbers", count((1 << 34) - 1))

    last, first = new_id(EPOCH), new_id(EPOCH)

    assert last.int >> 40 == 0x7FFF_BFFFFF
    assert first.int >> 40 == 0x7000_800000
    assert {one.version for one in (last, first)} == {7}


def test_processes_that_count_alike_make_ids_that_differ(monkeypatch: pytest.MonkeyPatch):
    made = set()
    for _process in range(100):
        monkeypatch.setattr(identifiers, "_numbers", count(5))
        made.add(new_id(EPOCH))

    assert len(made) == 100


def test_the_last_40_bits_are_random():
    ids = [new_id(EPOCH).int for _ in range(500)]

    always_one, ever_one = ids[0], 0
    for one in ids:
        always_one &= one
        ever_one |= one

    assert always_one & (1 << 40) - 1 == 0
    assert ever_one & (1 << 40) - 1 == (1 << 40) - 1
