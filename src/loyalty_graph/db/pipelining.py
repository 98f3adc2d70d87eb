"""Statements that PostgreSQL is sent in one message with the next one, whose answer is awaited.

The driver knows no pipelines. But it does not mind answers of other statements before its own,
as long as these have no rows; so they are written ahead of its message, without a Sync.

Source: PostgreSQL documentation, 53.2.4 "Pipelining" and 53.7 "Message Formats". After an error
the server skips everything up to the Sync, which is the one of the driver's message.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import asyncpg

_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_ALL_BINARY = struct.pack(">hh", 1, 1)
_COUNT = struct.Struct(">h")
_AS_TEXT = _COUNT.pack(0)
_EXECUTE = b"E" + struct.pack(">ixi", 9, 0)

Coder = Callable[[Any], bytes]


class Statement(NamedTuple):
    """A statement and its parameters; `coders` say how each of these is sent.

    Only the last one of a message may return rows, and the driver knows how to send its parameters.
    """

    text: str
    values: Sequence[Any] = ()
    coders: Sequence[Coder] = ()
    name: str = "stmt"


async def prepared(
    connection: asyncpg.Connection, ahead: Sequence[Statement], last: Statement
) -> bytes:
    """Return the message that runs statements ahead of the last one; nothing of it is sent.

    The server knows them all by name then. That is so until something else is waited for: the
    driver drops what is too old, and everything when another connection finds a table changed.
    """
    connection._check_open()
    # What was cancelled before has to end first: the server might cancel what comes next.
    await connection._protocol._wait_for_cancellation(connection._protocol._get_timeout(None))
    states = [await _known(connection, one) for one in (*ahead, last)]
    while any(one.closed for one in states):  # Dropped while another one was prepared.
        states = [await _known(connection, one) for one in (*ahead, last)]
    message = b"".join(
        [_bound(state.name, one) for state, one in zip(states[:-1], ahead, strict=True)]
    )
    connection._check_open()
    if connection._transport.is_closing():
        raise asyncpg.InterfaceError("The connection is closed.")
    return message


async def send(
    connection: asyncpg.Connection, message: bytes, last: Statement
) -> tuple[list[asyncpg.Record], str]:
    """Send what was just prepared, and the last statement; return its rows and its tag.

    When one fails, its error is raised and those after it are not run.
    """
    # Nobody else gets to send anything before the driver does: all is prepared, nothing waits.
    protocol = connection._protocol
    sent_before = protocol.queries_count
    connection._transport.write(message)
    try:
        rows, tag, _ = await connection._execute(
            last.text, tuple(last.values), 0, None, return_status=True
        )
    except BaseException:
        if protocol.queries_count == sent_before:
            connection.terminate()  # The driver refused to send the last one, and thus the Sync.
        raise
    return rows, tag.decode()


async def _known(connection: asyncpg.Connection, one: Statement) -> Any:
    """Return what the driver knows of a statement; it prepares a new one."""
    connection._check_open()
    timeout = connection._protocol._get_timeout(None)
    name = connection._get_unique_id(one.name)
    return await connection._get_statement(one.text, timeout, named=name)


def _bound(name: str, one: Statement) -> bytes:
    """Return the messages that bind a statement's parameters and run it."""
    values = [
        _NULL if value is None else _with_length(code(value))
        for code, value in zip(one.coders, one.values, strict=True)
    ]
    parts = (b"\0", name.encode(), b"\0", _ALL_BINARY, _COUNT.pack(len(values)), *values, _AS_TEXT)
    body = b"".join(parts)
    return b"B" + _LENGTH.pack(len(body) + _LENGTH.size) + body + _EXECUTE


def _with_length(sent: bytes) -> bytes:
    return _LENGTH.pack(len(sent)) + sent
