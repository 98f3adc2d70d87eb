"""Files of balances from another system, as text: their rows, or what is wrong with each."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

import orjson

from loyalty_graph.errors import InvalidInputError, LoyaltyError, shown
from loyalty_graph.ledger.moving import Part
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.programs.rules import NEVER, ProgramSettings
from loyalty_graph.usecases.posting import check_text

POINTS_MAX = 10**12
LOTS_MAX = 100
KEY_LENGTH_MAX = 100
NEVER_WORD = "never"
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
FINDING = {
    "id": ReferenceKind.ID,
    "number": ReferenceKind.NUMBER,
    "external_id": ReferenceKind.EXTERNAL_ID,
    "email": ReferenceKind.EMAIL,
    "phone": ReferenceKind.PHONE,
}
"""The columns that say whose row it is."""
LOT_COLUMNS = ("points", "expires_at")
COLUMNS = (
    *("key", *FINDING, "first_name", "last_name", "birthday", "locale"),
    *(*LOT_COLUMNS, "qualifying", "tier", "tier_until", "text"),
)
LOTS = "lots"
_PROFILE = {"firstName": "first_name", "lastName": "last_name", "externalId": "external_id"}


RawRow = tuple[int, Mapping[str, Any] | LoyaltyError]
"""The number of a line, with its cells by their columns, or what is wrong with it."""
_Lots = tuple[tuple[Part, ...], InvalidInputError | None]
"""Lots, and what is wrong with them if some have ended."""


class BalanceFormat(StrEnum):
    """How a file of balances is written."""

    CSV = "CSV"
    JSONL = "JSONL"


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What a row brings along for a member: lots, what counts for a tier, a tier until a time.

    `references` find the member; if none of them does, he is new and joins with `profile`. With
    `ended` it is refused, unless it is in the ledger already: some of its points have expired.
    """

    line: int
    key: str
    references: tuple[Reference, ...]
    profile: Profile
    lots: tuple[Part, ...]
    qualifying: int
    tier: str | None
    tier_until: datetime | None
    text: str
    ended: InvalidInputError | None = None

    @property
    def points(self) -> int:
        """Return the points of all lots."""
        return sum(one.points for one in self.lots)


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row cannot be imported; `field` is the column, if it is about one."""

    line: int
    code: str
    field: str | None
    message: str

    @classmethod
    def of(cls, line: int, error: LoyaltyError) -> "RowFault":
        """Return a refusal as the fault of a line."""
        return cls(line, error.code, error.field, error.message)


def rows_of(
    lines: Iterable[str], form: BalanceFormat, settings: ProgramSettings, *, now: datetime
) -> Iterator[BalanceRow | RowFault]:
    """Yield each row of a file, or what is wrong with it; lines are counted from 1.

    Points without a date expire like those earned `now`. Of a file whose columns cannot be used,
    or that is no CSV from some line on, nothing is yielded after that fault.
    """
    for line, given in raw_rows(lines, form, COLUMNS, whole=LOTS):
        if isinstance(given, LoyaltyError):
            yield RowFault.of(line, given)
            continue
        try:
            yield _row(line, given, settings, now)
        except LoyaltyError as error:
            yield RowFault.of(line, error)


def raw_rows(
    lines: Iterable[str], form: BalanceFormat, columns: Sequence[str], *, whole: str
) -> Iterator[RawRow]:
    """Yield the cells of each row of a file that has some of these columns, or what is wrong.

    In JSON a row may also hold a list by the name `whole`.
    """
    if form is BalanceFormat.CSV:
        return _csv_rows(lines, columns)
    return _json_rows(lines, (*columns, whole))


def _csv_rows(lines: Iterable[str], columns: Sequence[str]) -> Iterator[RawRow]:
    reader = csv.reader(lines, strict=True)
    line = 1
    try:
        names = [cell.strip().lower() for cell in next(reader, [])]
        if fault := _wrong_names(names, columns):
            yield line, InvalidInputError(fault)
            return
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield line, _cells(names, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        yield line, InvalidInputError(f"It is no CSV: {error}.")


def _cells(names: list[str], cells: list[str]) -> Mapping[str, Any] | LoyaltyError:
    if len(cells) != len(names):
        return InvalidInputError(f"It has {len(cells)} columns instead of {len(names)}.")
    return dict(zip(names, cells, strict=True))


def _wrong_names(names: list[str], columns: Sequence[str]) -> str | None:
    if unknown := [name for name in names if name not in columns]:
        return f"There is no column {shown(unknown[0])!r}; use some of {', '.join(columns)}."
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        return f"The column {twice[0]} stands twice."
    if not FINDING.keys() & set(names):
        return f"The first line names no column that finds a member: {', '.join(FINDING)}."
    return None


def _json_rows(lines: Iterable[str], names: Sequence[str]) -> Iterator[RawRow]:
    for line, text in enumerate(lines, 1):
        if text.strip():
            yield line, _json_object(text, names)


def _json_object(text: str, names: Sequence[str]) -> Mapping[str, Any] | LoyaltyError:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return InvalidInputError(f"It is no JSON: {error.msg}, at character {error.pos + 1}.")
    if not isinstance(given, dict):
        return InvalidInputError("It is no JSON object.")
    if unknown := [shown(name) for name in given if name not in names]:
        return InvalidInputError(
            f"There is no field {unknown[0]!r}; use some of {', '.join(names)}."
        )
    return given


def _row(
    line: int, given: Mapping[str, Any], settings: ProgramSettings, now: datetime
) -> BalanceRow:
    cell = Cells(given)
    tier, tier_until = cell.text("tier"), cell.parsed("tier_until", _moment(settings))
    if (tier is None) != (tier_until is None):
        raise InvalidInputError("A tier and its end go together.", field="tier_until")
    text = cell.text("text") or ""
    check_text(text, field="text")
    lots, ended = _lots(given, settings, now)
    return BalanceRow(
        line=line,
        key=_key(cell.text("key") or str(line)),
        references=references(cell),
        profile=_profile(cell),
        lots=lots,
        qualifying=cell.parsed("qualifying", _points) or 0,
        tier=tier,
        tier_until=tier_until,
        text=text,
        ended=ended,
    )


class Cells:
    """The cells of a row by their column, as text without surrounding spaces."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def text(self, name: str) -> str | None:
        """Return a cell, or None when it is empty.

        Raises:
            InvalidInputError: It is neither text nor a whole number, or no text can hold it.
        """
        value = self._given.get(name)
        if value is None:
            return None
        if type(value) not in {str, int}:
            raise InvalidInputError("Write text or a whole number.", field=name)
        text = str(value).strip()
        if "\0" in text or not _is_unicode(text):
            raise InvalidInputError("It is no text in UTF-8.", field=name)
        return text or None

    def parsed(self, name: str, parse: Callable[[str, str], Any]) -> Any:
        """Return what a cell means, or None when it is empty."""
        text = self.text(name)
        return None if text is None else parse(text, name)


