"""How a connection to PostgreSQL notices that the other machine vanished without a word."""

import socket

import asyncpg

# Seconds, a count, and milliseconds: a server that vanished is noticed after 15 s at most.
# TCP_USER_TIMEOUT (RFC 5482) covers what was sent and not acknowledged, keep-alive the silence.
SOCKET_OPTIONS = {
    getattr(socket, name): value
    for name, value in (
        ("TCP_KEEPIDLE", 5),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", 15_000),
    )
    if hasattr(socket, name)  # Not every system has them all.
}


def notice_silence(connection: asyncpg.Connection) -> None:
    """Have the system close a connection over a network when its other end is silent."""
    raw = connection._transport.get_extra_info("socket")
    if raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in SOCKET_OPTIONS.items():
            raw.setsockopt(socket.IPPROTO_TCP, option, value)
