"""Row ids: UUIDs that sort by the time they were made."""

import os
from datetime import datetime
from uuid import UUID

_RANDOM_BYTES = 10


def new_id(now: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    tail = int.from_bytes(os.urandom(_RANDOM_BYTES))
    version = 0x7 << 76
    variant = 0b10 << 62
    random_high = (tail >> 62 & 0xFFF) << 64
    random_low = tail & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | version | random_high | variant | random_low)