def _is_unicode(text: str) -> bool:
    # What is no UTF-8 in a file was read as lone surrogates, which no text holds.
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


def _key(text: str) -> str:
    if len(text) > KEY_LENGTH_MAX or not text.isprintable():
        raise InvalidInputError(
            f"A row's key has 1 to {KEY_LENGTH_MAX} printable characters.", field="key"
        )
    return text


def references(cell: Cells) -> tuple[Reference, ...]:
    """Return all that a row says of whose it is.

    Raises:
        InvalidInputError: That is nothing, or cannot be used.
    """
    found: list[Reference] = []
    for name, kind in FINDING.items():
        if (text := cell.text(name)) is not None:
            try:
                found.append(members.reference(kind, text))
            except InvalidInputError as error:
                raise InvalidInputError(error.message, field=name) from error
    if not found:
        raise InvalidInputError(f"It names no member; give one of {', '.join(FINDING)}.")
    return tuple(found)


def _profile(cell: Cells) -> Profile:
    profile = Profile(
        external_id=cell.text("external_id"),
        email=cell.text("email"),
        phone=cell.text("phone"),
        first_name=cell.text("first_name"),
        last_name=cell.text("last_name"),
        birthday=cell.parsed("birthday", _day),
        locale=cell.text("locale") or "en",
    )
    try:
        return profile.checked()
    except InvalidInputError as error:
        column = _PROFILE.get(error.field or "", error.field)
        raise InvalidInputError(error.message, field=column) from error


