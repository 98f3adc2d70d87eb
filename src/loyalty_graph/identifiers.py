"""Row ids: UUIDs that sort by the time they were made, and within one process by their order."""

import os
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

RANDOM_BITS = 40
COUNTER_BITS = 34
_COUNTER_MASK = (1 << COUNTER_BITS) - 1
_LOW_COUNTER_BITS = COUNTER_BITS - 12
_VERSION_7_VARIANT_10 = 0x7 << 76 | 0b10 << 62

# One counter for all times: requests with different times make their ids by turns. Taking its next
# number is one step, also between threads. It starts at random in the lower half, so that it begins
# anew only after two to the power of 33 ids.
_numbers = count(int.from_bytes(os.urandom(5)) & _COUNTER_MASK >> 1)


def new_id(now: datetime) -> UUID:
    """Return a UUIDv7: 48 bits of milliseconds, then a counter of 34 bits, then 40 random bits.

    Ids of the same `now` sort in the order they were made in this process.

    Source: RFC 9562, section 5.7, and section 6.2, method 1 (a counter of fixed length).
    """
    milliseconds = int(now.timestamp() * 1000)
    number = next(_numbers) & _COUNTER_MASK
    high, low = number >> _LOW_COUNTER_BITS, number & (1 << _LOW_COUNTER_BITS) - 1
    bits = milliseconds << 80 | high << 64 | low << RANDOM_BITS | int.from_bytes(os.urandom(5))
    return UUID(int=bits | _VERSION_7_VARIANT_10)


def made_at(row_id: UUID) -> datetime:
    """Return the `now` an id of ours was made with, to the millisecond."""
    return datetime.fromtimestamp((row_id.int >> 80) / 1000, UTC)
