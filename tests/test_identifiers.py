from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest

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


def test_ids_of_one_millisecond_differ():
    now = datetime(2026, 3, 2, tzinfo=UTC)

    assert len({new_id(now) for _ in range(10_000)}) == 10_000


def test_all_74_other_bits_are_random():
    ids = [new_id(EPOCH).int for _ in range(500)]

    always_one, ever_one = ids[0], 0
    for one in ids:
        always_one &= one
        ever_one |= one

    fixed = 0x7 << 76 | 0b10 << 62
    assert always_one == fixed
    assert ever_one == fixed | (1 << 62) - 1 | 0xFFF << 64