def _lots(given: Mapping[str, Any], settings: ProgramSettings, now: datetime) -> _Lots:
    """Return the lots of a row: those it lists, or the one whose points and date it says."""
    listed = given.get(LOTS)
    if listed is None:
        return _lot(given, settings, now)
    if any(given.get(name) is not None for name in LOT_COLUMNS):
        raise InvalidInputError("Give lots, or points and their date; not both.", field=LOTS)
    if not isinstance(listed, list) or len(listed) > LOTS_MAX:
        raise InvalidInputError(f"The lots are a list of at most {LOTS_MAX}.", field=LOTS)
    lots: list[Part] = []
    ended: list[InvalidInputError] = []
    for place, one in enumerate(listed):
        where = f"{LOTS}[{place}]"
        if not isinstance(one, dict) or not set(one) <= set(LOT_COLUMNS):
            raise InvalidInputError("A lot has points, and perhaps expires_at.", field=where)
        try:
            parts, late = _lot(one, settings, now)
        except InvalidInputError as error:
            raise _within(where, error) from error
        lots += parts
        ended += [_within(where, late)] if late else []
    return tuple(lots), ended[0] if ended else None


def _within(where: str, error: InvalidInputError) -> InvalidInputError:
    return InvalidInputError(error.message, field=f"{where}.{error.field}")


def _lot(given: Mapping[str, Any], settings: ProgramSettings, now: datetime) -> _Lots:
    """Return points and their date; nothing where there are no points."""
    cell = Cells(given)
    points = cell.parsed("points", _points) or 0
    expires_at = cell.parsed("expires_at", _moment(settings)) or settings.expires_at(now)
    ended = None
    if expires_at <= now:
        told = f"{cell.text('expires_at')} has passed: such points have expired."
        ended = InvalidInputError(told, field="expires_at")
    return (Part(points, expires_at),) if points else (), ended


def _points(text: str, name: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(POINTS_MAX))
    if not is_number or int(text) > POINTS_MAX:
        raise InvalidInputError(
            f"{shown(text)} is no number of points; write 0 to {POINTS_MAX}.", field=name
        )
    return int(text)


def _day(text: str, name: str) -> date:
    try:
        if DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInputError(f"{shown(text)} is no day; write one such as 2026-11-22.", field=name)


def _moment(settings: ProgramSettings) -> Callable[[str, str], datetime]:
    """Return what reads a day, through whose end something holds, an instant, or `never`."""

    def parse(text: str, name: str) -> datetime:
        if text.lower() == NEVER_WORD:
            return NEVER
        if "T" in text.upper():
            at = instant(text, name)
        else:
            day = _day(text, name)
            following = min(day, NEVER.date()) + timedelta(days=1)
            at = datetime.combine(following, time(), tzinfo=settings.zone).astimezone(UTC)
        if at >= NEVER:
            raise InvalidInputError(
                f"{shown(text)} lies too far ahead; write {NEVER_WORD}.", field=name
            )
        return at

    return parse


def instant(text: str, name: str) -> datetime:
    """Return an instant that is written with its offset.

    Raises:
        InvalidInputError: It is not; names the column.
    """
    try:
        at = datetime.fromisoformat(text.upper())
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInputError(
        f"{shown(text)} is no time with its offset; write one such as 2026-11-22T09:30:00Z.",
        field=name,
    )
