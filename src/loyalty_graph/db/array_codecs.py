"""How columns of values travel to PostgreSQL: whole arrays at a time, quicker than the driver's.

The driver asks of every single element whether it is a container, which costs more than sending it;
and a column of a batch often holds one value over and over.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.date().toordinal()
_MICROSECOND = timedelta(microseconds=1)
_JSONB_VERSION = b"\x01"

_NOTHING = struct.Struct(">iii")
_HEAD = struct.Struct(">iiiii")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)


class Element(NamedTuple):
    """A type of PostgreSQL: its number and its array's, and how its values are sent.

    A number is sent as the `letter` of `struct` says.
    Source: src/include/catalog/pg_type.dat of PostgreSQL, and the types' send functions.
    """

    name: str
    oid: int
    array_oid: int
    send: Callable[[Any], bytes]
    receive: Callable[[bytes], Any]
    letter: str = ""


def _send_uuid(value: UUID | str) -> bytes:
    return UUID(value).bytes if isinstance(value, str) else value.int.to_bytes(16)


def _send_instant(value: datetime) -> bytes:
    return _ENDLESS.get(value) or struct.pack(">q", (value - _EPOCH) // _MICROSECOND)


def _receive_instant(sent: bytes) -> datetime:
    return _ENDS.get(sent) or _EPOCH + timedelta(microseconds=_receive_number(sent))


def _send_day(value: date) -> bytes:
    return _ENDLESS_DAYS.get(value) or struct.pack(">i", value.toordinal() - _FIRST_DAY)


def _receive_day(sent: bytes) -> date:
    return _END_DAYS.get(sent) or date.fromordinal(_FIRST_DAY + _receive_number(sent))


def _receive_number(sent: bytes) -> int:
    return int.from_bytes(sent, signed=True)


# As the driver sends single ones: what Python knows as the first and the last is infinite.
_ENDLESS = {
    datetime.min.replace(tzinfo=UTC): struct.pack(">q", -(2**63)),
    datetime.max.replace(tzinfo=UTC): struct.pack(">q", 2**63 - 1),
}
_ENDS = {sent: instant for instant, sent in _ENDLESS.items()}
_ENDLESS_DAYS = {date.min: struct.pack(">i", -(2**31)), date.max: struct.pack(">i", 2**31 - 1)}
_END_DAYS = {sent: day for day, sent in _ENDLESS_DAYS.items()}

ELEMENTS = (
    Element("bool", 16, 1000, struct.Struct(">?").pack, lambda sent: sent != b"\0", "?"),
    Element("bytea", 17, 1001, bytes, bytes),
    Element("int8", 20, 1016, struct.Struct(">q").pack, _receive_number, "q"),
    Element("int2", 21, 1005, struct.Struct(">h").pack, _receive_number, "h"),
    Element("int4", 23, 1007, struct.Struct(">i").pack, _receive_number, "i"),
    Element("text", 25, 1009, str.encode, bytes.decode),
    Element("json", 114, 199, str.encode, bytes.decode),
    Element("date", 1082, 1182, _send_day, _receive_day),
    Element("timestamptz", 1184, 1185, _send_instant, _receive_instant),
    Element("uuid", 2950, 2951, _send_uuid, lambda sent: UUID(bytes=sent)),
    Element(
        "jsonb",
        3802,
        3807,
        lambda value: _JSONB_VERSION + value.encode(),
        lambda sent: sent[len(_JSONB_VERSION) :].decode(),
    ),
)


_NAMED = {one.name: one for one in ELEMENTS}
_NAMED |= {long: _NAMED[short] for long, short in (("bigint", "int8"), ("int", "int4"))}
_NAMED["smallint"] = _NAMED["int2"]


@lru_cache(maxsize=1024)
def coders(kinds: tuple[str, ...], *, single: bool) -> tuple[Callable[[Any], bytes], ...]:
    """Return how parameters of these types are sent: as arrays of them, or single values."""
    elements = [_NAMED[kind] for kind in kinds]
    return tuple(one.send if single else partial(encoded, one) for one in elements)


def use(connection: asyncpg.Connection) -> None:
    """Let a connection send and receive arrays this way, those of one dimension."""
    settings = connection._protocol.get_settings()
    for one in ELEMENTS:
        coders = partial(encoded, one), partial(decoded, one)
        # The driver's own door takes no arrays, though all that matters behind it is a number.
        settings.add_python_codec(
            one.array_oid, f"_{one.name}", "pg_catalog", [], "scalar", *coders, "binary"
        )


def encoded(element: Element, values: Sequence[Any]) -> bytes:
    """Return an array as PostgreSQL receives it.

    Source: array_recv in src/backend/utils/adt/arrayfuncs.c of PostgreSQL: dimensions, a flag that
    is not read, the elements' type; how many there are, and the number of the first; then each with
    its length before it, which is -1 for NULL.
    """
    many = len(values)
    if not many:
        return _NOTHING.pack(0, 0, element.oid)
    head = _HEAD.pack(1, 0, element.oid, many, 1)
    first = values[0]
    if first == values[-1] and values.count(first) == many:
        return head + _sent(element, first) * many
    if element.letter and None not in values:
        return head + _numbers(element.letter, values)
    return head + b"".join([_sent(element, value) for value in values])


def _sent(element: Element, value: Any) -> bytes:
    if value is None:
        return _NULL
    sent = element.send(value)
    return _LENGTH.pack(len(sent)) + sent


def _numbers(letter: str, values: Sequence[Any]) -> bytes:
    whole = _all_of(letter, len(values))
    pairs = [struct.calcsize(letter)] * (2 * len(values))
    pairs[1::2] = values
    return whole.pack(*pairs)


@lru_cache(maxsize=2048)
def _all_of(letter: str, many: int) -> struct.Struct:
    return struct.Struct(">" + f"i{letter}" * many)


def decoded(element: Element, sent: bytes) -> list[Any]:
    """Return the elements of an array as PostgreSQL sends it."""
    dimensions, *_ = _NOTHING.unpack_from(sent)
    assert dimensions <= 1, "a column is a list of values"
    found: list[Any] = []
    place = _HEAD.size
    while place < len(sent):
        (length,) = _LENGTH.unpack_from(sent, place)
        place += _LENGTH.size
        end = place + max(0, length)
        found.append(None if length < 0 else element.receive(sent[place:end]))
        place = end
    return found
