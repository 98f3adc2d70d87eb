"""Importing exchange rates from a file of a bank, and telling which are known."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.programs import rates, service
from loyalty_graph.programs.errors import RateFileError
from loyalty_graph.programs.exchange import (
    DatedRate,
    check_currency,
    check_day,
    check_rate,
    rates_between,
)

COLUMNS = ("day", "currency", "rate")
FILE_BYTES_MAX = 10_000_000
ROWS_MAX = 100_000
FAULTS_SHOWN_MAX = 20
AHEAD_MAX = timedelta(days=31)
"""Rates are known a day or two ahead; what lies beyond this is a misspelt year."""


class RatesImported(NamedTuple):
    """How many days' rates are new, changed, or were known already."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file that is neither its head nor empty."""

    line: int
    cells: list[str]


@transaction
async def import_rates(
    program_id: UUID, text: str, *, name: str, now: datetime, dry_run: bool = False
) -> RatesImported:
    """Store the rates of a file with the columns day, currency, rate; `name` stands in messages.

    A rate takes the place of what was imported for its day before; purchases that were recorded
    keep theirs. Nothing is written when a line is wrong, or with `dry_run`.

    Raises:
        RateFileError: The file or some of its lines cannot be used; each is named.
    """
    version = await service.in_force(program_id, now, now=now)
    today = now.astimezone(version.settings.zone).date()
    given = _rates(text, name, own=version.settings.currency, last=today + AHEAD_MAX)
    days = [one.day for one in given]
    currencies = {one.currency for one in given}
    known = {
        (one.currency, one.day): one.rate
        for one in await rates.imported(program_id, min(days), max(days), currencies=currencies)
    }
    fresh = [one for one in given if (one.currency, one.day) not in known]
    other = [
        one
        for one in given
        if (before := known.get((one.currency, one.day))) and Fraction(before) != Fraction(one.rate)
    ]
    if not dry_run:
        await rates.keep(program_id, [*fresh, *other], now=now)
        if fresh or other:
            await _tell(program_id, name, {"added": len(fresh), "changed": len(other)}, now=now)
    return RatesImported(len(fresh), len(other), len(given) - len(fresh) - len(other))


async def _tell(program_id: UUID, name: str, after: dict[str, int], *, now: datetime) -> None:
    told = outbox.change("cli", about="rates", after={"file": name, **after})
    fact = outbox.Fact(new_id(now), "rates.imported", None, now, {**after}, told)
    await store(program_id, [outbox.facts([fact])])


def read(path: Path) -> str:
    """Return the text of a file of rates.

    Raises:
        RateFileError: It cannot be read, is too long, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise RateFileError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > FILE_BYTES_MAX:
        raise RateFileError(f"{path} is longer than {FILE_BYTES_MAX:,} bytes.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RateFileError(f"{path} is no text in UTF-8.") from error


async def known_between(
    program_id: UUID, first: date, last: date, *, now: datetime, currency: str | None = None
) -> list[DatedRate]:
    """Return the rates of these days by currency and day, of one currency or of all."""
    version = await service.in_force(program_id, now, now=now)
    currencies = None if currency is None else [currency]
    found = await rates.imported(program_id, first, last, currencies=currencies)
    own = [one for one in version.settings.known_rates() if currency in (None, one.currency)]
    return rates_between(first, last, [*own, *found])


def _rates(text: str, name: str, *, own: str, last: date) -> list[DatedRate]:
    """Return what a file says.

    Raises:
        RateFileError: It says nothing, or something that cannot be; the lines are named.
    """
    found: dict[tuple[str, date], int] = {}
    given: list[DatedRate] = []
    faults: list[str] = []
    for row in _rows(text, name):
        try:
            one = _rate(row.cells, own=own, last=last)
            first = found.setdefault((one.currency, one.day), row.line)
            if first != row.line:
                raise ValueError(f"{one.currency} of {one.day} stands in line {first} too")  # noqa: TRY301 - told like the rest
        except ValueError as fault:
            faults.append(f"{name}:{row.line}: {fault}.")
        else:
            given.append(one)
    if faults:
        more = len(faults) - FAULTS_SHOWN_MAX
        rest = [f"{name}: {more:,} more lines are wrong."] if more > 0 else []
        raise RateFileError(*faults[:FAULTS_SHOWN_MAX], *rest)
    if not given:
        raise RateFileError(f"{name} holds no rates.")
    return given


def _rate(cells: Sequence[str], *, own: str, last: date) -> DatedRate:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"has {len(cells)} columns instead of {len(COLUMNS)}")
    day, currency, rate = check_day(cells[0]), check_currency(cells[1]), check_rate(cells[2])
    if currency == own:
        raise ValueError(f"{own} is the programme's own currency and has no rate")
    if day > last:
        raise ValueError(f"{day} lies too far ahead; rates are imported up to {last}")
    return DatedRate(currency, day, rate, is_imported=True)


def _rows(text: str, name: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip().lower() for cell in next(reader, [])]
        if head != list(COLUMNS):
            raise RateFileError(f"{name}:1: the first line must be {','.join(COLUMNS)}.")
        for number, cells in enumerate(reader):
            if number >= ROWS_MAX:
                raise RateFileError(f"{name} has more than {ROWS_MAX:,} lines.")
            if cells:
                yield _Row(reader.line_num, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise RateFileError(f"{name}:{reader.line_num}: is no CSV: {error}.") from error
