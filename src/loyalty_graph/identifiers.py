"""Row ids: UUIDs that sort by the time they were made."""

import os
from datetime import datetime
from uuid import UUID

_VERSION_AND_VARIANT = 0xF << 76 | 0b11 << 62
_VERSION_7_VARIANT_10 = 0x7 << 76 | 0b10 << 62


def new_id(now: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    bits = milliseconds << 80 | int.from_bytes(os.urandom(10))
    return UUID(int=bits & ~_VERSION_AND_VARIANT | _VERSION_7_VARIANT_10)
