"""Imported exchange rates: what is known of which day, and storing more."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Upsert, store
from loyalty_graph.programs.exchange import DatedRate
from loyalty_graph.programs.models import ImportedRate


async def imported(
    program_id: UUID, first: date, last: date, *, currencies: Collection[str] | None = None
) -> list[DatedRate]:
    """Return the imported rates of these days, of some currencies or of all."""
    rows = ImportedRate.filter(program_id=program_id, day__gte=first, day__lte=last)
    if currencies is not None:
        rows = rows.filter(currency__in=currencies)
    found: list[tuple[str, date, str]] = await rows.values_list("currency", "day", "rate")
    return [DatedRate(*row, is_imported=True) for row in found]


async def keep(program_id: UUID, rates: Sequence[DatedRate], *, now: datetime) -> None:
    """Store rates, each instead of what was known of its currency and day."""
    assert_in_transaction()
    write = Upsert(
        ImportedRate,
        ("currency", "day"),
        ("currency", "day", "rate", "imported_at"),
        [(one.currency, one.day, one.rate, now) for one in sorted(rates)],
        merge=(("rate", "excluded.rate"), ("imported_at", "excluded.imported_at")),
    )
    await store(program_id, [write])
