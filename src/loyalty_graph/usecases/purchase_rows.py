"""Files of receipts as text: what was bought, or what is wrong with each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from loyalty_graph.errors import InvalidInputError, LoyaltyError, shown
from loyalty_graph.money import Money
from loyalty_graph.purchases.rules import (
    Channel,
    Line,
    check_lines,
    check_payment,
    check_receipt,
)
from loyalty_graph.usecases.balance_rows import (
    FINDING,
    BalanceFormat,
    Cells,
    RawRow,
    RowFault,
    instant,
    raw_rows,
    references,
)
from loyalty_graph.usecases.purchases import RecordPurchase

LINE_COLUMNS = ("product_type", "quantity", "unit_amount", "discount", "sku")
HEAD_COLUMNS = ("receipt", "purchased_at", *FINDING, "store", "channel", "payment")
COLUMNS = (*HEAD_COLUMNS, *LINE_COLUMNS)
LINES = "lines"
QUANTITY_DIGITS_MAX = 7
LINES_REMEMBERED = 10_000
_LINE_NAMES = frozenset(LINE_COLUMNS)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where receipts come from: the system, who brings them, and the currency of amounts."""

    source: str
    caller: str
    currency: str


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A receipt that begins in this line of the file."""

    line: int
    command: RecordPurchase


def receipts_of(
    lines: Iterable[str], form: BalanceFormat, origin: Origin
) -> Iterator[ReceiptRow | RowFault]:
    """Yield each receipt of a file, or what is wrong with it; lines are counted from 1."""
    raw = raw_rows(lines, form, COLUMNS, whole=LINES)
    for line, given in _joined(raw) if form is BalanceFormat.CSV else raw:
        try:
            if isinstance(given, LoyaltyError):
                raise given
            yield ReceiptRow(line, _command(given, origin))
        except LoyaltyError as error:
            yield RowFault.of(line, error)


def _joined(raw: Iterable[RawRow]) -> Iterator[RawRow]:
    """Yield the receipts of a table that has a row for each line, one receipt after another."""
    for _, rows in groupby(raw, key=_receipt):
        (line, first), *others = rows
        if isinstance(first, LoyaltyError):
            yield line, first
            continue
        cells = [first, *(one for _, one in others if not isinstance(one, LoyaltyError))]
        heads = [{name: one.get(name) for name in HEAD_COLUMNS} for one in cells]
        if any(head != heads[0] for head in heads):
            told = "The rows of a receipt differ in more than its lines."
            yield line, InvalidInputError(told, field="receipt")
            continue
        sold = [{name: one.get(name) for name in LINE_COLUMNS} for one in cells]
        yield line, {**heads[0], LINES: sold}


def _receipt(row: RawRow) -> object:
    """Return what rows of one receipt have in common; what is wrong stands alone."""
    line, given = row
    return line if isinstance(given, LoyaltyError) else given.get("receipt")


def _command(given: Mapping[str, Any], origin: Origin) -> RecordPurchase:
    cell = Cells(given)
    receipt = cell.text("receipt")
    if receipt is None:
        raise InvalidInputError("A receipt needs its id.", field="receipt")
    store, payment = cell.text("store"), cell.text("payment")
    check_receipt(origin.source, receipt, store)
    if payment is not None:
        check_payment(payment)
    found = references(cell)
    if len(found) > 1:
        raise InvalidInputError(f"Name the member by one of {', '.join(FINDING)}.")
    purchased_at = cell.parsed("purchased_at", instant)
    if purchased_at is None:
        raise InvalidInputError("It does not say when it was made.", field="purchased_at")
    lines = _lines(given, origin.currency)
    check_lines(lines)
    return RecordPurchase(
        caller=origin.caller,
        idempotency_key=f"import:{origin.source}:{receipt}",
        member=found[0],
        source=origin.source,
        external_id=receipt,
        purchased_at=purchased_at,
        lines=lines,
        store=store,
        channel=cell.parsed("channel", _channel) or Channel.POS,
        payment=payment,
    )


def _lines(given: Mapping[str, Any], currency: str) -> tuple[Line, ...]:
    """Return the lines that a receipt lists, or the one that it says itself."""
    listed = given.get(LINES)
    if listed is None:
        return (_line(given, currency),)
    if not isinstance(listed, list):
        raise InvalidInputError("The lines are a list.", field=LINES)
    lines: list[Line] = []
    for place, one in enumerate(listed):
        if not isinstance(one, dict) or not one.keys() <= _LINE_NAMES:
            told = f"A line has some of {', '.join(LINE_COLUMNS)}."
            raise InvalidInputError(told, field=f"{LINES}[{place}]")
        try:
            lines.append(_line(one, currency))
        except InvalidInputError as error:
            where = f"{LINES}[{place}].{error.field}"
            raise InvalidInputError(error.message, field=where) from error
    return tuple(lines)


def _line(given: Mapping[str, Any], currency: str) -> Line:
    cells = map(given.get, LINE_COLUMNS)
    try:
        return _remembered_line(currency, *cells)
    except TypeError:  # What cannot be remembered, such as a list, is no cell either.
        return _read_line(currency, *map(given.get, LINE_COLUMNS))


def _read_line(currency: str, *cells: Any) -> Line:
    cell = Cells(dict(zip(LINE_COLUMNS, cells, strict=True)))

    def minor(text: str, name: str) -> int:
        return Money.from_text(text, currency, field=name).minor

    unit_minor = cell.parsed("unit_amount", minor)
    if unit_minor is None:
        raise InvalidInputError("It does not say what one costs.", field="unit_amount")
    return Line(
        cell.text("product_type") or "",
        cell.parsed("quantity", _quantity) or 1,
        unit_minor,
        cell.parsed("discount", minor) or 0,
        sku=cell.text("sku"),
    )


# A shop sells the same things at the same prices, and a file is read twice. By type, since a cell
# may hold 1, but neither 1.0 nor true.
_remembered_line = lru_cache(LINES_REMEMBERED, typed=True)(_read_line)


def _quantity(text: str, name: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= QUANTITY_DIGITS_MAX and int(text):
        return int(text)
    raise InvalidInputError(f"{shown(text)} is no quantity.", field=name)


def _channel(text: str, name: str) -> Channel:
    if text.upper() not in set(Channel):
        raise InvalidInputError(f"{shown(text)} is none of {', '.join(Channel)}.", field=name)
    return Channel(text.upper())
