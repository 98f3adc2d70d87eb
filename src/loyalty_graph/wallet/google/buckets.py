"""How fast an issuer's requests may go, all workers together: a row that hands out moments.

The generic cell rate algorithm (ITU-T I.371, annex A) without a burst: Google counts requests by
the second and starts counting anywhere, so that only an even pace never has too many in one.
"""

from datetime import datetime, timedelta

from loyalty_graph.db import transaction
from loyalty_graph.wallet.google.models import GoogleBucketRow

AHEAD_MAX = timedelta(minutes=1)
"""A row that is further ahead than workers can have brought it was written by a wrong clock."""


@transaction
async def take(issuer_id: str, count: int, *, per_s: int, now: datetime) -> list[datetime]:
    """Return the moments at which `count` requests may be sent; nobody else gets the same.

    Args:
        issuer_id: Whose limit it is.
        count: How many; those of a whole batch are taken at once.
        per_s: How many requests the issuer has in a second.
        now: The moment.
    """
    found = GoogleBucketRow.filter(issuer_id=issuer_id).select_for_update()
    row = await found.get_or_none()
    if row is None:
        fresh = GoogleBucketRow(issuer_id=issuer_id, free_at=now)
        # Another worker may be making it at this moment.
        await GoogleBucketRow.bulk_create([fresh], ignore_conflicts=True)
        row = await found.get()
    pace = timedelta(seconds=1) / per_s
    first = row.free_at if now < row.free_at <= now + AHEAD_MAX else now
    await GoogleBucketRow.filter(issuer_id=issuer_id).update(free_at=first + count * pace)
    return [first + place * pace for place in range(count)]
