"""TLS for a server that tells its clients why it refuses them; asyncio's own just hangs up."""

import asyncio
import ssl
from typing import cast

READ_BYTES = 65_536


class TlsConnection(asyncio.Protocol):
    """A client of a plain listening socket; subclasses hear what it says inside TLS.

    Args:
        context: TLS of the server.
        connections: Holds this one as long as it lasts, whether or not it is let in.
    """

    def __init__(self, context: ssl.SSLContext, connections: "set[TlsConnection]") -> None:
        self._connections = connections
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._transport: asyncio.Transport | None = None
        self._is_open = self._is_silent = False

    def opened(self) -> None:
        """Hear that the handshake is over and the client's certificate is good."""
        raise NotImplementedError

    def received(self, data: bytes) -> None:
        """Hear what the client says."""
        raise NotImplementedError

    def lost(self) -> None:
        """Hear that the client is gone; only of one that was let in."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to speak first."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Pass it on."""
        self._transport = None
        self._connections.discard(self)
        if self._is_open:
            self.lost()

    def data_received(self, data: bytes) -> None:
        """Open what arrived, and pass it on."""
        if self._is_silent:
            return
        self._incoming.write(data)
        try:
            self._read()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._leave()

    def send(self, data: bytes) -> None:
        """Say something, unless nobody is there."""
        if self._transport is not None:
            self.tls.write(data)
            self._flush()

    def drop(self) -> None:
        """Hang up without a word."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def fall_silent(self) -> None:
        """Hear and say nothing more."""
        self._is_silent = True

    def _read(self) -> None:
        if not self._is_open:
            self.tls.do_handshake()
            self._is_open = True
            self.opened()
        while self._transport is not None:
            if said := self.tls.read(READ_BYTES):
                self.received(said)
            else:
                self.tls.unwrap()  # The client has said good-bye.
                self._leave()

    def _leave(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _flush(self) -> None:
        if self._transport is not None and (data := self._outgoing.read()):
            self._transport.write(data)
